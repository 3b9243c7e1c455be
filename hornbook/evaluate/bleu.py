"""BLEU (Papineni et al. 2002) as sacreBLEU defines it (Post 2018), with an interval and by length.

On raw text: sacreBLEU tokenises by itself, and its signature says how.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from hornbook.core.errors import HornbookError
from hornbook.core.stats import Estimate


class Bleu(NamedTuple):
    """score: 0 to 100, with a 95 % percentile bootstrap over sentences (Koehn 2004)."""

    score: Estimate
    signature: str


class LengthBleu(NamedTuple):
    """BLEU of the sentences whose sources have from `least` to `most` words."""

    least: int
    most: int
    sentences: int
    bleu: float


def bleu(
    outputs: Sequence[str], references: Sequence[str], seed: int = 0, rounds: int = 1000
) -> Bleu:
    """BLEU of `outputs`, each against one reference."""
    metric, single = _metric(), _metric(effective_order=True)
    counts = np.array([_counts(single, o, r) for o, r in zip(outputs, references, strict=True)])
    draws = np.random.default_rng(seed).multinomial(
        len(counts), np.full(len(counts), 1 / len(counts)), size=rounds
    )
    low, high = np.quantile([_score(metric, sums) for sums in draws @ counts], [0.025, 0.975])
    score = metric.corpus_score(list(outputs), [list(references)]).score
    return Bleu(Estimate(score, float(low), float(high)), str(metric.get_signature()))


def bleu_by_length(
    sources: Sequence[str], outputs: Sequence[str], references: Sequence[str], parts: int = 4
) -> list[LengthBleu]:
    """BLEU of `parts` about equal shares of the sentences, short sources first."""
    metric = _metric()
    words = np.array([len(source.split()) for source in sources])
    edges = np.unique(np.quantile(words, np.linspace(0, 1, parts + 1)[1:], method="lower"))
    found, least = [], int(words.min())
    for most in map(int, edges):
        rows = [i for i, count in enumerate(words) if least <= count <= most]
        score = metric.corpus_score([outputs[i] for i in rows], [[references[i] for i in rows]])
        found.append(LengthBleu(least, most, len(rows), score.score))
        least = most + 1
    return found


def sentence_bleu(outputs: Sequence[str], references: Sequence[str]) -> list[float]:
    """BLEU of each sentence by itself, of the orders that it is long enough for."""
    metric = _metric(effective_order=True)
    pairs = zip(outputs, references, strict=True)
    return [metric.sentence_score(output, [reference]).score for output, reference in pairs]


def require_bleu() -> None:
    """Raises HornbookError where sacreBLEU is not installed: ask before long work."""
    _metric()


def _metric(effective_order: bool = False) -> Any:
    """sacreBLEU's class, which is imported late."""
    try:
        from sacrebleu.metrics.bleu import BLEU
    except ImportError:
        raise HornbookError("BLEU needs sacreBLEU: pip install 'hornbook[eval]'.") from None
    return BLEU(effective_order=effective_order)


def _counts(metric: Any, output: str, reference: str) -> list[int]:
    """What BLEU adds up: matches and n-grams of each order, words of output and reference."""
    found = metric.sentence_score(output, [reference])
    return [*found.counts, *found.totals, found.sys_len, found.ref_len]


def _score(metric: Any, sums: np.ndarray) -> float:
    """BLEU of added counts."""
    order = (len(sums) - 2) // 2
    *_, outputs, references = (int(value) for value in sums)
    matches, totals = sums[:order].tolist(), sums[order : 2 * order].tolist()
    smooth = metric.smooth_method
    return float(metric.compute_bleu(matches, totals, outputs, references, smooth).score)
