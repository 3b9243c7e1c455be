"""WordPiece in the metadata of a GGUF file, as tokenizer.json and its settings, and back.

llama.cpp marks what begins a word instead of what goes on with one, and always takes letters as
small ones without their signs: a tokenizer that does otherwise is not written.
"""

from collections.abc import Mapping
from typing import Any

from hornbook.core.errors import HornbookError
from hornbook.core.gguf import GGUFFile
from hornbook.tokenize.settings import Settings

KIND = "bert"
"""`tokenizer.ggml.model`."""
_KEY = "tokenizer.ggml."
_BEGIN, _GOES_ON = "▁", "##"
_NORMAL, _UNKNOWN, _CONTROL, _UNUSED = 1, 2, 3, 5
_ROLES = {
    "cls_token": ("cls_token_id", "bos_token_id"),
    "sep_token": ("seperator_token_id", "eos_token_id"),  # spelled so
    "pad_token": ("padding_token_id",),
    "mask_token": ("mask_token_id",),
    "unk_token": ("unknown_token_id",),
}
_USUAL = {role: f"[{role[:-6].upper()}]" for role in _ROLES}
_NORMALIZER = {
    "type": "BertNormalizer",
    "clean_text": True,
    "handle_chinese_chars": True,
    "strip_accents": None,
    "lowercase": True,
}
_SAME: tuple[dict[str, Any], ...] = ({}, {"strip_accents": True})
"""Ways to say the same normaliser: small letters lose their signs unless it is said otherwise."""
_CUT = {"type": "BertPreTokenizer"}


def read_wordpiece(file: GGUFFile) -> tuple[dict[str, Any], Settings]:
    """What tokenizer.json and the files beside it would hold. Raises HornbookError naming the file
    where the tokens, or those that stand around a text, are missing."""
    tokens = file.values.get(f"{_KEY}tokens")
    if not isinstance(tokens, list) or not all(isinstance(token, str) for token in tokens):
        raise HornbookError(f"{file.path} holds no whole tokenizer: {_KEY}tokens is missing.")
    names = {role: found for role in _ROLES if (found := _role(file, tokens, role))}
    vocabulary: dict[str, int] = {}
    for i, token in enumerate(tokens):
        vocabulary.setdefault(_ours(token), i)
    if missing := sorted({"cls_token", "sep_token", "unk_token"} - names.keys()):
        raise HornbookError(f"{file.path} holds no whole tokenizer: it has no {missing[0]}.")
    cls, sep = ((names[role], vocabulary[names[role]]) for role in ("cls_token", "sep_token"))
    values = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [_added(vocabulary[name], name) for name in names.values()],
        "normalizer": _NORMALIZER,
        "pre_tokenizer": _CUT,
        "post_processor": _around(cls, sep),
        "decoder": {"type": "WordPiece", "prefix": _GOES_ON, "cleanup": True},
        "model": {
            "type": "WordPiece",
            "unk_token": names["unk_token"],
            "continuing_subword_prefix": _GOES_ON,
            "max_input_chars_per_word": 100,
            "vocab": vocabulary,
        },
    }
    return values, Settings(names, None, frozenset(), None)


def write_wordpiece(
    values: Mapping[str, Any], settings: Settings, vocabulary: int, where: str
) -> dict[str, Any]:
    """GGUF's keys for a tokenizer.json and its settings, for a model of `vocabulary` tokens.

    Raises HornbookError where llama.cpp would give other ids.
    """
    model = values["model"]
    if model["type"] != "WordPiece" or model["continuing_subword_prefix"] != _GOES_ON:
        raise HornbookError(
            f"{where}: of encoders' tokenizers only WordPiece can be written as GGUF, not "
            f"{model['type']}."
        )
    normalizer = values.get("normalizer") or {}
    if normalizer not in [_NORMALIZER | same for same in _SAME] or values["pre_tokenizer"] != _CUT:
        raise HornbookError(
            f"{where}: llama.cpp takes all letters as small ones without signs, and this tokenizer "
            "does not."
        )
    names = {role: settings.names.get(role, usual) for role, usual in _USUAL.items()}
    special = set(names.values()) | {token["content"] for token in values["added_tokens"]}
    tokens, types = [f"[PAD{i}]" for i in range(vocabulary)], [_UNUSED] * vocabulary
    for token, i in model["vocab"].items():
        tokens[i] = token if token in special else _theirs(token)
        types[i] = _CONTROL if token in special else _NORMAL
    ids = model["vocab"]
    types[ids[model["unk_token"]]] = _UNKNOWN
    return {
        f"{_KEY}model": KIND,
        f"{_KEY}tokens": tokens,
        f"{_KEY}token_type": types,
        f"{_KEY}token_type_count": 2,
        **{
            f"{_KEY}{key}": ids[name]
            for role, name in names.items()
            if name in ids
            for key in _ROLES[role]
        },
    }


def _role(file: GGUFFile, tokens: list[str], role: str) -> str | None:
    """The token of a role: by its id, or where none is said by its usual spelling."""
    for key in _ROLES[role]:
        found = file.values.get(f"{_KEY}{key}")
        if isinstance(found, int) and 0 <= found < len(tokens):
            return _ours(tokens[found])
    return _USUAL[role] if _USUAL[role] in tokens else None


def _ours(token: str) -> str:
    if token.startswith(_BEGIN) and token != _BEGIN:
        return token[1:]
    return token if _is_bracketed(token) else _GOES_ON + token


def _theirs(token: str) -> str:
    if token.startswith(_GOES_ON) and token != _GOES_ON:
        return token[len(_GOES_ON) :]
    return token if _is_bracketed(token) else _BEGIN + token


def _is_bracketed(token: str) -> bool:
    """Tokens that no text becomes are not marked."""
    return token.startswith("[") and token.endswith("]")


def _added(i: int, token: str) -> dict[str, Any]:
    plain = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    return {"id": i, "content": token, **plain, "special": True}


def _around(cls: tuple[str, int], sep: tuple[str, int]) -> dict[str, Any]:
    """A text, or a pair, between tokens."""

    def special(name: str, side: int) -> dict[str, Any]:
        return {"SpecialToken": {"id": name, "type_id": side}}

    def text(name: str, side: int) -> dict[str, Any]:
        return {"Sequence": {"id": name, "type_id": side}}

    single = [special(cls[0], 0), text("A", 0), special(sep[0], 0)]
    return {
        "type": "TemplateProcessing",
        "single": single,
        "pair": [*single, text("B", 1), special(sep[0], 1)],
        "special_tokens": {
            name: {"id": name, "ids": [i], "tokens": [name]} for name, i in (cls, sep)
        },
    }
