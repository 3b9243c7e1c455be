"""Mutants of every reader's formats: documents and rejections come out, whatever the bytes are."""

import functools
import io
import random
import zipfile
from pathlib import Path

import pytest

from tests.fuzz import mutate
from tests.fuzz.hunt import Format, hunt
from tests.read.samples import GOOD, pack

MUTANTS = 5000
_ALIKE = (
    *(".htm", ".ndjson", ".docm", ".dotx", ".dotm", ".pptm", ".ppsx", ".ppsm", ".potx", ".ott"),
    *(".otp", ".xlsm"),
)
"""Other suffixes of a reader that is tried already."""
TEXT = {"text_pieces": mutate.text_pieces, "pieces_again": mutate.text_pieces, **mutate.BYTES}
GROWN = (1, 3, 50, 2000)
"""How often what a mutant repeats comes: nesting and long headers begin so."""

NAMES = (
    *(
        "../../outside",
        "/outside",
        "..\\..\\outside",
        "a/../../../outside",
        "C:\\outside",
        "x" * 300,
    ),
    *(
        "",
        ".",
        "..",
        "\u202e",
        "a\n",
        "con",
        "word/document.xml/",
        "content.xml",
        "[Content_Types].xml",
    ),
)
"""Of files in archives."""


def grown(data: bytes, rng: random.Random) -> bytes:
    """A piece comes many times."""
    start = rng.randrange(len(data))
    piece = data[start : start + rng.choice((1, 8, 64))]
    return data[:start] + piece * rng.choice(GROWN) + data[start:]


def member(data: bytes, rng: random.Random) -> bytes:
    """A file inside a zip archive is changed, and the archive is whole."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        names = archive.namelist()
        chosen = rng.choice([n for n in names if n.endswith(("xml", "rels", "opf", "xhtml"))])
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as changed:
            for name in names:
                inner = archive.read(name)
                if name == chosen:
                    inner = rng.choice((mutate.text_pieces, grown, mutate.flipped))(inner, rng)
                changed.writestr(name, inner)
    return out.getvalue()


def renamed(data: bytes, rng: random.Random) -> bytes:
    """A file inside a zip archive has a name that leads elsewhere, or comes twice."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        names = archive.namelist()
        chosen, name = rng.choice(names), rng.choice(NAMES)
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as changed:
            for old in names:
                changed.writestr(name if old == chosen else old, archive.read(old))
            if name not in names and rng.random() < 0.5:
                changed.writestr(chosen, archive.read(chosen))
    return out.getvalue()


def _written(suffix: str, packing: str, folder: Path) -> list[Path]:
    path = folder / f"file{suffix}{packing}"
    path.write_bytes(pack(GOOD[suffix], packing))
    return [path]


def read(path: Path) -> None:
    """As a corpus is built: none is lost on the way from the process that reads."""
    from hornbook.read.sources import read_file

    items = list(read_file(path))
    assert items, "a file is a document or a rejection"
    odd = [
        i for i in items if getattr(i, "reason", "") in ("the reader crashed", "the reader failed")
    ]
    assert not odd, odd


def read_in_process(path: Path) -> None:
    """Without the process that guards, which turns what is raised into a rejection."""
    from hornbook.read.sources import read_here

    list(read_here(path))


def _format(suffix: str, packing: str = "") -> Format:
    mutators = TEXT if GOOD[suffix].isascii() and not packing else mutate.BYTES
    mutators = {**mutators, "grown": grown}
    if GOOD[suffix].startswith(b"PK"):
        inside = {"member": member, "member_again": member, "other": member, "renamed": renamed}
        mutators = {**mutate.BYTES, **inside}
    written = functools.partial(_written, suffix, packing)
    return Format(written, mutators, read, MUTANTS, read_in_process)


FORMATS = {
    **{f"read{suffix}": _format(suffix) for suffix in GOOD if suffix not in _ALIKE},
    **{
        f"read{suffix}{packing}": _format(suffix, packing)
        for suffix in (".jsonl", ".warc")
        for packing in (".gz", ".zst")
    },
}


@pytest.mark.fuzz
@pytest.mark.parametrize("name", FORMATS)
def test_mutants_are_documents_and_rejections(name, tmp_path):
    found = hunt(__name__, name, tmp_path)
    assert not found, "\n".join(found)
