"""Lines of a text that is at hand: they end at \\n or \\r\\n, and nowhere else.

`str.splitlines` also ends them at U+2028, U+0085, form feeds and other characters that stand inside
texts, so that one record becomes two. A test forbids it.
"""


def lines_of(text: str) -> list[str]:
    """The lines without their ends; what follows the last end is one, unless it is empty."""
    lines = text.replace("\r\n", "\n").split("\n")
    return lines if lines[-1] else lines[:-1]


def first_line(text: str) -> str:
    """The first one that is not blank, without white space around it; "" where all are."""
    return text.strip().partition("\n")[0].strip()
