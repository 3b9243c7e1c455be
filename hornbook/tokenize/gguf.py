"""A tokenizer in the metadata of a GGUF file, as tokenizer.json and its settings, and back.

llama.cpp normalises nothing, so a tokenizer read from GGUF does not either. Knows keys and JSON;
knows nothing of tensors.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hornbook.core.claims import Claim
from hornbook.core.errors import HornbookError
from hornbook.core.files import hash_file, write_json
from hornbook.core.gguf import GGUFFile, is_gguf
from hornbook.core.stages import run_stage
from hornbook.tokenize.begin import begin_with, prefix_of
from hornbook.tokenize.pieces import begins_with_space, is_byte, is_pieces, parts, scores_of
from hornbook.tokenize.pretokenizers import NOT_SAID, name_of, named
from hornbook.tokenize.settings import CONFIG, Settings
from hornbook.tokenize.wordpiece import KIND, read_wordpiece

MODEL, PRE, TOKENS, TYPES, MERGES = (
    f"tokenizer.ggml.{name}" for name in ("model", "pre", "tokens", "token_type", "merges")
)
TEMPLATE = "tokenizer.chat_template"
ADD_BOS = "tokenizer.ggml.add_bos_token"
_BEGINNING = (
    "llama3", "llama-v3", "llama-bpe", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2",
    "tekken",
)  # fmt: skip
"""Ways of cutting text that belong to models whose texts begin with a token."""
_NORMAL, _UNKNOWN, _CONTROL, _USER_DEFINED, _UNUSED, _BYTE = range(1, 7)
"""Types of tokens: of the merges, for what no token has, special, added as they are spelled, no
token at all, of a byte."""
SCORES, SPACE_PREFIX = "tokenizer.ggml.scores", "tokenizer.ggml.add_space_prefix"

_ROLES = {
    "eos_token": "eos_token_id",
    "bos_token": "bos_token_id",
    "pad_token": "padding_token_id",
    "unk_token": "unknown_token_id",
}
_STOPS = ("eos_token_id", "eot_token_id", "eom_token_id")
_DECODER = {
    "type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True
}  # fmt: skip
_GENERATION = re.compile(r"(\{%[-+]?\s*)(end)?generation(\s*[-+]?%\})")


def read_tokenizer(file: GGUFFile) -> tuple[dict[str, Any], Settings]:
    """What tokenizer.json and the files beside it would hold.

    Raises HornbookError naming the file when it has a tokenizer of another kind, or one that cuts
    text in a way not known here.
    """
    where, kind = str(file.path), file.values.get(MODEL)
    if kind == KIND:
        raise HornbookError(f"{where} holds no decoder: it does not continue text.")
    if kind not in ("gpt2", "llama"):
        raise HornbookError(
            f"{where}: {MODEL} = {kind!r}. Only 'gpt2', byte-level BPE, and 'llama', pieces with "
            "scores, can be opened."
        )
    tokens, types = _list(file, TOKENS, str), _list(file, TYPES, int)
    if len(types) != len(tokens):
        raise HornbookError(f"{where} has {len(tokens)} tokens, but {len(types)} types of tokens.")
    added = (_CONTROL, _USER_DEFINED) if kind == "gpt2" else (_CONTROL, _USER_DEFINED, _UNKNOWN)
    settings = Settings(
        names={role: tokens[i] for role, key in _ROLES.items() for i in _ids(file, key)},
        eos=next(iter(_ids(file, "eos_token_id")), None),
        stops=frozenset(i for key in _STOPS for i in _ids(file, key)),
        template=_template(file),
    )
    bos = settings.names.get("bos_token") if _says_bos(file) else None
    typed = list(zip(tokens, types, strict=True))
    made = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            _added(i, token, type_ != _USER_DEFINED, _strips(file, token))
            for i, (token, type_) in enumerate(typed)
            if type_ in added
        ],
        "post_processor": begin_with(bos, tokens.index(bos)) if bos is not None else None,
        **(_merged(file, typed) if kind == "gpt2" else _scored(file, typed)),
    }
    return made, settings


def read_sequences(file: GGUFFile) -> tuple[dict[str, Any], Settings]:
    """As `read_tokenizer`, for what only encodes: word pieces too."""
    return read_wordpiece(file) if file.values.get(MODEL) == KIND else read_tokenizer(file)


def _merged(file: GGUFFile, typed: Sequence[tuple[str, int]]) -> dict[str, Any]:
    """The parts of a byte-level BPE."""
    merges = _list(file, MERGES, str)
    pre = named(str(file.values.get(PRE, NOT_SAID)), str(file.path))
    return {
        "normalizer": None,
        "pre_tokenizer": pre.values,
        "decoder": _DECODER,
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": pre.whole_words,
            "vocab": {token: i for i, (token, kind) in enumerate(typed) if kind == _NORMAL},
            "merges": [merge.split(" ", 1) for merge in merges],
        },
    }


def _scored(file: GGUFFile, typed: Sequence[tuple[str, int]]) -> dict[str, Any]:
    """The parts of a tokenizer of pieces. Of two tokens that are spelled alike the first counts."""
    scores = _list(file, SCORES, float)
    if len(scores) != len(typed):
        raise HornbookError(f"{file.path} has {len(typed)} tokens, but {len(scores)} scores.")
    own = {token: i for i, (token, kind) in reversed(list(enumerate(typed))) if kind in _OF_MODEL}
    pieces = {token: scores[i] for token, i in own.items() if typed[i][1] == _NORMAL}
    unknown = next((token for token, kind in typed if kind == _UNKNOWN), None)
    return parts(pieces, own, unknown, bool(file.values.get(SPACE_PREFIX, True)))


_OF_MODEL = (_NORMAL, _UNKNOWN, _CONTROL, _USER_DEFINED, _BYTE)


def _strips(file: GGUFFile, token: str) -> bool:
    """Whether a token takes white space behind it away, which llama.cpp knows of Phi-3's alone."""
    phi3 = file.values.get("general.architecture") == "phi3" and file.values.get(MODEL) == "llama"
    return phi3 and token not in ("<unk>", "<s>", "<|endoftext|>")


