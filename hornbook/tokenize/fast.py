"""Bulk encoding through the fastest library that gives the same ids, which each process checks once
for each tokenizer.

`gigatoken` was the fastest exact one measured (docs/log.md); `tokie` splits some control characters
otherwise.
"""

import hashlib
import random
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from hornbook.core.lines import first_line
from hornbook.tokenize.guard import panics_are_errors

Encode = Callable[[Sequence[str]], list[np.ndarray]]

_REFRESH_CHARACTERS = 32 * 2**20
"""gigatoken remembers every word it meets, up to 20 bytes a character; a new instance forgets."""


class BulkEncoder(NamedTuple):
    """encode: texts to uint32 arrays of ids. description: which library, and why."""

    encode: Encode
    description: str


EXACT: set[bytes] = set()
"""Digests of the tokenizers that gigatoken was found to give the same ids for."""


def bulk_encoder(json: str, reference: Any, words: Callable[[], Sequence[str]]) -> BulkEncoder:
    """Choose the encoder for a tokenizer.json without special tokens.

    reference: the same tokenizer opened by `tokenizers`, whose ids are the right ones. words: gives
    the texts of its tokens, for the probe.
    """
    slow = _slow(reference)
    digest = hashlib.blake2b(json.encode("utf-8", "surrogatepass")).digest()
    try:
        with panics_are_errors("gigatoken"):
            fast = _Gigatoken(json, slow).encode
            if digest not in EXACT and _same(fast, slow, probe_texts(words())):
                EXACT.add(digest)
    except Exception as error:
        why = first_line(str(error)) or type(error).__name__
        return BulkEncoder(slow, f"Encodes with tokenizers; gigatoken cannot be used: {why}.")
    if digest not in EXACT:
        return BulkEncoder(slow, "Encodes with tokenizers; gigatoken gives other ids here.")
    return BulkEncoder(fast, "Encodes with gigatoken; its ids equal those of tokenizers.")


def _same(fast: Encode, slow: Encode, texts: Sequence[str]) -> bool:
    found, right = fast(texts), slow(texts)
    lengths = list(map(len, found)) == list(map(len, right))
    return lengths and np.array_equal(np.concatenate(found), np.concatenate(right))


def probe_texts(words: Sequence[str]) -> list[str]:
    """Texts of many scripts, spaces, digits, signs and controls, and of the vocabulary itself."""
    drawn = random.Random(0).sample(list(words), min(2000, len(words)))
    return ["", "".join(drawn), " ".join(drawn), *_scripts()]


@cache
def _scripts() -> tuple[str, ...]:
    """The same for every vocabulary."""
    alphabets = [
        "abcXYZ", "äßéœñÅ", "абвЖ", "αβγΩ", "אבג", "ابت٣", "कखग१", "ไทย", "中文汉字漢", "ひらカタ",
        "한국어", "0123456789",
        "½²Ⅷ", "😀👩‍👩‍👧🏳️‍🌈", ".,;:!?-–—…«»“”'’", "<|>{}[]()#@$%^&*_=+~`\\/",
        " ", "  ", "\t", "\n", "\r\n", "\v\f\x00\x1b\x85", "\u00a0\u2003\u3000\u2028\ufeff",
        "\u0301\u200d\ufe0f", "'s'LL'Re", "<|endoftext|><|im_end|>",
    ]  # fmt: skip
    draw = random.Random(0)
    mixed = [
        "".join(
            draw.choice(alphabet)
            for alphabet in draw.choices(alphabets, k=draw.randint(1, 12))
            for _ in range(draw.randint(1, 4))
        )
        for _ in range(2000)
    ]
    return (*alphabets, *mixed, "a" * 5000, " " * 3000, "\n" * 3000, "7" * 1000)


class _Gigatoken:
    """gigatoken for texts of characters that every Unicode table agrees on, `slow` for others."""

    def __init__(self, json: str, slow: Encode) -> None:
        self._json, self._slow = json, slow
        self._instance = self._open()
        self._seen = 0

    def encode(self, texts: Sequence[str]) -> list[np.ndarray]:
        if not _disputed("".join(texts)):
            return list(self._encode(list(texts)))
        found = [self._slow([t])[0] if _disputed(t) else None for t in texts]
        rest = iter(self._encode([t for t, ids in zip(texts, found, strict=True) if ids is None]))
        return [next(rest) if ids is None else ids for ids in found]

    def _encode(self, texts: list[str]) -> Iterator[np.ndarray]:
        if self._seen > _REFRESH_CHARACTERS:
            self._instance, self._seen = self._open(), 0
        self._seen += sum(map(len, texts))
        layout = self._instance.encode_batch(texts).layout if texts else None
        if layout is None:
            return iter(())
        offsets, ids = np.asarray(layout.offsets.data), np.asarray(layout.content.data)
        return iter(np.split(ids, offsets[1:-1]))

    def _open(self) -> Any:
        import gigatoken

        return gigatoken.Tokenizer.from_json(self._json)


def _slow(reference: Any) -> Encode:
    def encode(texts: Sequence[str]) -> list[np.ndarray]:
        encodings = reference.encode_batch_fast(list(texts), add_special_tokens=False)
        return [np.array(encoding.ids, np.uint32) for encoding in encodings]

    return encode


def _disputed(text: str) -> bool:
    """Whether the text has characters that Unicode has not assigned, as far as Python knows.

    Whether those are letters is what libraries with other Unicode tables disagree about.
    """
    if text.isascii():
        return False
    codes, known = np.frombuffer(text.encode("utf-32-le"), np.uint32), _assigned()
    found = known[codes]
    if not found.all():
        for code in np.unique(codes[found == 0]):
            known[code] = 1 if unicodedata.category(chr(code)) != "Cn" else 2
        found = known[codes]
    return bool((found == 2).any())


@cache
def _assigned() -> np.ndarray:
    """(0x110000,) uint8: whether characters that were met are assigned, 1, or not, 2; else 0."""
    return np.zeros(0x110000, np.uint8)
