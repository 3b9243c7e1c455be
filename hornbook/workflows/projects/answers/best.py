"""Early stopping: the best weights by the validation part are kept, and tuning ends without better.

What decides lies in the run folder, so that a resumed run stops where an undisturbed one would.
"""

from pathlib import Path
from typing import Any

import torch

from hornbook.core.errors import HornbookError
from hornbook.core.files import read_json, write_json
from hornbook.core.folders import atomic_folder, damage
from hornbook.models.tensors import read_tensors, write_tensors
from hornbook.train.checkpoint import trainable
from hornbook.train.state import TrainState
from hornbook.workflows.runs import folder as layout

PATIENCE = 3
"""Evaluations without a better one, after which nothing better is expected."""

_WEIGHTS, _FACTS = "model.safetensors", "best.json"


class EnoughTuned(Exception):
    """Nothing better came for a while; the loop is left."""


class Best:
    """The best weights so far, in a folder of the run. every: steps between evaluations."""

    def __init__(self, run: Path, every: int) -> None:
        self.folder, self.every = run / layout.BEST, every
        there = (self.folder / _FACTS).is_file()
        if there and (fault := damage(self.folder, whole=True)):
            raise HornbookError(
                f"{self.folder} is damaged: {fault}. The best weights are lost; start a new run."
            )
        none: dict[str, Any] = {"step": 0, "loss": None}
        facts: dict[str, Any] = read_json(self.folder / _FACTS) if there else none
        self.step: int = facts["step"]
        self.loss: float | None = facts["loss"]

    def offer(self, state: TrainState, loss: float) -> bool:
        """Keep the weights as they are now if no loss was lower; returns whether it did.

        The same step may be offered again, after a restart.
        """
        if self.loss is not None and loss >= self.loss and state.step != self.step:
            return False
        weights = {name: weight.detach() for name, weight in trainable(state.model)}
        with atomic_folder(self.folder, layout.SAVED) as aside:
            write_tensors(aside / _WEIGHTS, weights)
            write_json(aside / _FACTS, {"step": state.step, "loss": loss})
        self.step, self.loss = state.step, loss
        return True

    def check(self, state: TrainState) -> None:
        """A hook: raises EnoughTuned in the step after the last evaluation that is waited for."""
        if state.step > self.step + PATIENCE * self.every:
            raise EnoughTuned

    @torch.no_grad()
    def restore(self, state: TrainState) -> None:
        """Give the model the best weights."""
        device = str(next(state.model.parameters()).device)
        weights = read_tensors(self.folder / _WEIGHTS, device)
        for name, weight in trainable(state.model):
            weight.copy_(weights[name])
