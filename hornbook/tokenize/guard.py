"""Tokenizers of strangers: what the library `tokenizers` cannot refuse itself.

It panics where a part is broken, which no `except Exception` sees, and a few parts make it ask for
so much memory that the process ends.
"""

import base64
import binascii
import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from hornbook.core.errors import HornbookError, is_panic
from hornbook.core.lines import first_line

_MOST_TOKENS = 2**22
"""Ids; the largest vocabularies have a quarter of a million."""
_GROWTH = 1000
"""How many times longer normalisers may make a text. Those in use: some ten times."""


@contextlib.contextmanager
def panics_are_errors(where: Path | str) -> Iterator[None]:
    """Raise HornbookError naming `where` for a panic of the library inside."""
    try:
        yield
    except BaseException as error:
        if not is_panic(error):
            raise
        first = first_line(str(error))[:300]
        raise HornbookError(f"{where}: the tokenizer cannot be used: {first}.") from None


@contextlib.contextmanager
def opening(path: Path) -> Iterator[None]:
    """Raise HornbookError naming the file for whatever `tokenizers` has against it inside."""
    try:
        with panics_are_errors(path):
            yield
    except HornbookError:
        raise
    except Exception as error:  # it raises nothing more specific
        raise HornbookError(f"{path} is not a tokenizer file: {error}.") from None


def check_parts(values: Mapping[str, Any]) -> None:
    """Raises ValueError for what would end the process, or take memory without an end."""
    _check_growth(values.get("normalizer"))
    model = values["model"]
    vocabulary = model["vocab"]
    ids = vocabulary.values() if isinstance(vocabulary, dict) else range(len(vocabulary))
    added = values["added_tokens"]
    # Special ones are taken out before the library could look at them.
    if not all(type(token["content"]) is str and token["content"] for token in added):
        raise ValueError("one of its added tokens has no text")
    every = [*ids, *(token["id"] for token in added)]
    if not every or not all(type(i) is int and 0 <= i < _MOST_TOKENS for i in every):
        raise ValueError(f"its ids are not numbers from 0 to {_MOST_TOKENS - 1:,}")


def _check_growth(normalizer: Any) -> None:
    growth = 1
    for part in _parts(normalizer):
        if part.get("type") == "Precompiled":
            _check_charsmap(part.get("precompiled_charsmap"))
        if part.get("type") in ("Replace", "Prepend"):
            growth *= max(1, len(str(part.get("content", part.get("prepend", "")))))
        if growth > _GROWTH:
            raise ValueError(f"its normaliser makes texts more than {_GROWTH:,} times longer")


def _parts(normalizer: Any) -> Iterator[Mapping[str, Any]]:
    """All of them, those within a sequence too."""
    if isinstance(normalizer, Mapping):
        yield normalizer
        inner = normalizer.get("normalizers")
        for part in inner if isinstance(inner, list) else []:
            yield from _parts(part)


def _check_charsmap(stored: Any) -> None:
    """Its first number says how much memory is taken for what follows."""
    try:
        data = base64.b64decode(stored or "", validate=True)
    except (binascii.Error, TypeError, ValueError):
        raise ValueError("its table of characters is not base64") from None
    size = int.from_bytes(data[:4], "little")
    if len(data) < 4 or not 0 < size <= len(data) - 4 or size % 4:
        raise ValueError("its table of characters is cut short")
