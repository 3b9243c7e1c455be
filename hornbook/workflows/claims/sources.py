"""The data of the claims: real sets by their file names in --data, else what every machine has.

Without a folder, or where it lacks a set: Python's own documentation as text, its language
reference being the domain and the docstrings of its library the general text, and these docstrings
labelled by the package they come from.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from hornbook.core.errors import UsageError
from hornbook.core.files import hash_file, hash_json, write_text
from hornbook.datasets.labelled import LabelledText, read_labelled, without_copies
from hornbook.read import pydocs
from hornbook.workflows.claims.said import Twice

VERSION = "claims-1"
"""Changed when the same data would give other trials."""


class TextSet(NamedTuple):
    """files: in --data. topics: whether Python's language reference stands in for them, or the
    docstrings of its library."""

    files: tuple[str, ...]
    topics: bool


TEXTS = {
    "domain": TextSet(("text_legal_dc/dc_code.jsonl.gz",), True),
    "general": TextSet(
        (
            "text_web_c4/c4_demo.jsonl.gz",
            "text_wiki_en/wiki_demo.txt.gz",
            "text_books_en/Haggard_Mines_1885.txt.gz",
            "text_books_en/Forster_Howards_1910.txt.gz",
        ),
        False,
    ),
}
LABELLED = {
    "spam": "spam_sms/SMSSpamCollection.tsv",
    "sentiment": "sentiment_rt/rt_polarity.jsonl.gz",
}
_PACKAGES, _LEAST, _MOST = 6, 40, 1000
"""Of the labels of docstrings; and the characters of one that is a row."""
_FILES = {True: "topics.jsonl", False: "docstrings.jsonl"}
_TOPICS = ("the language reference in Python's documentation", "Python 文档中的语言参考")
_DOCSTRINGS = ("the docstrings of Python's library", "Python 标准库的文档字符串")
_BY_PACKAGE = (
    "the docstrings of Python's library, labelled by their package",
    "Python 标准库的文档字符串，以所属的包为标签",
)


def check_data(data: Path | None) -> None:
    """Raises UsageError for a folder that is not there or holds none of the sets."""
    if data is None:
        return
    if not data.is_dir():
        raise UsageError(f"--data {data}: there is no such folder.")
    if not any(_there(name, data) for name in (*LABELLED, *TEXTS)):
        raise UsageError(
            f"--data {data} holds none of the sets that claims are tried on, such as "
            f"{LABELLED['spam']}."
        )


def fingerprint(data: Path | None) -> str:
    """What decides all that claims learn from."""
    files = {file for name in (*LABELLED, *TEXTS) for file in _there(name, data)}
    hashes = {str(file.relative_to(data or "")): hash_file(file) for file in sorted(files)}
    return hash_json({"version": VERSION, "python": pydocs.fingerprint(), "files": hashes})


def called(name: str, data: Path | None) -> Twice:
    """What the set of a name is, for people."""
    files = _there(name, data)
    if files and data:
        where = ", ".join(file.relative_to(data).as_posix() for file in files)
        return where, where
    if name in LABELLED:
        return _BY_PACKAGE
    return _TOPICS if TEXTS[name].topics else _DOCSTRINGS


def text_of(name: str, data: Path | None, folder: Path) -> list[Path]:
    """The files of a text; those of Python's documentation are written into `folder`."""
    if found := _there(name, data):
        return found
    place = folder / (_FILES[TEXTS[name].topics])
    if not place.is_file():
        _write_pydocs(folder)
    return [place]


def labelled_of(name: str, data: Path | None) -> list[LabelledText]:
    """Rows without copies."""
    if not (found := _there(name, data)):
        return _docstrings()
    return without_copies(read_labelled(found[0]).rows)[0]


def _there(name: str, data: Path | None) -> list[Path]:
    """The files of a set that --data has."""
    files = [LABELLED[name]] if name in LABELLED else TEXTS[name].files
    return [data / file for file in files if (data / file).is_file()] if data else []


def write_lines(file: Path, texts: Iterable[str]) -> None:
    """A file of documents, as a corpus is built of."""
    file.parent.mkdir(parents=True, exist_ok=True)
    write_text(file, "".join(json.dumps({"text": text}) + "\n" for text in texts))


def _write_pydocs(folder: Path) -> None:
    for topics, file in _FILES.items():
        texts = (text for name, text in _pydocs() if _is_topic(name) == topics)
        write_lines(folder / file, texts)


@cache
def _pydocs() -> list[tuple[str, str]]:
    return [(document.id.partition(":")[2], document.text) for document in pydocs.read_pydocs()]


def _is_topic(name: str) -> bool:
    return name.startswith("topic ")


@cache
def _docstrings() -> list[LabelledText]:
    """Docstrings without the name that stands over them, of the packages with the most."""
    rows = list(_named_docstrings())
    counts = Counter(row.label for row in rows)
    chosen = {label for label, _ in counts.most_common(_PACKAGES)}
    found, _ = without_copies([row for row in rows if row.label in chosen])
    return found


def _named_docstrings() -> Iterator[LabelledText]:
    for name, text in _pydocs():
        _, _, body = text.partition("\n\n")
        if not _is_topic(name) and len(body) >= _LEAST:
            yield LabelledText(name, body[:_MOST], name.partition(":")[0].partition(".")[0])
