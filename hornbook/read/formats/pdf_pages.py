"""Pages as one text: what stands at the edge of many of them is kept once, and sentences go on.

A header or footer says the same on page after page, but for the number of the page; in the text of
a document it would part sentences, and be found instead of them.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence

_EDGE = 3
"""Lines from the top and from the bottom that may be headers and footers."""
_PAGES, _SHARE = 3, 1 / 3
"""Pages on which a line of a header stands at least, and of all pages the share."""
_NUMBER = re.compile(r"\d{1,6}")
_DENSE = "\u2e80"
"""Where scripts begin that have no capital letters, nor spaces."""
_ENDS = re.compile(r"[.!?:;。！？：；…][\"'”’»)）」』]*\Z")

_Key = tuple[str, int | None]
"""A line as it is on other pages: without one of its numbers, which grows with that of the page."""


def without_repeats(pages: Sequence[str]) -> tuple[list[str], int]:
    """Pages without lines of headers and footers but for where they stand first, and how many such
    lines were left out. Each page keeps what ends it; one that would be empty stays as it is."""
    lines = [page.rstrip("\n").split("\n") for page in pages]
    counts: Counter[tuple[bool, _Key]] = Counter()
    for number, page in enumerate(lines):
        edges = {(side, key) for _, side, line in _edges(page) for key in _keys(line, number)}
        counts.update(edges)
    enough = max(_PAGES, _SHARE * len(pages))
    often = {key for key, count in counts.items() if count >= enough}
    seen = set[tuple[bool, _Key]]()
    found, dropped = [], 0
    for number, (page, text) in enumerate(zip(lines, pages, strict=True)):
        gone = _repeated(page, number, often, seen)
        kept = [line for i, line in enumerate(page) if i not in gone]
        if gone and any(line.strip() for line in kept):
            dropped += len(gone)
            text = "\n".join(kept) + text[len(text.rstrip("\n")) :]
        found.append(text)
    return found, dropped


def _edges(page: Sequence[str]) -> Iterator[tuple[int, bool, str]]:
    """Lines from the edges inwards: the place of each, whether it is at the bottom, and itself."""
    some = min(_EDGE, len(page))
    yield from ((i, False, page[i]) for i in range(some))
    yield from ((i, True, page[i]) for i in range(len(page) - 1, len(page) - some - 1, -1))


def _keys(line: str, number: int) -> Iterator[_Key]:
    plain = " ".join(line.split())
    if plain:
        yield plain, None
        for one in _NUMBER.finditer(plain):
            yield f"{plain[: one.start()]}#{plain[one.end() :]}", int(one[0]) - number


def _repeated(
    page: Sequence[str],
    number: int,
    often: set[tuple[bool, _Key]],
    seen: set[tuple[bool, _Key]],
) -> set[int]:
    """The lines of a page that earlier ones have. seen: what those have, to which it is added."""
    gone, body = set[int](), set[bool]()
    for place, bottom, line in _edges(page):
        keys = {(bottom, key) for key in _keys(line, number)} & often
        if not line.strip():
            continue
        if not keys:
            body.add(bottom)  # what is further in is no header
        elif bottom not in body:
            if keys & seen:
                gone.add(place)
            seen |= keys
    return gone


def joined(page: str, following: str) -> str:
    """A page as it is before another: where a sentence goes on, a line ends, and no paragraph."""
    bare, first = page.rstrip("\n"), following.lstrip()[:1]
    if not bare.strip() or not first or _ENDS.search(bare.rstrip()):
        return page
    lines = bare.split("\n")
    full = len(lines[-1]) >= max(map(len, lines[-_FULL:]))
    dense = first >= _DENSE and bare[-1] >= _DENSE and full and len(lines) > 1
    return f"{bare}\n" if first.islower() or dense else page


_FULL = 8
"""Lines before the last one: where it is as long as they are, its paragraph goes on."""
