"""Tokenizers of pieces of text, with a sign for spaces and tokens for bytes that no piece has.

SentencePiece's byte-pair encoding (Kudo & Richardson 2018), which Llama 2, Mistral, Phi-3 and Gemma
have: in tokenizer.json a BPE with a fallback to bytes, in GGUF pieces and scores. Knows JSON alone.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hornbook.core.errors import HornbookError

SPACE = "\u2581"
"""What stands for a space in a piece."""
_BYTE = re.compile(r"<0x([0-9A-F]{2})>")


def is_pieces(values: Mapping[str, Any]) -> bool:
    """Whether a tokenizer.json is such a tokenizer."""
    model = values["model"]
    return bool(model["type"] == "BPE" and model.get("byte_fallback"))


def piece_bytes(token: str) -> bytes:
    """The bytes of text that a piece stands for."""
    byte = _BYTE.fullmatch(token)
    return bytes([int(byte[1], 16)]) if byte else token.replace(SPACE, " ").encode()


def is_byte(token: str) -> bool:
    """Whether a token is that of a byte."""
    return _BYTE.fullmatch(token) is not None


def parts(
    scores: Mapping[str, float], ids: Mapping[str, int], unknown: str | None, prefixed: bool
) -> dict[str, Any]:
    """Normaliser, model and decoder of a tokenizer.json.

    scores: of the pieces that others become. ids: of all tokens of the model. prefixed: whether a
    space is put before each text.
    """
    replace = {"type": "Replace", "pattern": {"String": " "}, "content": SPACE}
    prepend = {"type": "Prepend", "prepend": SPACE}
    back = {"type": "Replace", "pattern": {"String": SPACE}, "content": " "}
    strip = {"type": "Strip", "content": " ", "start": 1, "stop": 0}
    decoders = [back, {"type": "ByteFallback"}, {"type": "Fuse"}, *([strip] if prefixed else [])]
    return {
        "normalizer": {
            "type": "Sequence",
            "normalizers": [*([prepend] if prefixed else []), replace],
        },
        "pre_tokenizer": None,
        "decoder": {"type": "Sequence", "decoders": decoders},
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": unknown,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": True,
            "byte_fallback": True,
            "ignore_merges": False,
            "vocab": dict(ids),
            "merges": [list(pair) for pair in merges_of(scores)],
        },
    }


def merges_of(scores: Mapping[str, float]) -> list[tuple[str, str]]:
    """Every pair of pieces that is a piece, those of the highest score first, as SentencePiece."""
    found = sorted(_pairs(scores), key=lambda pair: (pair[2], len(pair[0])), reverse=True)
    return [(left, right) for left, right, _ in found]


def _pairs(scores: Mapping[str, float]) -> Iterator[tuple[str, str, float]]:
    for piece, score in scores.items():
        for i in range(1, len(piece)):
            left, right = piece[:i], piece[i:]
            if left in scores and right in scores:
                yield left, right, score


def scores_of(values: Mapping[str, Any], where: str) -> dict[str, float]:
    """Scores of pieces by which llama.cpp joins them as the merges of a tokenizer.json do.

    It joins whatever is a piece together. Raises HornbookError where the merges do otherwise.
    """
    pairs = (m.split(" ", 1) if isinstance(m, str) else m for m in values["model"]["merges"])
    merges = [(left, right) for left, right in pairs]
    others = {token["content"] for token in values["added_tokens"]}
    scores = {
        piece: 0.0
        for piece in values["model"]["vocab"]
        if piece not in others and not is_byte(piece)
    }
    for rank, (left, right) in reversed(list(enumerate(merges))):
        scores[left + right] = -1.0 - rank
    joined = set(merges)
    if any((left, right) not in joined for left, right, _ in _pairs(scores)):
        raise HornbookError(
            f"{where}: GGUF cannot say the merges of this tokenizer; it joins whatever is a piece."
        )
    return scores


def begins_with_space(values: Mapping[str, Any], where: str) -> bool:
    """Whether a space is put before a text. Raises HornbookError for normalisers that GGUF cannot
    say."""
    prefixed = False
    for part in _within(values.get("normalizer"), "normalizers"):
        if part["type"] == "Prepend":
            prefixed = True
        elif part["type"] != "Replace" or part.get("content") != SPACE:
            raise HornbookError(f"{where}: GGUF cannot say the normaliser {part['type']}.")
    for part in _within(values.get("pre_tokenizer"), "pretokenizers"):
        if part["type"] == "Metaspace":
            usual = "always" if part.get("add_prefix_space", True) else "never"
            prefixed = part.get("prepend_scheme", usual) != "never"
        elif part["type"] != "Split" or part.get("pattern") != {"String": " "}:
            raise HornbookError(f"{where}: GGUF cannot say the pre-tokenizer {part['type']}.")
    return prefixed


def without_first_space(values: Mapping[str, Any]) -> dict[str, Any] | None:
    """The same for a text that goes on behind a special token, where that is another one."""
    pre = values.get("pre_tokenizer")
    if not isinstance(pre, Mapping) or pre.get("prepend_scheme") != "first":
        return None
    return {**values, "pre_tokenizer": {**pre, "prepend_scheme": "never"}}


def _within(part: Mapping[str, Any] | None, key: str) -> Sequence[Mapping[str, Any]]:
    """A part, or those of a sequence."""
    if part is None:
        return []
    found: Sequence[Mapping[str, Any]] = part[key] if part["type"] == "Sequence" else [part]
    return found
