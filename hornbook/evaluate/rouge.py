"""ROUGE-1, ROUGE-2 and ROUGE-L as F1 (Lin 2004): how much a summary shares with a reference.

On English the figures are those of Google's `rouge-score` without stemming. That library drops all
but ASCII letters and digits, which leaves nothing of Chinese; here Han characters are words.
"""

from collections import Counter
from collections.abc import Sequence

from hornbook.evaluate.metrics import harmonic, words

ROUGE = ("rouge1", "rouge2", "rougeL")


def rouge(summary: str, reference: str) -> dict[str, float]:
    """F1 by words, by pairs of words, and by the longest common subsequence of words; 0 to 1."""
    one, other = words(summary), words(reference)
    return {
        "rouge1": _overlap(one, other, 1),
        "rouge2": _overlap(one, other, 2),
        "rougeL": harmonic(_common(one, other), len(one), len(other)),
    }


def _overlap(one: Sequence[str], other: Sequence[str], size: int) -> float:
    first, second = (
        Counter(tuple(text[i : i + size]) for i in range(len(text) - size + 1))
        for text in (one, other)
    )
    return harmonic(sum((first & second).values()), first.total(), second.total())


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    """The length of the longest common subsequence, row by row."""
    row = [0] * (len(other) + 1)
    for word in one:
        diagonal = 0
        for i, candidate in enumerate(other, 1):
            above = row[i]
            row[i] = diagonal + 1 if word == candidate else max(above, row[i - 1])
            diagonal = above
    return row[-1]
