"""Models that several claims begin with, pretrained once, and how well they read held-out text."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from hornbook.core.files import read_object
from hornbook.core.metrics import MetricsLog
from hornbook.core.stages import run_stage
from hornbook.models.folder import load_config, load_model, save_model
from hornbook.models.model import Model
from hornbook.models.tensors import read_tensors
from hornbook.tokenize.tokenizer import Tokenizer
from hornbook.training.checkpoint import checkpoints
from hornbook.training.validation import Validation
from hornbook.workflows.claims.lab import Lab
from hornbook.workflows.curate.encode import prepare_shards
from hornbook.workflows.projects.text.problem import token_bytes
from hornbook.workflows.projects.text.project import Text
from hornbook.workflows.projects.text.tasks import task_of
from hornbook.workflows.runs import folder as layout

TOKENS = 200_000
"""That a body learns from at scale 1."""
CONTEXT = 128
PLAN = {"depth": 3, "width": 128, "context": CONTEXT, "rows": 16}
_BASE = 3.0
"""Of these tokens, what several claims begin with has read: about all that every machine has."""
_KEPT = 5
"""Checkpoints that stay."""
_WINDOWS, _ROWS = 200, 16
"""Of held-out text that are scored."""


def base(lab: Lab, preset: str, seed: int) -> Path:
    """The model folder of what claims about models that know something begin with."""
    return pretrained(lab, preset, seed, share=_BASE)


def pretrained(lab: Lab, preset: str, seed: int, text: str = "general", share: float = 1.0) -> Path:
    """The model folder of a model of a preset that learned from a text. share: of the usual number
    of tokens."""
    project = Text(lab.text(text), lab.tokenizer(), baselines=lab.baselines(text))
    values: dict[str, Any] = {"plan": {**PLAN, "preset": preset}, "keep": _KEPT}
    part = "" if share == 1 else f"-{share:g}"
    tokens = lab.scaled(share * TOKENS)
    run = lab.train(
        f"{preset}-{text}{part}", seed, project, tokens=tokens, compiled=False, **values
    )
    return run / layout.MODEL


class ComparedFamily(NamedTuple):
    """preset: of the layers. blocks: how many of them hold as many weights as one block of the
    Transformer."""

    preset: str
    blocks: float = 1.0


TRANSFORMER, RECURRENT, ATTENDING = "Transformer", "LSTM", "LSTM with attention"
FAMILIES = {
    TRANSFORMER: ComparedFamily("qwen3"),
    RECURRENT: ComparedFamily("lstm", 1.5),
    ATTENDING: ComparedFamily("lstm-attention"),
    "Mamba-2": ComparedFamily("mamba2"),
    "LFM2": ComparedFamily("lfm2"),
}
_SECONDS = 20.0
"""Of the training of a family at scale 1."""
_PROBED, _WARMING = 12, 3
"""Steps by which a family's pace is measured, and the first of them, which do not count."""
_STEP = PLAN["context"] * PLAN["rows"]
"""Tokens of a step."""


def by_time(lab: Lab, name: str, seed: int) -> Path:
    """The model folder of one of `FAMILIES` that learned from general text; all for as long.

    As many steps as take so long by the pace of a few beforehand: the minutes of a run are those of
    all of it, and what stands before its first step takes some families longer than others.
    """
    family = FAMILIES[name]
    plan = {**PLAN, "preset": family.preset, "depth": round(family.blocks * PLAN["depth"])}
    project = Text(lab.text("general"), lab.tokenizer(), baselines=lab.baselines("general"))
    values: dict[str, Any] = {"plan": plan, "compiled": False}
    probe = lab.train(f"{family.preset}-pace", 0, project, tokens=_PROBED * _STEP, **values)
    steps = max(_PROBED, round(_SECONDS * max(1.0, lab.scale) / _step_seconds(probe)))
    run = lab.train(f"{family.preset}-timed", seed, project, tokens=steps * _STEP, **values)
    return run / layout.MODEL


def _step_seconds(run: Path) -> float:
    """What a step of a run took, the median."""
    rows = MetricsLog(run / layout.METRICS).rows()
    ends = [row["elapsed_s"] for row in rows if row["kind"] == "train"]
    return float(np.median(np.diff(ends[_WARMING:])))


def life(folder: Path) -> Iterator[tuple[int, Model]]:
    """The model of a run at the checkpoints that were kept, and at its end, each with the tokens
    that it had learned from."""
    model = load_model(folder)
    for place in checkpoints(folder.parent / layout.KEPT):
        weights = read_tensors(place / "model.safetensors", "cpu")
        with torch.no_grad():
            for name, weight in model.named_parameters():
                weight.copy_(weights[name])
        yield read_object(place / "state.json")["tokens"], model
    yield layout.result(folder.parent)["tokens"], load_model(folder)


def untrained(lab: Lab, preset: str, seed: int) -> Path:
    """The model folder of the same model as `base` before its first step."""
    trained = base(lab, preset, seed)
    place = trained.parent.with_name(f"untrained-{trained.parent.name}")

    def work(aside: Path) -> None:
        model = load_config(trained).build()
        model.reset(seed)
        save_model(model, aside / layout.MODEL, tokenizer_folder=trained)

    run_stage(place, layout.PART, {"stage": "untrained-1", "of": preset, "seed": seed}, work)
    return place / layout.MODEL


def held_out(lab: Lab, text: str, context: int = CONTEXT) -> Validation:
    """Windows of the held-out part of a text."""
    tokenizer = Tokenizer.load(lab.tokenizer())
    folder = lab.folder / "texts" / f"{text}-tokens-x{lab.scale:g}"
    _, shards = prepare_shards(lab.text(text), tokenizer, folder, lab.quiet, layout.PART)
    return Validation(shards, token_bytes(tokenizer), context, _ROWS, limit=_WINDOWS * context)


def bits(model: Path, windows: Validation) -> tuple[np.ndarray, np.ndarray]:
    """(W,) bits that a model needs for each window, and (W,) its bytes."""
    loaded = load_model(model)
    losses = task_of(loaded.config, Tokenizer.load(model)).losses
    return windows.bits(loaded, losses, "cpu", "float32")
