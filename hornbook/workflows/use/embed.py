"""Texts to a file of vectors, a part at a time: whole when it is there, and not there before.

Knows sentence encoders, files of texts and two formats of vectors; knows nothing of the command
line or of what the vectors are for.
"""

import json
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np

from hornbook.core.claims import Claim
from hornbook.core.errors import HornbookError, unknown
from hornbook.core.outputs import check_file, output_file
from hornbook.models.sentences import Embedded
from hornbook.read.documents import Rejection
from hornbook.workflows.open.encoder import Encoder

EMBED = Claim("embed")
"""Who writes vectors, of whatever model."""

_Sink = Callable[[Embedded], None]


class Vectors(NamedTuple):
    """What was written. cut: texts longer than the model reads. empty: texts without a word."""

    texts: int
    width: int
    tokens: int
    cut: int
    empty: int
    seconds: float


def embed_to(
    out: Path,
    encoder: Encoder,
    texts: Iterable[str | Rejection],
    longest: int | None = None,
    advance: Callable[[int], None] = lambda texts: None,
    claim: Claim = EMBED,
    prompt: str | None = None,
) -> Vectors:
    """Write a vector of length one for each text, in their order, and count.

    out: .npy is one (N, D) float32 array; .jsonl has {"row", "vector"} lines, and "cut" and "empty"
    where they are true. longest: tokens that are read of a text, at most the model's context.
    prompt: the texts' role, for what stands before each. Raises UsageError for another suffix or a
    `longest` that cannot be, and HornbookError for a record that cannot be read: its row would be
    missing, and all after it would be others'.
    """
    check_out(out, claim)
    parts = encoder.stream(_readable(texts), longest, prompt)
    started, width = time.perf_counter(), encoder.width
    count = tokens = cut = empty = 0
    with output_file(out, claim) as aside, aside.open("wb") as stream:
        write, finish = _FORMATS[out.suffix](stream, width)
        for part in parts:
            write(part)
            count += len(part.vectors)
            tokens += int(part.tokens.sum())
            cut += int(part.cut.sum())
            empty += int(part.empty.sum())
            advance(len(part.vectors))
        finish()
    return Vectors(count, width, tokens, cut, empty, time.perf_counter() - started)


def check_out(out: Path, claim: Claim) -> None:
    """Raises UsageError for a suffix that is none of ours, or a file that is not the claim's."""
    if out.suffix not in _FORMATS:
        raise unknown("format of vectors", out.suffix or out.name, _FORMATS)
    check_file(out, claim)


def _readable(texts: Iterable[str | Rejection]) -> Iterator[str]:
    for text in texts:
        if isinstance(text, Rejection):
            place = text.file if text.line is None else f"{text.file}:{text.line}"
            detail = f": {text.detail}" if text.detail else ""
            raise HornbookError(f"{place} cannot be read ({text.reason}{detail}).")
        yield text


def _npy(stream: BinaryIO, width: int) -> tuple[_Sink, Callable[[], None]]:
    """NumPy's format 1.0, whose header leaves room for as many rows as there will be."""

    def header(rows: int) -> None:
        values = {"descr": "<f4", "fortran_order": False, "shape": (rows, width)}
        np.lib.format.write_array_header_1_0(stream, values)

    header(0)
    start, rows = stream.tell(), 0

    def write(part: Embedded) -> None:
        nonlocal rows
        rows += len(part.vectors)
        stream.write(part.vectors.astype("<f4", copy=False).tobytes())

    def finish() -> None:
        stream.seek(0)
        header(rows)
        assert stream.tell() == start, "the header's length depends on the number of rows"

    return write, finish


def _jsonl(stream: BinaryIO, width: int) -> tuple[_Sink, Callable[[], None]]:
    rows = 0

    def write(part: Embedded) -> None:
        nonlocal rows
        for vector, cut, empty in zip(part.vectors, part.cut, part.empty, strict=True):
            flags = {name: True for name, on in (("cut", cut), ("empty", empty)) if on}
            # Nine digits are enough to tell all float32 numbers apart.
            numbers = [float(f"{x:.9g}") for x in vector.tolist()]
            line = {"row": rows, **flags, "vector": numbers}
            stream.write(json.dumps(line).encode() + b"\n")
            rows += 1

    return write, lambda: None


_FORMATS = {".npy": _npy, ".jsonl": _jsonl}
