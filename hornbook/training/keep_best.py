"""Early stopping: the best weights by a measure are kept on disk, and training ends without better.

What decides lies in a folder, so that a resumed run stops where an undisturbed one would.
"""

from pathlib import Path
from typing import Any

import torch

from hornbook.core.claims import Claim
from hornbook.core.errors import HornbookError
from hornbook.core.files import read_json, write_json
from hornbook.core.folders import atomic_folder, damage
from hornbook.models.tensors import read_tensors, write_tensors
from hornbook.training.checkpoint import trainable
from hornbook.training.state import TrainState

_WEIGHTS, _FACTS = "model.safetensors", "best.json"


class NothingBetter(Exception):
    """Nothing better came for a while; the loop is left."""


class KeepBest:
    """The best weights so far, in a folder of a run.

    claim: who writes the folder. wait: steps without a better measure, after which nothing better
    is expected. Raises HornbookError where the folder is damaged.
    """

    def __init__(self, folder: Path, claim: Claim, wait: int) -> None:
        self.folder, self._claim, self._wait = folder, claim, wait
        there = (folder / _FACTS).is_file()
        if there and (fault := damage(folder, whole=True)):
            raise HornbookError(
                f"{folder} is damaged: {fault}. The best weights are lost; start a new run."
            )
        none: dict[str, Any] = {"step": 0, "measure": None}
        facts: dict[str, Any] = read_json(folder / _FACTS) if there else none
        self.step: int = facts["step"]
        self.measure: float | None = facts["measure"]

    def offer(self, state: TrainState, measure: float) -> bool:
        """Keep the weights as they are now if nothing was lower; returns whether it did.

        The same step may be offered again, after a restart.
        """
        better = self.measure is None or measure < self.measure
        if not better and state.step != self.step:
            return False
        weights = {name: weight.detach() for name, weight in trainable(state.model)}
        with atomic_folder(self.folder, self._claim) as aside:
            write_tensors(aside / _WEIGHTS, weights)
            write_json(aside / _FACTS, {"step": state.step, "measure": measure})
        self.step, self.measure = state.step, measure
        return True

    def check(self, state: TrainState) -> None:
        """A hook: raises NothingBetter in the step after the last evaluation that is waited for."""
        if state.step > self.step + self._wait:
            raise NothingBetter

    @torch.no_grad()
    def restore(self, state: TrainState) -> None:
        """Give the model the best weights."""
        device = str(next(state.model.parameters()).device)
        weights = read_tensors(self.folder / _WEIGHTS, device)
        for name, weight in trainable(state.model):
            weight.copy_(weights[name])
