"""Training of the models that rules judge with, from text of one's own.

A tenth of the documents is held out, that with the smallest content hashes, and what is reported
was measured on it.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from hornbook.core.claims import Claim
from hornbook.core.outputs import output_file
from hornbook.core.stats import wilson
from hornbook.corpus import byte_ngrams, word_bags
from hornbook.corpus.model_file import Shapes, read_model, write_model
from hornbook.corpus.ragged_file import RaggedFile, TrainingSide
from hornbook.corpus.texts import Texts

KINDS = ("quality", "perplexity")
"""What can be trained, by the rule that needs it."""
QUALITY, PERPLEXITY = (Claim(f"corpus train {kind}") for kind in KINDS)
"""Who writes a model, from whatever text."""
QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)

_QUALITY: Shapes = {"weights": (np.float32, (word_bags.BUCKETS,))}
_PERPLEXITY: Shapes = {
    "codes": (np.uint8, (byte_ngrams.ORDER, byte_ngrams.SLOTS)),
    "trained": (np.int64, (1,)),
}


def train_quality(
    good: Iterable[str], bad: Iterable[str], out: Path, seed: int = 0, claim: Claim = QUALITY
) -> dict[str, Any]:
    """Train a classifier that tells good from bad documents, for the rule `quality`.

    A text that was there before, on either side, is left out: no content is both learned and
    measured. Features lie in a file without a name beside `out` meanwhile, 8 bytes a word.
    Returns {good, bad: {documents, words, repeated}, held_out}: of the held-out tenth of each side,
    the accuracy and the shares of good ones kept and of bad ones dropped at 0.5, each as {value,
    low, high} (Wilson's interval, 95 %), the area under the ROC curve, and quantiles of the scores.
    Raises HornbookError for fewer than ten different documents of a side.
    """
    with output_file(out, claim) as aside, RaggedFile(aside.parent, np.uint32) as ragged:
        seen = set[str]()
        sides = {
            name: TrainingSide(
                texts, ragged, seen, word_bags.features, f"{name} documents with words"
            )
            for name, texts in (("good", good), ("bad", bad))
        }
        places = np.concatenate([side.learned for side in sides.values()])
        is_good = np.arange(len(places)) < len(sides["good"].learned)
        weights = word_bags.fit(lambda chosen: ragged.take(places[chosen]), is_good, seed)
        write_model(aside, "quality", word_bags.version(), {"weights": weights})
        scores = [_scores(ragged, weights, side.held) for side in sides.values()]
    read = {
        name: {"documents": side.count, "words": side.items // 2, "repeated": side.repeated}
        for name, side in sides.items()
    }
    return {**read, "held_out": _told_apart(*scores)}


def train_perplexity(texts: Iterable[str], out: Path, claim: Claim = PERPLEXITY) -> dict[str, Any]:
    """Train a language model of bytes, for the rule `perplexity`; text of one language is best.

    A text that was there before is left out. All text lies in a file without a name beside `out`
    meanwhile; memory grows with the number of documents only. Returns {documents, bytes, repeated,
    held_out}: of the held-out tenth, the quantiles of the documents' perplexities. Raises
    HornbookError for fewer than ten different documents.
    """
    with output_file(out, claim) as aside, RaggedFile(aside.parent, np.uint8) as ragged:
        side = TrainingSide(texts, ragged, set(), _bytes, "documents with text")
        counts, trained = byte_ngrams.empty(), 0
        for chosen in ragged.batches(side.learned):
            data, edges = ragged.take(chosen)
            byte_ngrams.count(counts, data, edges)
            trained += len(data)
        codes = byte_ngrams.coded(counts)
        arrays = {"codes": codes, "trained": np.array([trained], np.int64)}
        write_model(aside, "perplexity", byte_ngrams.VERSION, arrays)
        found = [
            byte_ngrams.perplexities(codes, trained, *ragged.take(chosen))
            for chosen in ragged.batches(side.held)
        ]
    values = np.concatenate(found)
    measured = {"documents": len(values), "perplexity": _quantiles(values)}
    read = {"documents": side.count, "bytes": side.items, "repeated": side.repeated}
    return {**read, "held_out": measured}


def load_quality(path: str) -> np.ndarray:
    """(BUCKETS,) float32 weights; raises as `read_model` does."""
    return read_model(path, "quality", word_bags.version(), _QUALITY)["weights"]


def load_perplexity(path: str) -> tuple[np.ndarray, int]:
    """The codes of counts and how many bytes were counted; raises as `read_model` does."""
    arrays = read_model(path, "perplexity", byte_ngrams.VERSION, _PERPLEXITY)
    return arrays["codes"], int(arrays["trained"][0])


def _bytes(texts: Texts) -> tuple[np.ndarray, np.ndarray]:
    """The bytes of all documents, joined, and how many each has."""
    return texts.data, np.diff(texts.edges)


def _scores(ragged: RaggedFile, weights: np.ndarray, places: np.ndarray) -> np.ndarray:
    """(N,) of documents in the file."""
    found = []
    for chosen in ragged.batches(places):
        buckets, edges = ragged.take(chosen)
        found.append(word_bags.scores(weights, buckets, np.diff(edges)))
    return np.concatenate(found)


def _told_apart(good: np.ndarray, bad: np.ndarray) -> dict[str, Any]:
    """How well scores tell the sides apart."""
    kept, dropped = int((good >= 0.5).sum()), int((bad < 0.5).sum())
    ranked = np.sort(bad)
    # Of a pair, one of each side, how often the good one has the higher score; ties count half.
    below = np.searchsorted(ranked, good, "left") + np.searchsorted(ranked, good, "right")
    return {
        "documents": len(good) + len(bad),
        "accuracy": wilson(kept + dropped, len(good) + len(bad))._asdict(),
        "good_kept": wilson(kept, len(good))._asdict(),
        "bad_dropped": wilson(dropped, len(bad))._asdict(),
        "auc": float(below.mean() / 2 / len(bad)),
        "good_scores": _quantiles(good),
        "bad_scores": _quantiles(bad),
    }


def _quantiles(values: np.ndarray) -> dict[str, float]:
    """{share of the documents: the value that so many do not exceed}."""
    found = np.quantile(values, QUANTILES)
    return {str(share): float(value) for share, value in zip(QUANTILES, found, strict=True)}