def _says_bos(file: GGUFFile) -> bool:
    """Whether texts begin with a token; where nothing is said, as llama.cpp has it."""
    said = file.values.get(ADD_BOS)
    if said is None:
        return file.values.get(MODEL) == "llama" or file.values.get(PRE) in _BEGINNING
    return bool(said)


def _template(file: GGUFFile) -> str | None:
    found = file.values.get(TEMPLATE)
    if found is not None and not isinstance(found, str):
        raise HornbookError(f"{file.path}: {TEMPLATE} is no text.")
    return found


def unpack_tokenizer(file: GGUFFile, folder: Path) -> None:
    """Write the file's tokenizer as tokenizer.json and tokenizer_config.json into `folder`."""
    values, settings = read_tokenizer(file)
    write_json(folder / "tokenizer.json", values)
    config = {"tokenizer_class": "PreTrainedTokenizerFast", "clean_up_tokenization_spaces": False}
    write_json(folder / CONFIG, {**config, **settings.names, "chat_template": settings.template})


def tokenizer_folder(place: Path, folder: Path, claim: Claim) -> Path:
    """`place`, or where it is a GGUF file `folder` with its tokenizer, written by `claim`."""
    if not is_gguf(place):
        return place
    inputs = {"stage": "gguf-tokenizer-3", "file": hash_file(place)}
    run_stage(folder, claim, inputs, lambda aside: unpack_tokenizer(GGUFFile(place), aside))
    return folder


def _list(file: GGUFFile, key: str, kind: type) -> list[Any]:
    found = file.values.get(key)
    if not isinstance(found, list):
        raise HornbookError(f"{file.path} holds no whole tokenizer: {key} is missing.")
    if not all(isinstance(each, kind) for each in found):
        raise HornbookError(f"{file.path}: {key} holds other things than {kind.__name__}.")
    return found


def _ids(file: GGUFFile, key: str) -> list[int]:
    """The id under a key, if there is one that a token has."""
    found = file.values.get(f"tokenizer.ggml.{key}")
    if not isinstance(found, int) or not 0 <= found < len(file.values[TOKENS]):
        return []
    return [found]


