"""The life of a sentence: where it stands, the steps that trained on it, what became of it.

And what would have become of it otherwise: the training is gone through again without it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from hornbook.core.errors import HornbookError, UsageError
from hornbook.core.progress import Progress
from hornbook.corpus.document_files import TAGS, parts, read_parquet
from hornbook.corpus.trace import trace_document
from hornbook.explain.loss_of_spans import SpanLosses
from hornbook.explain.sentence import (
    TokenSpan,
    check_spans,
    others_like,
    positions_of,
    spans_of,
)
from hornbook.explain.spans import trace
from hornbook.explain.traced_text import TracedText
from hornbook.generate.decode import decode
from hornbook.generate.sampling import SamplingConfig
from hornbook.tokenize.tokenizer import Tokenizer
from hornbook.training.checkpoint import checkpoints
from hornbook.training.precision import uncompiled
from hornbook.workflows.projects.text.problem import TextProblem
from hornbook.workflows.runs import folder as layout
from hornbook.workflows.understand.counterfactual import retrained
from hornbook.workflows.understand.opened_run import (
    Followed,
    OpenedRun,
    final_model,
    opened,
    states,
)
from hornbook.workflows.understand.trace import open_traced

_PLACES, _HELD_OUT = 1000, 32
"""Places of a sentence that are followed, and held-out spans beside it."""


@dataclass(frozen=True)
class BiographyConfig:
    """retrain: go through the training again without the sentence. minutes: for that. others: spans
    of the text that are followed beside it. seed: of their choice."""

    retrain: bool = False
    minutes: float = 5.0
    others: int = 16
    seed: int = 0


def biography(
    folder: Path, text: str, config: BiographyConfig, progress: Progress
) -> dict[str, Any]:
    """The facts of a sentence's life in the run in `folder`, as docs/schemas/biography.json says.

    Raises UsageError for a folder that is no finished run on text or a sentence that its corpus
    does not have, and HornbookError for one that was held out or is too long.
    """
    text = text.strip()
    with opened(folder, progress) as run:
        traced = open_traced(run.problem.corpus, progress)
        places = _places(traced, text)
        documents = {place["document"] for place in places if place["side"] != "validation"}
        problem, context = run.problem, run.recipe.plan.context
        spans = spans_of(text, documents, problem.train, problem.tokenizer, problem.token_bytes)
        check_spans(spans, context)
        followed = Followed(
            spans,
            others_like(spans, config.others, problem.train.tokens, config.seed),
            others_like(spans[:1], _HELD_OUT, problem.validation.tokens, config.seed),
        )
        seen = run.windows.steps_of(positions_of(spans), run.steps)
        life = _life(run, followed, progress)
        found: dict[str, Any] = {
            "text": text,
            "run": str(folder),
            "places": places,
            "kept_because": _kept(problem, places[0]["document"]),
            "tokens": _tokens(problem, spans[0]),
            "steps": run.steps,
            "trained_in": [{"step": step, "tokens": count} for step, count in seen.items()],
            "life": life,
            "written": trace(traced, life[-1]["text"], 12, 5, 2)._asdict(),
            "retrained": None,
        }
        if config.retrain:
            found["retrained"] = retrained(run, followed, config.minutes, progress)
    found["written"]["spans"] = [_plain(span) for span in found["written"]["spans"]]
    return found


def _places(traced: TracedText, text: str) -> list[dict[str, Any]]:
    """Where the sentence stands, on the side to train on at least once."""
    times, held_out, places = traced.places(text, _PLACES) if text else (0, 0, [])
    if not times:
        found = trace(traced, text, 1, 1, 1).spans if text else []
        nearest = f" The longest part that is there: {found[0].text!r}." if found else ""
        raise UsageError(f"The corpus does not have this text, letter by letter.{nearest}")
    if held_out == times:
        raise HornbookError("The text stands in held-out documents only; no step trained on it.")
    return [place._asdict() for place in places]


def _kept(problem: TextProblem, document: str) -> dict[str, Any]:
    """What is known of the document that holds the sentence: where it lies, what was measured."""
    corpus = problem.corpus
    found = trace_document(corpus.folder, document)
    for part in parts(corpus.folder):
        for row in read_parquet(corpus.folder / TAGS / part.name).to_pylist():
            if row["id"] == document:
                found |= {"measured": {key: row[key] for key in row if key != "id"}}
    return found


def _tokens(problem: TextProblem, span: TokenSpan) -> list[str]:
    return [problem.tokenizer.decode([int(i)]) for i in problem.train.read(*span)]


def _life(run: OpenedRun, followed: Followed, progress: Progress) -> list[dict[str, Any]]:
    """What the model makes of the sentence, before the first step, at each checkpoint, at the
    end."""
    problem, context = run.problem, run.recipe.plan.context
    own, others, held_out = (
        SpanLosses(shards, spans, context) if spans else None
        for shards, spans in (
            (problem.train, followed.spans[:1]),
            (problem.train, followed.others),
            (problem.validation, followed.held_out),
        )
    )
    ids = [problem.train.eos, *problem.train.read(*followed.spans[0]).tolist()]
    found = []

    def look(model: nn.Module, step: int) -> None:
        assert own is not None
        row: dict[str, Any] = {"step": step, "nats": float(own.nats(model)[0])}
        for name, losses in (("others", others), ("held_out", held_out)):
            row[name] = float(losses.nats(model).mean()) if losses else None
        with uncompiled():
            row |= _written(model, problem.tokenizer, ids)
        found.append(row)

    kept = len(checkpoints(run.folder / layout.KEPT))
    with progress.bar("looking back", kept + 2, "checkpoints") as advance:
        for state in states(run):
            look(state.model, state.step)
            advance(1)
        look(final_model(run), run.steps)
        advance(1)
    return found


def _written(model: Any, tokenizer: Tokenizer, ids: Sequence[int]) -> dict[str, Any]:
    """{given, text, right}: what the model writes after the first half, likeliest tokens only, and
    how many of them are those of the sentence before the first that is not."""
    half = 1 + len(ids[1:]) // 2
    config = SamplingConfig(temperature=0, max_tokens=len(ids) - half)
    was_training = model.training
    model.eval()
    new = [token.id for token in decode(model, [ids[:half]], config, frozenset())]
    model.train(was_training)
    same = [one == other for one, other in zip(new, ids[half:], strict=False)]
    right = next((i for i, equal in enumerate(same) if not equal), len(same))
    given = tokenizer.decode(ids[1:half])
    return {"given": given, "text": tokenizer.decode([*ids[1:half], *new]), "right": right}


def _plain(span: Any) -> Mapping[str, Any]:
    return {**span._asdict(), "places": [place._asdict() for place in span.places]}
