"""How a file of delimited text is written, told from its first lines.

Excel's `sep=` line decides where there is one. Else each delimiter is tried: the one wins under
which the first row holds usual names, then the one that gives most rows as many cells as the first.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterable
from itertools import islice
from typing import NamedTuple

from hornbook.read.formats.delimited import DelimitedRow, Dialect, Lines, TextLine, records

AHEAD_LINES, AHEAD_BYTES = 1000, 2**20
"""Looked at; and of the rows in them:"""
_ROWS = 200

_DELIMITERS = (",", ";", "\t", "|", "^")
_SEP = re.compile(r'\s*"?sep=(\\t|[^\w"])"?\s*', re.IGNORECASE)
_NUMBER = re.compile(r"\s*[-+]?\d+(?:[.,]\d+)?\s*(?:%\s*)?")
_MOST = 0.9
"""Of rows that are alike: lines of other widths before them are no part of the table."""
_TITLED = 10
"""Rows from which on that can be said."""


class _Trial(NamedTuple):
    """The rows of the first lines under a dialect."""

    dialect: Dialect
    rows: list[DelimitedRow]
    broken: int

    @property
    def width(self) -> int:
        """Of the first row."""
        return len(self.rows[0].cells)

    @property
    def alike(self) -> float:
        """The share of rows with as many cells as the first; of one that is broken no cell is."""
        return self._share(self.width)

    @property
    def usual(self) -> tuple[int, float]:
        """The commonest number of cells and its share."""
        width = Counter(len(row.cells) for row in self.rows).most_common(1)[0][0]
        return width, self._share(width)

    def _share(self, width: int) -> float:
        alike = sum(len(row.cells) == width for row in self.rows)
        return alike / (len(self.rows) + self.broken)

    @property
    def untidy(self) -> int:
        return self.broken + sum(row.untidy for row in self.rows)


def take_sep_line(lines: Lines) -> str | None:
    """The delimiter that Excel's first line names, the line taken; None where there is none."""
    first = next(iter(lines.ahead(1, 1)), None)
    found = _SEP.fullmatch(first.text) if first else None
    if found is None:
        return None
    lines.take()
    return "\t" if found[1] == "\\t" else found[1]


def dialect_of(lines: Lines, only: str | None, is_tsv: bool, names: Collection[str]) -> Dialect:
    """How the next lines are written; they stay the next.

    only: the delimiter, where it is known. is_tsv: quotes are characters like others (IANA's
    text/tab-separated-values) unless they prove to be needed. names: in small letters, that tell a
    header.
    """
    ahead = lines.ahead(AHEAD_LINES, AHEAD_BYTES)
    if is_tsv and only is None:
        return _tab_separated(ahead)
    trials = [_try(Dialect(mark), ahead) for mark in ([only] if only else _DELIMITERS)]
    found = _best([trial for trial in trials if trial.rows], names) if not only else trials[0]
    if found is None:
        return _with_escapes(_try(Dialect(None), ahead), ahead)
    return _with_escapes(found, ahead)


def table_width(rows: Iterable[DelimitedRow]) -> int:
    """Cells of the rows of a table, of which titles and comments may stand before the first."""
    some = list(rows)
    trial = _Trial(Dialect(None), some, 0)
    width, share = trial.usual
    is_comment = some[0].cells[0].lstrip().startswith("#") and width > 1
    titled = share >= _MOST and len(some) >= _TITLED and width > trial.width
    return width if titled or is_comment else trial.width


def _try(dialect: Dialect, ahead: list[TextLine]) -> _Trial:
    found = list(islice(records(Lines(ahead), dialect, ""), _ROWS))
    rows = [row for row in found if isinstance(row, DelimitedRow)]
    if len(ahead) == AHEAD_LINES and len(rows) > 1 and len(found) < _ROWS:
        rows.pop()  # it may be cut
    table = _without_comments(rows)
    return _Trial(dialect, table or rows, len(found) - len(rows))


def _without_comments(rows: list[DelimitedRow]) -> list[DelimitedRow]:
    first = next((i for i, row in enumerate(rows) if not row.cells[0].lstrip().startswith("#")), 0)
    return rows[first:]


def _best(trials: list[_Trial], names: Collection[str]) -> _Trial | None:
    """None where no delimiter makes a table: one column, then."""
    scored = []
    for order, trial in enumerate(trials):
        width, share = trial.usual
        titled = trial.width < width and share >= _MOST and len(trial.rows) >= _TITLED
        named = trial.width > 1 and _is_named(trial.rows[0], names)
        alike = share if titled else trial.alike
        if named or titled or (trial.width > 1 and alike >= 0.5):
            scored.append(((named, alike, *_looks(trial), -order), trial))
    return max(scored, key=lambda pair: pair[0])[1] if scored else None


def _is_named(row: DelimitedRow, names: Collection[str]) -> bool:
    return any(cell.strip().lower() in names for cell in row.cells)


def _looks(trial: _Trial) -> tuple[bool, float]:
    """Whether the delimiter is not that of prose, and the share of cells that are numbers."""
    cells = [cell for row in trial.rows for cell in row.cells[1:]]
    prose = sum(cell.startswith(" ") for cell in cells) * 2 > len(cells)
    every = [cell for row in trial.rows for cell in row.cells]
    return not prose, sum(bool(_NUMBER.fullmatch(cell)) for cell in every) / max(1, len(every))


def _with_escapes(trial: _Trial, ahead: list[TextLine]) -> Dialect:
    r"""With `\"` as a quote where fewer rows are odd that way."""
    if not trial.rows or not any('\\"' in text.text for text in ahead):
        return trial.dialect
    other = _try(trial.dialect._replace(escapes=True), ahead)
    better = (other.untidy, -other.alike) < (trial.untidy, -trial.alike)
    return other.dialect if better else trial.dialect


def _tab_separated(ahead: list[TextLine]) -> Dialect:
    """Quoted only where some cell had to be, or all are, and no quote stands against it."""
    plain, quoted = (_try(Dialect("\t", quotes), ahead) for quotes in (False, True))
    if not quoted.rows or quoted.untidy > plain.untidy or quoted.alike < plain.alike:
        return plain.dialect
    needed = any(row.needed for row in quoted.rows)
    full = all(row.quoted >= sum(map(bool, row.cells)) > 0 for row in quoted.rows)
    return _with_escapes(quoted, ahead) if needed or full else plain.dialect
