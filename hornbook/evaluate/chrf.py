"""chrF (Popović 2015) as sacreBLEU defines it: F2 of character n-grams up to six, with an interval.

Needs no words, so it is fair to Chinese and to languages with long words. The counts are ours,
because sacreBLEU gives none for a sentence; the signature is theirs, and a test holds both equal.
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from hornbook.core.errors import HornbookError
from hornbook.core.stats import Estimate
from hornbook.evaluate.bleu import Bleu

_ORDER, _BETA = 6, 2


def chrf(
    outputs: Sequence[str], references: Sequence[str], seed: int = 0, rounds: int = 1000
) -> Bleu:
    """chrF of `outputs`, each against one reference; 0 to 100, bootstrap over sentences.

    Raises HornbookError where sacreBLEU is not installed.
    """
    counts = np.array([_counts(o, r) for o, r in zip(outputs, references, strict=True)])
    draws = np.random.default_rng(seed).multinomial(
        len(counts), np.full(len(counts), 1 / len(counts)), size=rounds
    )
    sums = np.einsum("rn,noc->roc", draws, counts)
    low, high = np.quantile(_score(sums), [0.025, 0.975])
    value = float(_score(counts.sum(0)[None])[0])
    return Bleu(Estimate(value, float(low), float(high)), _signature())


def _signature() -> str:
    try:
        from sacrebleu.metrics.chrf import CHRF
    except ImportError:
        raise HornbookError("chrF needs sacreBLEU: pip install 'hornbook[eval]'.") from None
    metric = CHRF(char_order=_ORDER, beta=_BETA)
    metric.corpus_score(["a"], [["a"]])  # only then does it know how many references there are
    return str(metric.get_signature())


def _counts(output: str, reference: str) -> list[tuple[int, int, int]]:
    """Of each order: n-grams of the output, of the reference, and in both.

    An output counts where the reference has n-grams of that order, as in sacreBLEU.
    """
    one, other = ("".join(text.split()) for text in (output, reference))
    found = []
    for size in range(1, _ORDER + 1):
        first, second = (
            Counter(text[i : i + size] for i in range(len(text) - size + 1))
            for text in (one, other)
        )
        have = first.total() if second else 0
        found.append((have, second.total(), (first & second).total()))
    return found


def _score(sums: np.ndarray) -> np.ndarray:
    """(R,) scores of added counts (R, 6, 3); orders that one side lacks are left out."""
    outputs, references, matches = np.moveaxis(sums.astype(float), 2, 0)
    used = (outputs > 0) & (references > 0)
    orders = np.maximum(used.sum(1), 1)
    precision, recall = (
        np.where(used, matches / np.maximum(total, 1), 0).sum(1) / orders
        for total in (outputs, references)
    )
    weighted = _BETA**2 * precision + recall
    score: np.ndarray = (
        100 * (1 + _BETA**2) * precision * recall / np.where(weighted > 0, weighted, 1)
    )
    return score
