"""How text is cut before merging, by the names that GGUF files have for it.

A name means one pre-tokenizer of `tokenizers`; a tokenizer.json is recognised by what its own does.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from hornbook.core.errors import HornbookError, nearest

NOT_SAID = "default"
"""The name where a file has none."""
WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
"""Qwen2's split: words with one sign or space before them, single digits, runs of signs."""

_DIGITS_BY_THREE = WORDS.replace(r"\p{N}|", r"\p{N}{1,3}|")
_WITH_MARKS = WORDS.replace(r"?\p{L}+", r"?[\p{L}\p{M}]+").replace(
    r"[^\s\p{L}\p{N}]", r"[^\s\p{L}\p{M}\p{N}]"
)
"""Qwen3.5's: signs that are written over letters belong to them."""
_UPPER, _LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"


def _by_case(endings: str, digits: str) -> str:
    """Words end where small letters are followed by large ones, with such `endings`."""
    words = (f"{_UPPER}*{_LOWER}+", f"{_UPPER}+{_LOWER}*")
    each = "|".join(rf"[^\r\n\p{{L}}\p{{N}}]?{word}{endings}" for word in words)
    return each + rf"|{digits}| ?[^\s\p{{L}}\p{{N}}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"


class PreTokenizer(NamedTuple):
    """values: as in tokenizer.json. whole_words: a word that is a token is not merged anew."""

    values: dict[str, Any]
    whole_words: bool = False


def _byte_level(own_words: bool) -> dict[str, Any]:
    return {
        "type": "ByteLevel",
        "add_prefix_space": False,
        "trim_offsets": True,
        "use_regex": own_words,
    }


def _sequence(*parts: dict[str, Any]) -> dict[str, Any]:
    return {"type": "Sequence", "pretokenizers": list(parts)}


def _split(*patterns: str) -> dict[str, Any]:
    """Cut by one pattern after the other: each cuts what those before it left."""
    cuts = (
        {"type": "Split", "pattern": {"Regex": each}, "behavior": "Isolated", "invert": False}
        for each in patterns
    )
    return _sequence(*cuts, _byte_level(own_words=False))


_GPT2 = PreTokenizer(_byte_level(own_words=True))
_SINGLE_DIGITS = PreTokenizer(
    _sequence({"type": "Digits", "individual_digits": True}, _byte_level(own_words=True))
)
_LLAMA3 = PreTokenizer(_split(_DIGITS_BY_THREE), whole_words=True)
_LLAMA3_MERGED = PreTokenizer(_split(_DIGITS_BY_THREE))
_QWEN2 = PreTokenizer(_split(WORDS))
_CHINESE = r"[一-龥ࠀ-一가-퟿]+"
_DEEPSEEK_CODER = _split(r"[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", _CHINESE, r"\p{N}")
_DEEPSEEK_LLM = _split(
    r"[\r\n]",
    r"\s?[\p{Lu}\p{Ll}\p{Lt}]+",
    r"\s?[!-/:-~！-／：-～‘-‟　-。]+",
    r"\s+$",
    _CHINESE,
    r"\p{N}+",
)
_SEED = WORDS.replace(r"\p{N}]+[\r\n]*", r"\p{N}\r\n]+")
_GPT4O = PreTokenizer(_split(_by_case("(?i:'s|'t|'re|'ve|'m|'ll|'d)?", r"\p{N}{1,3}")))

PRE_TOKENIZERS: dict[str, PreTokenizer] = {
    "qwen2": _QWEN2,
    "deepseek-r1-qwen": _QWEN2,
    "megrez": _QWEN2,
    "stablelm2": _QWEN2,
    "hunyuan": _QWEN2,
    "kormo": _QWEN2,
    "llama-bpe": _LLAMA3,
    "llama3": _LLAMA3,
    "llama-v3": _LLAMA3,
    "falcon3": _LLAMA3,
    "falcon-h1": _LLAMA3,
    "pixtral": _LLAMA3,
    "midm-2.0": _LLAMA3,
    "lfm2": _LLAMA3,
    "smaug-bpe": _LLAMA3_MERGED,
    "dbrx": _LLAMA3_MERGED,
    "qwen35": PreTokenizer(_split(_WITH_MARKS)),
    "gpt-4o": _GPT4O,
    "llama4": _GPT4O,
    "tekken": PreTokenizer(_split(_by_case("", r"\p{N}")), whole_words=True),
    "gpt-2": _GPT2,
    "phi-2": _GPT2,
    "olmo": _GPT2,
    "gigachat": _GPT2,
    "mellum": _GPT2,
    "a.x-4.0": _GPT2,
    "trillion": _GPT2,
    "granite-docling": _GPT2,
    "smollm": _SINGLE_DIGITS,
    "starcoder": _SINGLE_DIGITS,
    "refact": _SINGLE_DIGITS,
    "command-r": _SINGLE_DIGITS,
    "codeshell": _SINGLE_DIGITS,
    "exaone": _SINGLE_DIGITS,
    "minerva-7b": _SINGLE_DIGITS,
    "deepseek-coder": PreTokenizer(_DEEPSEEK_CODER),
    "deepseek-llm": PreTokenizer(_DEEPSEEK_LLM),
    "seed-coder": PreTokenizer(_split(_SEED)),
}
"""By `tokenizer.ggml.pre`, as llama.cpp reads them; the first of equal ones is written."""


def named(name: str, where: str) -> PreTokenizer:
    """The pre-tokenizer of a name found at `where`; raises HornbookError for an unknown one."""
    if name == NOT_SAID:
        raise HornbookError(
            f"{where} does not say how text is cut before merging (tokenizer.ggml.pre), as files "
            "made before May 2024; llama.cpp cuts it roughly. Ask for a newer file of the same "
            "model."
        )
    if name not in PRE_TOKENIZERS:
        raise HornbookError(
            f"{where}: the pre-tokenizer {name!r} is not known here. "
            f"{nearest(name, PRE_TOKENIZERS)}"
        )
    return PRE_TOKENIZERS[name]


def name_of(values: Mapping[str, Any], whole_words: bool, where: str) -> str:
    """The name of a tokenizer.json's pre-tokenizer; raises HornbookError when it has none."""
    wanted = _essence(values)
    for name, known in PRE_TOKENIZERS.items():
        if _essence(known.values) == wanted and known.whole_words == whole_words:
            return name
    raise HornbookError(
        f"{where}: GGUF has no name for this pre-tokenizer. Known: {', '.join(PRE_TOKENIZERS)}."
    )


def _essence(values: Any) -> Any:
    """What of a pre-tokenizer decides where text is cut."""
    if isinstance(values, Mapping):
        return {key: _essence(value) for key, value in values.items() if key != "trim_offsets"}
    if isinstance(values, list):
        return [_essence(value) for value in values]
    return values
