"""Why a model says what it says of a text or an image, and whether that explanation can be trusted.

What is told: the alternatives with probabilities, how much each piece of the input counts, what the
model would say after each block, what a recurrent state still holds, what a translation looks at.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from hornbook.core.errors import UsageError
from hornbook.core.progress import Progress
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
    next_token,
    open_input,
    open_to_explain,
)
from hornbook.workflows.understand.tested import (
    ANY,
    LEAST_CONTEXTS,
    TestConfig,
    first_shown,
    plain,
    tested_on_text,
)

_ALTERNATIVES = 10
_RECALL_TOKENS, _RECALL_ROWS = 512, 8


@dataclass(frozen=True)
class ExplainRequest:
    """text, image: the input. position: of the token that is explained, from 1. data: text that the
    explanations are tested on; without it, those of a decoder on `text` itself. test: alone, on
    `data`. contexts: at most so many, of either kind; 0 for no test. draws: of resampling."""

    text: str | None = None
    image: Path | None = None
    position: int | None = None
    data: str | None = None
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
    if request.test and (request.data is None or not request.contexts):
        raise UsageError("--test needs a text to take contexts from; name a file with --data.")
    if not request.test and request.text is None and request.image is None:
        raise UsageError("Give what is to be explained with --text, or with --image.")
    if kind_of(path) is not Decoder:
        return _explain_other(path, request, progress)
    if request.image is not None:
        raise UsageError(f"{path} goes on with text; give it with --text.")
    parts = open_to_explain(path, request.device)
    if request.text is None:
        return _result(path, None, request) | _tested(parts, request, progress)
    asked = next_token(parts, request.text, request.position)
    found = _result(path, asked, request) | _tested(parts, request, progress)
    found |= _influence(asked, request, found, progress) | _lens(asked)
    return found | {"recall": _recall(parts.model, request, progress)}


def _explain_other(path: Path, request: ExplainRequest, progress: Progress) -> dict[str, Any]:
    """Of a model that is no decoder: without a test, as its input has no order that text has."""
    if request.test or request.data is not None:
        raise UsageError(
            f"{path} is {kind_of(path).kind}: --test and --data are for decoders, whose "
            "explanations are compared with the order of the text."
        )
    asked = open_input(path, request.text, request.image, request.position, request.device)
    found = _result(path, asked, request)
    found |= _influence(asked, request, found, progress) | _lens(asked)
    if asked.grid:
        found["image"] = str(request.image)
    if isinstance(asked.explained, TokensOfTranslation):
        found |= _aligned(asked, asked.explained)
    return found


def _result(path: Path, asked: ExplainedInput | None, request: ExplainRequest) -> dict[str, Any]:
    """What every explanation has, before anything is measured."""
    found: dict[str, Any] = {"model": str(path), "seed": request.seed, "test": None, "tests": []}
    if asked is None:
        return {**found, "kind": "a decoder"}
    explained = asked.explained
    with torch.no_grad():
        shares = explained.logits(explained.everything())[0, 0].double().softmax(-1).cpu().numpy()
    order = np.argsort(-shares, kind="stable")[:_ALTERNATIVES].tolist()
    target = int(explained.targets[0])
    return {
        **found,
        "kind": asked.kind,
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
    rows, method = plain(verdicts), first_shown(verdicts)
    chosen = (row for row in rows if (row["evidence"], row["method"]) == (ANY, method))
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
