"""Why a model says what it says of a text or an image, and whether that explanation can be trusted.

What is told: the alternatives with probabilities, how much each piece of the input counts, what the
model would say after each block, what a recurrent state still holds, what a translation looks at.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch

from hornbook.core.errors import UsageError
from hornbook.core.lines import lines_of
from hornbook.core.progress import Progress
from hornbook.datasets.image_files import SUFFIXES
from hornbook.explain.deletion import Verdict
from hornbook.explain.lens import lens
from hornbook.explain.rankings import HIDING, rankings, rows_of
from hornbook.explain.recall import distances, recall
from hornbook.explain.translated import TokensOfTranslation, alignment
from hornbook.models.causal_lm import CausalLM
from hornbook.workflows.open.decoder import Decoder
from hornbook.workflows.open.load import kind_of
from hornbook.workflows.understand.explain_words import HIDDEN
from hornbook.workflows.understand.explained_model import (
    ExplainedDecoder,
    ExplainedInput,
    OpenedInput,
    next_token,
    open_input,
    open_to_explain,
)
from hornbook.workflows.understand.tested import (
    ANY,
    INPUTS,
    LEAST_CONTEXTS,
    TestConfig,
    as_json,
    first_shown,
    tested_on_inputs,
    tested_on_text,
)

Item = TypeVar("Item")

_ALTERNATIVES = 10
_RECALL_TOKENS, _RECALL_ROWS = 512, 8


@dataclass(frozen=True)
class ExplainRequest:
    """text, image: the input. position: of the token that is explained, from 1. data, images: text,
    or a folder, that the explanations are tested on; without it, those of a decoder on `text`
    itself. test: alone, on these. contexts: at most so many, of either kind; 0 for no test. draws:
    of resampling."""

    text: str | None = None
    image: Path | None = None
    position: int | None = None
    data: str | None = None
    images: Path | None = None
    test: bool = False
    contexts: int = 10
    window: int = 64
    draws: int = 2
    seed: int = 0
    device: str | None = None

    @property
    def of_test(self) -> TestConfig:
        """What is asked of the test."""
        return TestConfig(self.contexts, self.window, min(self.draws, 1), self.seed)


def explain(path: Path, request: ExplainRequest, progress: Progress) -> dict[str, Any]:
    """Explain what a model says.

    Raises UsageError where the model takes another input or the position is none, and what opening
    it raises.
    """
    given = request.data is not None or request.images is not None
    if request.test and not (given and request.contexts):
        raise UsageError("--test needs a text to take contexts from; name a file with --data.")
    if not request.test and request.text is None and request.image is None:
        raise UsageError("Give what is to be explained with --text, or with --image.")
    if kind_of(path) is not Decoder:
        return _explain_other(path, request, progress)
    if request.image is not None:
        raise UsageError(f"{path} goes on with text; give it with --text.")
    if request.images is not None:
        raise UsageError(f"{request.images} is a folder; {path} is tested on a file of text.")
    parts = open_to_explain(path, request.device)
    if request.text is None:
        return _result(path, "a decoder", None, request) | _tested(parts, request, progress)
    asked = next_token(parts, request.text, request.position)
    found = _result(path, asked.kind, asked, request) | _tested(parts, request, progress)
    found |= _influence(asked, request, found, progress) | _lens(asked)
    return found | {"recall": _recall(parts.model, request, progress)}


def _explain_other(path: Path, request: ExplainRequest, progress: Progress) -> dict[str, Any]:
    """Of a model that reads a whole."""
    opened = open_input(path, request.device)
    found: dict[str, Any] = {}
    if request.contexts and (request.data is not None or request.images is not None):
        verdicts = tested_on_inputs(_inputs(opened, request), request.of_test, progress)
        found = _believed(verdicts, INPUTS)
    if request.test:
        return _result(path, opened.kind, None, request) | found
    asked = opened.asked(request.text, request.image, request.position)
    found = _result(path, asked.kind, asked, request) | found
    found |= _influence(asked, request, found, progress) | _lens(asked)
    if asked.grid:
        found["image"] = str(request.image)
    if isinstance(asked.explained, TokensOfTranslation):
        found |= _aligned(asked, asked.explained)
    return found


def _inputs(opened: OpenedInput, request: ExplainRequest) -> list[ExplainedInput]:
    """What is tested on, evenly over --data: images of a folder, or lines of a text, in the middle
    of which the gap of a model that fills one is."""
    if opened.reads_images:
        if request.images is None:
            raise UsageError(f"{opened.path} labels images; name a folder of them with --data.")
        files = sorted(f for f in request.images.rglob("*") if f.suffix.lower() in SUFFIXES)
        return [opened.asked(None, file, None) for file in _evenly(files, request.contexts)]
    if request.data is None:
        raise UsageError(f"{opened.path} reads text; name a file of lines with --data.")
    lines = [line.strip() for line in lines_of(request.data) if line.strip()]
    asked = (opened.in_the_middle(line) for line in _evenly(lines, request.contexts))
    return [one for one in asked if one.explained.size]


def _evenly(given: Sequence[Item], count: int) -> list[Item]:
    places = np.unique(np.linspace(0, len(given) - 1, min(count, len(given))).round().astype(int))
    return [given[place] for place in places.tolist()]


def _result(
    path: Path, kind: str, asked: ExplainedInput | None, request: ExplainRequest
) -> dict[str, Any]:
    """What every explanation has, before anything is measured."""
    found: dict[str, Any] = {
        "model": str(path), "kind": kind, "seed": request.seed, "test": None, "tests": [],
    }  # fmt: skip
    if asked is None:
        return found
    explained = asked.explained
    with torch.no_grad():
        shares = explained.logits(explained.everything())[0, 0].double().softmax(-1).cpu().numpy()
    order = np.argsort(-shares, kind="stable")[:_ALTERNATIVES].tolist()
    target = int(explained.targets[0])
    return {
        **found,
        "position": asked.position,
        "target": _named(asked, target, float(shares[target])),
        "alternatives": [_named(asked, one, float(shares[one])) for one in order],
        "hidden": HIDDEN[asked.kind][0],
        **({"written": list(asked.written)} if asked.written else {}),
        **({"grid": asked.grid} if asked.grid else {}),
    }


def _named(asked: ExplainedInput, answer: int, probability: float) -> dict[str, Any]:
    return {"token": asked.named(answer), "id": answer, "probability": probability}


def _influence(
    asked: ExplainedInput, request: ExplainRequest, found: dict[str, Any], progress: Progress
) -> dict[str, Any]:
    """How much each piece counts, by every method; `influence` is the one to be shown first."""
    explained = asked.explained
    if not explained.size:
        return {"method": HIDING, "influence": [], "influences": {}}
    total = rows_of(explained, request.draws)
    with progress.bar("hiding each piece", total, "rows") as advance:
        scores = rankings(explained, request.draws, request.seed, advance)
    method = found.get("method", HIDING)
    influence = [
        {"token": piece, "score": score}
        for piece, score in zip(asked.pieces, scores[method].tolist(), strict=True)
    ]
    influences = {name: values.tolist() for name, values in scores.items()}
    return {"method": method, "influence": influence, "influences": influences}


def _tested(parts: ExplainedDecoder, request: ExplainRequest, progress: Progress) -> dict[str, Any]:
    """The test of the methods on other contexts, and which of them it puts first."""
    text = request.text if request.data is None else request.data
    (ids,) = parts.tokenizer.encode_batch([text or ""])
    if not request.contexts or (request.data is None and len(ids) < 2 * LEAST_CONTEXTS):
        return {"method": HIDING}
    verdicts = tested_on_text(parts, ids.astype(np.int64), request.of_test, progress)
    return _believed(verdicts, ANY)


def _believed(verdicts: Mapping[str, Sequence[Verdict]], kind: str) -> dict[str, Any]:
    """All verdicts, and the method that is shown first, by those on one kind of context."""
    rows, method = as_json(verdicts), first_shown(verdicts[kind])
    chosen = (row for row in rows if (row["evidence"], row["method"]) == (kind, method))
    return {"method": method, "test": next(chosen, None), "tests": rows}


def _lens(asked: ExplainedInput) -> dict[str, Any]:
    """What would be said after each block."""
    config = asked.explained.model.config
    name = "decoder" if asked.kind == "a translator" else "stack"
    sizes = [len(block) for block in config.stacks()[name].blocks()]
    rows = lens(asked.explained, sizes)
    return {"lens": [{**row._asdict(), "token": asked.named(row.best)} for row in rows]}


def _recall(model: CausalLM, request: ExplainRequest, progress: Progress) -> list[dict[str, Any]]:
    """What a recurrent state still holds; nothing where attention looks at every position."""
    if model.new_state(1, 1).cuttable:
        return []
    most = min(_RECALL_TOKENS, model.config.context)
    with progress.bar("asking what the state holds", len(distances(most)), "distances") as advance:
        found = recall(model, most, _RECALL_ROWS, request.seed, advance)
    return [one._asdict() for one in found]


def _aligned(asked: ExplainedInput, explained: TokensOfTranslation) -> dict[str, Any]:
    """Each token of a translation against each of the source: by cross-attention, and by hiding."""
    from hornbook.explain.influence import by_hiding

    looked = alignment(explained)
    return {
        "alignment": None if looked is None else looked.tolist(),
        "by_token": by_hiding(explained).T.tolist(),
    }
