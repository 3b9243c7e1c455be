"""The page of an answer: what was found on the left, the pages that it stands on, marked, right.

One file that asks nothing of anybody: pictures of PDF pages lie in it, other documents show the
text around each quote.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hornbook.core.claims import Claim
from hornbook.core.errors import HornbookError
from hornbook.core.guard import GaveUp, guarded
from hornbook.core.language import spoken
from hornbook.core.outputs import check_file, output_file
from hornbook.retrieve.index import DocumentIndex

ANSWER = Claim("ask")
"""Who writes the page, whatever was asked."""
_AROUND = 600
"""Characters of a text that are shown before and after a quote."""


def check_page(path: Path) -> None:
    """Raises UsageError for a file that is another's."""
    check_file(path, ANSWER)


def write_page(path: Path, folder: Path, found: dict[str, Any]) -> None:
    """Write the page of what `ask` found in an index."""
    from hornbook.workflows.report.page import render

    with DocumentIndex.open(folder) as index:
        views = views_of(index, found["quotes"])
    text = render(
        "answer.html.jinja", title=found["question"], found=found, views=views, language=spoken()
    )
    with output_file(path, ANSWER) as aside:
        aside.write_text(text, encoding="utf-8")


def views_of(index: DocumentIndex, quotes: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """What is shown at the right: a view a page, with the numbers of its quotes."""
    pages: dict[tuple[int, int | None, int], list[int]] = {}
    for number, one in enumerate(quotes):
        alone = number if one["page"] is None else -1
        pages.setdefault((one["document"], one["page"], alone), []).append(number)
    found = []
    for (document, page, _), numbers in pages.items():
        inside = [quotes[number] for number in numbers]
        view = {
            "source": inside[0]["source"],
            "page": page,
            "numbers": [number + 1 for number in numbers],
            "text": _around(index, inside[0]),
        }
        if page is not None:
            view |= _pictured(index, document, page, inside)
        found.append(view)
    return found


def _around(index: DocumentIndex, one: dict[str, Any]) -> dict[str, str]:
    """A quote with the text before and after it."""
    document, start, end = one["document"], one["start"], one["end"]
    return {
        "before": index.text(document, max(0, start - _AROUND), start),
        "quote": index.text(document, start, end),
        "after": index.text(document, end, end + _AROUND),
    }


def _pictured(
    index: DocumentIndex, document: int, page: int, inside: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    """The picture of a page with rectangles, and the texts of quotes that have none, as those that
    were read from a scan; nothing where the file is no PDF or is gone."""
    source = Path(inside[0]["source"])
    if source.suffix.lower() != ".pdf" or not source.is_file():
        return {}
    starts = index.document(document).pages
    begin = starts[page - 1]
    size = max(1, (starts[page] if page < len(starts) else begin + 10_000) - begin)
    wanted = [[one["text"], (one["start"] - begin) / size] for one in inside]
    work = "hornbook.retrieve.page_pictures:pictures"
    try:
        items = list(guarded(work, [str(source), [page], [wanted]], source.stat().st_size))
    except (GaveUp, HornbookError, OSError):
        return {}  # the text is shown
    if not items:
        return {}
    facts, picture = items[0]
    pairs = zip(inside, facts["rectangles"], strict=True)
    unplaced = [_around(index, one) for one, rectangles in pairs if not rectangles]
    return {**facts, "picture": picture, "unplaced": unplaced}
