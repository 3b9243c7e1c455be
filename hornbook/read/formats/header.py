"""The names of a table's columns: whether the first row holds them, and the usual ones."""

import re
from collections.abc import Collection, Sequence
from typing import NamedTuple

TEXT_FIELDS = (
    *("text", "content", "body", "raw_content", "answer", "output", "document", "summary"),
    *("context", "passage", "paragraph", "abstract"),
)
"""Of a document's text, tried in this order; the first that holds a string is the text."""

TEXT_NAMES = (
    *("text", "sentence", "review", "content", "message", "body", "comment", "tweet", "sms"),
    *("document", "article", "utterance", "query", "question", "title+description"),
    *("title+abstract", "description", "abstract", "headline", "title"),
    *("文本", "内容", "正文", "句子", "评论", "消息"),
)
"""Of a text that is labelled, tried in this order; `a+b` means both, joined by a line break."""

LABEL_NAMES = (
    *("label", "category", "class", "target", "sentiment", "label_text", "label_name", "labels"),
    *("y", "topic", "intent", "emotion", "lang", "language", "标签", "类别", "分类", "情感"),
)

PAIR_NAMES = (("source", "target"), ("src", "tgt"), ("input", "output"))
"""Of a text and its translation."""

_LANGUAGE = re.compile(
    """(?:a[fmrz]|b[egns]|c[asy]|d[ae]|e[lnostu]|f[air]|g[alu]|h[eiruy]|i[dst]|ja|k[akmnoy]|l[otv]
    |m[klnrsty]|n[belno]|p[alst]|r[ou]|s[ikloqrvw]|t[aeghlr]|u[krz]|vi|xh|yo|z[hu]|arabic|chinese
    |czech|danish|dutch|english|finnish|french|german|greek|hindi|hungarian|italian|japanese|korean
    |polish|portuguese|russian|spanish|swedish|turkish|ukrainian|[中英]文|[英汉法德日韩俄]语)(?:[-_].+)?""",
    re.VERBOSE,
)
"""What columns of translations are called: codes of ISO 639-1 and names, in small letters."""

_ROW_NAMES = ("instruction", "prompt", "completion", "response", "chosen", "rejected", "summary")
USUAL = frozenset(
    [*TEXT_FIELDS, *TEXT_NAMES, *LABEL_NAMES, *_ROW_NAMES, *(n for p in PAIR_NAMES for n in p)]
)
"""One of these in its first row tells that a table has a header, whoever reads it."""

_NAME = re.compile(r"[^\W\d][\w \-/()]{0,39}")
"""What a column's name looks like: a letter, then no sign that ends a sentence."""
_NUMBER = re.compile(r"[-+]?\d+(?:[.,]\d+)?")
_FEWEST = 3
"""Rows below a first one that tell a column of numbers."""


class Naming(NamedTuple):
    """How a table's columns get their names.

    asked: names that the user has given, in any case: one in the first row makes it a header.
    columns: names for a table that has no header. usual: names of which one is enough, too, in
    small letters. guess: a first row that looks like names is a header. header: there is one.
    """

    asked: Collection[str] = ()
    columns: Sequence[str] | None = None
    usual: Collection[str] = USUAL
    guess: bool = True
    header: bool = False

    def known(self) -> frozenset[str]:
        """All names that tell a header, in small letters."""
        return frozenset([*self.usual, *(name.lower() for name in self.asked)])

    def is_header(self, rows: Sequence[Sequence[str]]) -> bool:
        """Whether the first row names the columns.

        A name that was asked for is enough, or a usual one that does not come again below it, or
        languages alone. Else
        all its cells must look like names, and none may occur again below, as the first label of a
        table without a header does; or it must stand above a column of numbers.
        """
        if self.columns is not None or not rows:
            return False
        if self.header:
            return True
        names = [cell.strip() for cell in rows[0]]
        lowered = [name.lower() for name in names]
        if any(name.lower() in lowered for name in self.asked):
            return True
        below = [[cell.strip().lower() for cell in row] for row in rows[1:]]
        below = [row for row in below if len(row) == len(names)]
        columns: list[set[str]] = [{row[i] for row in below} for i in range(len(names))]
        pairs = list(zip(lowered, columns, strict=True))
        if any(name in self.usual and name not in column for name, column in pairs):
            return True
        if len(names) > 1 and all(map(_LANGUAGE.fullmatch, lowered)):
            return True
        given = [name for name in lowered if name]
        alike = set(given) & set().union(*columns)
        if not self.guess or not given or alike or len(set(given)) < len(given):
            return False
        if len(below) >= _FEWEST and any(_over_numbers(*pair) for pair in pairs):
            return True
        return all(_NAME.fullmatch(name) for name in names if name)


BY_LOOKS = Naming()


def _over_numbers(name: str, column: set[str]) -> bool:
    numbers = column - {""}
    found = bool(numbers) and all(_NUMBER.fullmatch(cell) for cell in numbers)
    return found and bool(name) and not _NUMBER.fullmatch(name)


def column_names(cells: Sequence[str], named: bool) -> list[str]:
    """The names in a header; where there is none, or a cell is empty, the column's place."""
    return [cell.strip() if named and cell.strip() else numbered(i) for i, cell in enumerate(cells)]


def numbered(place: int) -> str:
    """What a column without a name is called."""
    return f"column {place + 1}"


def twice(names: Sequence[str]) -> str | None:
    """What is wrong with names of which two are the same, or None."""
    seen: dict[str, int] = {}
    for place, name in enumerate(names, 1):
        if (first := seen.setdefault(name, place)) != place:
            return f"{name!r} is the name of columns {first} and {place}"
    return None
