"""The deletion test of a model's explanations: over contexts of a text, also where the evidence is
far back, and over the inputs of a model that reads a whole.
"""

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from hornbook.core.errors import UsageError
from hornbook.core.progress import Progress
from hornbook.explain.contexts import TextContext, far, joined, spread
from hornbook.explain.deletion import RECENCY, PlainOrder, Verdict, falls, verdicts
from hornbook.explain.explained import Explained
from hornbook.explain.next_token import NextToken
from hornbook.explain.rankings import HIDING, rankings, rows_of
from hornbook.workflows.understand.explain_words import CENTRE, LENGTH, NEAREST
from hornbook.workflows.understand.explained_model import ExplainedDecoder, ExplainedInput

ANY, FAR, INPUTS = "any", "far", "inputs"
"""Where the evidence of a test's contexts is, or that they are whole inputs."""
LEAST_CONTEXTS = 3
"""Of fewer nothing is said."""
_COUNTS = math.log(2)
"""Nats: the evidence is far back where the model says the target so much more surely with the first
half of the context than without."""
_CANDIDATES = 6
"""Looked at for each such context that is wanted."""


class TestConfig(NamedTuple):
    """contexts: of each kind, at most. window: tokens of a context. draws: see `by_resampling`."""

    contexts: int = 20
    window: int = 64
    draws: int = 1
    seed: int = 0


def tested(
    given: Sequence[tuple[Explained, PlainOrder | None]], config: TestConfig, progress: Progress
) -> list[Verdict]:
    """The verdict on each method over some inputs, the best first; recency is the plain order of
    those that have none."""
    found: list[Mapping[str, float]] = []
    rows = sum(rows_of(one, config.draws) for one, _ in given)
    with progress.bar("trying what is deleted first", rows, "rows") as advance:
        for one, plain in given:
            scores = rankings(one, config.draws, config.seed, advance)
            found.append(falls(one, scores, plain=plain))
    return verdicts(found)


def tested_on_inputs(
    asked: Sequence[ExplainedInput], config: TestConfig, progress: Progress
) -> dict[str, list[Verdict]]:
    """Verdicts over whole inputs, against an order that fits their kind. Raises UsageError for
    fewer than three."""
    if len(asked) < LEAST_CONTEXTS:
        raise UsageError(f"--data holds {len(asked)} inputs; a test needs at least three.")
    given = [(one.explained, plain_order(one)) for one in asked]
    return {INPUTS: tested(given, config, progress)}


def plain_order(asked: ExplainedInput) -> PlainOrder:
    """What needs no model: patches from the centre on, tokens from the gap on, or the longest
    tokens, which are seldom function words, first."""
    places = np.arange(asked.explained.size)
    if asked.grid:
        off = np.stack(np.divmod(places, asked.grid)) - (asked.grid - 1) / 2
        return PlainOrder(CENTRE, -np.hypot(*off))
    if asked.kind == "an encoder" and asked.position:
        gap = asked.position - 1
        return PlainOrder(NEAREST, -np.where(places < gap, gap - places, places - gap + 1))
    return PlainOrder(LENGTH, np.array([len(piece.strip()) for piece in asked.pieces]))


def tested_on_text(
    parts: ExplainedDecoder, ids: np.ndarray, config: TestConfig, progress: Progress
) -> dict[str, list[Verdict]]:
    """Verdicts where the evidence is anywhere, and where it is far back; an empty list where there
    are too few contexts of the kind. Raises UsageError for a text that is too short for any."""
    window = min(config.window, parts.model.config.context)
    ids = joined([ids])
    if len(ids) < 2 * LEAST_CONTEXTS:
        raise UsageError(f"The text has {len(ids):,} tokens, too few to take contexts from.")
    given = {
        ANY: [_asked(parts, one) for one in spread(ids, window, config.contexts)],
        FAR: list(_far_back(parts, far(ids, window), config.contexts)),
    }
    return {
        kind: tested([(one, None) for one in contexts], config, progress)
        if len(contexts) >= LEAST_CONTEXTS
        else []
        for kind, contexts in given.items()
    }


def _asked(parts: ExplainedDecoder, context: TextContext) -> NextToken:
    return parts.context([*parts.tokenizer.prefix, *context.ids.tolist()], context.target)


def _far_back(
    parts: ExplainedDecoder, candidates: Iterable[TextContext], count: int
) -> Iterator[NextToken]:
    """Those whose target the model says more surely for what stands in the first half."""
    found = 0
    for context in itertools.islice(candidates, _CANDIDATES * count):
        explained = _asked(parts, context)
        half = explained.size - len(context.ids) // 2
        kept = np.ones((2, explained.size), bool)
        kept[1, :half] = False
        with_it, without = explained.log_probabilities(kept)[:, 0]
        if with_it - without >= _COUNTS:
            yield explained
            found += 1
        if found == count:
            return


def as_json(found: Mapping[str, Sequence[Verdict]]) -> list[dict[str, Any]]:
    """A row for each kind of context and method. What recency falls by has its name as well."""
    return [
        {
            "evidence": kind,
            **one._asdict(),
            **({one.against: one.plain} if one.against == RECENCY else {}),
            "verdict": f"{one.says} {one.against}",
        }
        for kind, several in found.items()
        for one in several
    ]


def first_shown(found: Sequence[Verdict]) -> str:
    """The method that fell most beyond the plain order, if any did; else hiding."""
    best = next((one for one in found if one.low > 0), None)
    return best.method if best else HIDING
