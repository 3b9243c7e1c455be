"""Checkpoints: weights and optimiser moments as safetensors, counters as JSON, whole or not at all.

Knows `TrainState`; knows nothing of runs or reports.
"""

import shutil
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from hornbook.core.errors import HornbookError
from hornbook.core.files import atomic_folder, read_json, write_json
from hornbook.models.tensors import write_tensors
from hornbook.train.schedule import Cut
from hornbook.train.state import TrainState

KEPT = 2
"""The newest checkpoints are kept, so that one lost to a bad disk is not the end."""

_COUNTERS = ("step", "tokens", "elapsed_s", "loss", "gradient_norm", "cuts")


def save_checkpoint(folder: Path, state: TrainState) -> Path:
    """Write `folder`/step-NNNNNNNN and drop all but the newest few. Returns what was written.

    Frozen weights are not written: they are what the model was built with.
    """
    target = folder / f"step-{state.step:08d}"
    weights = {name: weight.detach() for name, weight in moving(state.model)}
    with atomic_folder(target) as aside:
        write_tensors(aside / "model.safetensors", weights)
        write_tensors(aside / "optimiser.safetensors", state.optimiser.state())
        write_json(aside / "state.json", {name: getattr(state, name) for name in _COUNTERS})
    for old in _checkpoints(folder)[:-KEPT]:
        shutil.rmtree(old)
    return target


def load_checkpoint(folder: Path, state: TrainState) -> bool:
    """Put the newest checkpoint of `folder` into `state`; False when none was written yet.

    Raises HornbookError when it is damaged or belongs to another model.
    """
    found = _checkpoints(folder)
    if not found:
        return False
    newest, device = found[-1], str(next(state.model.parameters()).device)
    try:
        weights = load_file(newest / "model.safetensors", device)
        moments = load_file(newest / "optimiser.safetensors", device)
    except (SafetensorError, FileNotFoundError) as error:
        raise HornbookError(
            f"{newest} is damaged: {error}. Delete it to use the one before."
        ) from None
    with torch.no_grad():
        for name, weight in moving(state.model):
            if name not in weights or weights[name].shape != weight.shape:
                raise HornbookError(f"{newest} was written by another model: {name} differs.")
            weight.copy_(weights[name])
    state.optimiser.load_state(moments)
    for name, value in read_json(newest / "state.json").items():
        setattr(state, name, value)
    state.cuts = [Cut(*cut) for cut in state.cuts]
    return True


def moving(model: nn.Module) -> list[tuple[str, nn.Parameter]]:
    """The parameters that are not frozen, by name."""
    return [(name, weight) for name, weight in model.named_parameters() if weight.requires_grad]


def _checkpoints(folder: Path) -> list[Path]:
    """Finished checkpoints, oldest first."""
    return sorted(path for path in folder.glob("step-*") if (path / "state.json").is_file())
