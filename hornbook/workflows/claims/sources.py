"""The data of the claims: real sets by their file names in --data, else what every machine has.

Without a folder, or where it lacks a set: Python's own documentation as text (`stand_ins`), its
docstrings labelled by the package they come from, scikit-learn's digits, and instructions and pairs
of sentences made by program.
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
from hornbook.workflows.claims.stand_ins import STAND_INS, documents, is_topic, package_of

VERSION = "claims-4"
"""Changed when the same data would give other trials."""


class TextSet(NamedTuple):
    """files: in --data. stand_in: of `STAND_INS`, where they are not there. recipe: of the corpus
    that is made of them. as_large_as: the text whose size it is cut to."""

    files: tuple[str, ...]
    stand_in: str
    recipe: str | None = None
    as_large_as: str | None = None


_GENERAL = (
    "text_web_c4/c4_demo.jsonl.gz",
    "text_wiki_en/wiki_demo.txt.gz",
    "text_books_en/Haggard_Mines_1885.txt.gz",
    "text_books_en/Forster_Howards_1910.txt.gz",
)
_PAGES = tuple(
    f"web_warc/{name}.warc.gz"
    for name in (
        "archive-org", "commoncrawl-mixed", "iana", "research-sites", "wikipedia-mona-lisa",
    )
)  # fmt: skip
TEXTS = {
    "domain": TextSet(("text_legal_dc/dc_code.jsonl.gz",), "topics"),
    "general": TextSet(_GENERAL, "docstrings"),
    "one": TextSet(("text_wiki_en/wiki_demo.txt.gz",), "windows"),
    "mixture": TextSet(
        (*_GENERAL, "text_arxiv/arxiv.jsonl.gz"), "all but network", as_large_as="one"
    ),
    "unseen": TextSet(("text_techdocs_peps/peps.jsonl.gz",), "network"),
    "raw": TextSet(_PAGES, "spoiled pages"),
    "curated": TextSet(_PAGES, "spoiled pages", recipe="web"),
    "clean": TextSet(_GENERAL[:2], "topics"),
}
LABELLED = {
    "spam": "spam_sms/SMSSpamCollection.tsv",
    "sentiment": "sentiment_rt/rt_polarity.jsonl.gz",
}
OTHERS = {
    "images": ("vision_fashion_mnist", ("scikit-learn's digits", "scikit-learn 的手写数字")),
    "instructions": (
        "instruct_small/instruction-data.json",
        ("instructions about words, made by program", "由程序生成的关于单词的指令"),
    ),
    "translations": (
        "mt_multi30k",
        ("rows of words and the same rows backwards", "词的序列与倒过来的序列"),
    ),
    "pairs": (
        "eval_blimp/blimp.jsonl.gz",
        ("pairs of sentences made by program", "由程序生成的句对"),
    ),
}
"""Sets of other kinds: a file or folder in --data, and what stands in for it."""
_PACKAGES, _LEAST, _MOST = 6, 40, 200
"""Of the labels of docstrings; and the characters of one that is a row."""
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
    if not any(_there(name, data) for name in (*LABELLED, *TEXTS, *OTHERS)):
        raise UsageError(
            f"--data {data} holds none of the sets that claims are tried on, such as "
            f"{LABELLED['spam']}."
        )


def fingerprint(data: Path | None) -> str:
    """What decides all that claims learn from."""
    there = {place for name in (*LABELLED, *TEXTS, *OTHERS) for place in _there(name, data)}
    files = sorted(f for place in there for f in (place.iterdir() if place.is_dir() else [place]))
    hashes = {str(file.relative_to(data or "")): hash_file(file) for file in files}
    return hash_json({"version": VERSION, "python": pydocs.fingerprint(), "files": hashes})


def called(name: str, data: Path | None) -> Twice:
    """What the set of a name is, for people."""
    files = _there(name, data)
    if files and data:
        where = ", ".join(file.relative_to(data).as_posix() for file in files)
        return where, where
    if name in LABELLED:
        return _BY_PACKAGE
    return OTHERS[name][1] if name in OTHERS else STAND_INS[TEXTS[name].stand_in].called


def text_of(name: str, data: Path | None, folder: Path) -> list[Path]:
    """The files of a text; what stands in for them is written into `folder`."""
    if found := _there(name, data):
        return found
    stand_in = TEXTS[name].stand_in
    place = folder / f"{stand_in.replace(' ', '-')}.jsonl"
    if not place.is_file():
        write_lines(place, STAND_INS[stand_in].texts())
    return [place]


def labelled_of(name: str, data: Path | None) -> list[LabelledText]:
    """Rows without copies."""
    if not (found := _there(name, data)):
        return _docstrings()
    return without_copies(read_labelled(found[0]).rows)[0]


def other_of(name: str, data: Path | None) -> Path | None:
    """The file or folder of one of `OTHERS`, None where it is not there."""
    return next(iter(_there(name, data)), None)


def _there(name: str, data: Path | None) -> list[Path]:
    """The files of a set that --data has."""
    if name in TEXTS:
        files = TEXTS[name].files
    else:
        files = (LABELLED[name] if name in LABELLED else OTHERS[name][0],)
    return [data / file for file in files if (data / file).exists()] if data else []


def write_lines(file: Path, texts: Iterable[str]) -> None:
    """A file of documents, as a corpus is built of."""
    file.parent.mkdir(parents=True, exist_ok=True)
    write_text(file, "".join(json.dumps({"text": text}) + "\n" for text in texts))


@cache
def _docstrings() -> list[LabelledText]:
    """Docstrings without the name that stands over them, of the packages with the most."""
    rows = list(_named_docstrings())
    counts = Counter(row.label for row in rows)
    chosen = {label for label, _ in counts.most_common(_PACKAGES)}
    found, _ = without_copies([row for row in rows if row.label in chosen])
    return found


def _named_docstrings() -> Iterator[LabelledText]:
    for name, text in documents():
        _, _, body = text.partition("\n\n")
        if not is_topic(name) and len(body) >= _LEAST:
            yield LabelledText(name, body[:_MOST], package_of(name))