def _added(i: int, token: str, special: bool, strips: bool) -> dict[str, Any]:
    plain = {"single_word": False, "lstrip": False, "rstrip": strips, "normalized": False}
    return {"id": i, "content": token, **plain, "special": special}


def write_tokenizer(
    values: Mapping[str, Any], settings: Settings, vocabulary: int, where: str
) -> dict[str, Any]:
    """GGUF's keys for a tokenizer.json and its settings, for a model of `vocabulary` tokens.

    Rows of the embedding without a token get unused ones. Where texts are normalised (NFC),
    llama.cpp leaves them as they are. Raises HornbookError when llama.cpp cannot cut text so.
    """
    model, pieces = values["model"], is_pieces(values)
    said = _say_pieces(values, where) if pieces else _say_merges(values, where)
    tokens = [f"[PAD{i}]" for i in range(vocabulary)]
    types = [_UNUSED] * vocabulary
    for token, i in model["vocab"].items():
        tokens[i], types[i] = token, _BYTE if pieces and is_byte(token) else _NORMAL
    special = set(settings.names.values())
    for token in values["added_tokens"]:
        i, content = token["id"], token["content"]
        control = token["special"] or content in special
        tokens[i], types[i] = content, _CONTROL if control else _USER_DEFINED
        if pieces and content == model.get("unk_token"):
            types[i] = _UNKNOWN
    if pieces:
        said[SCORES] = [float(said[SCORES].get(token, 0.0)) for token in tokens]
    prefix = prefix_of(values, settings, {token: i for i, token in enumerate(tokens)})
    if len(prefix) > 1:
        raise HornbookError(f"{where}: GGUF cannot say that {len(prefix)} tokens begin a text.")
    return {
        **said,
        TOKENS: tokens,
        TYPES: types,
        **_special(tokens, settings, prefix),
        ADD_BOS: bool(prefix),
        # Programs that find an empty template write empty prompts.
        **({TEMPLATE: _plain(settings.template)} if settings.template else {}),
    }


def _say_merges(values: Mapping[str, Any], where: str) -> dict[str, Any]:
    model, normalizer = values["model"], values.get("normalizer")
    if normalizer and normalizer["type"] != "NFC":
        raise HornbookError(f"{where}: GGUF cannot say the normaliser {normalizer['type']}.")
    return {
        MODEL: "gpt2",
        PRE: name_of(values["pre_tokenizer"], bool(model.get("ignore_merges")), where),
        MERGES: [m if isinstance(m, str) else " ".join(m) for m in model["merges"]],
        SPACE_PREFIX: False,
    }


def _say_pieces(values: Mapping[str, Any], where: str) -> dict[str, Any]:
    return {
        MODEL: "llama",
        PRE: "default",
        SCORES: scores_of(values, where),
        SPACE_PREFIX: begins_with_space(values, where),
    }


def _special(tokens: list[str], settings: Settings, prefix: list[int]) -> dict[str, int]:
    """Ids by role. Without a beginning of text the end of text is it, as in GPT-2: otherwise
    llama.cpp takes token 11.
    """
    ids = {token: i for i, token in enumerate(tokens)}
    found = {role: ids[name] for role, name in settings.names.items() if name in ids}
    if prefix:  # the one that llama.cpp puts before a text
        found["bos_token"] = prefix[0]
    if settings.eos is not None:
        found.setdefault("eos_token", settings.eos)
    if "eos_token" in found:
        found.setdefault("bos_token", found["eos_token"])
    others = sorted(settings.stops - {found.get("eos_token")})
    named = {_ROLES[role]: i for role, i in found.items() if role in _ROLES}
    named |= dict(zip(("eot_token_id", "eom_token_id"), others, strict=False))
    return {f"tokenizer.ggml.{key}": i for key, i in named.items()}


def _plain(template: str) -> str:
    """The template without marks of what is learned, which llama.cpp does not know."""
    return _GENERATION.sub(lambda m: f"{m[1]}{'endif' if m[2] else 'if true'}{m[3]}", template)
