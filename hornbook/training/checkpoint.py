"""Checkpoints: weights and optimiser moments as safetensors, counters as JSON, whole or not
at all.
"""

import contextlib
import copy
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self

import torch
from torch import Tensor, nn

from hornbook.core.claims import Claim
from hornbook.core.errors import HornbookError
from hornbook.core.files import read_json, write_json
from hornbook.core.folders import atomic_folder, damage, discard
from hornbook.models.tensors import read_tensors, write_tensors
from hornbook.training.parallel.parts import has_parts, read_parts
from hornbook.training.schedule import Cut
from hornbook.training.state import TrainState, Written, at_once

KEPT = 2
"""The newest checkpoints are kept, so that one lost to a bad disk is not the end."""

CLAIM = Claim("a checkpoint", repairs=True, whole=True)
_COUNTERS = ("step", "tokens", "elapsed_s", "loss", "gradient_norm", "cuts", "threads")


def save_checkpoint(folder: Path, state: TrainState, kept: int | None = KEPT) -> Path:
    """Write `folder`/step-NNNNNNNN and drop all but the newest few. Returns what was written.

    kept: how many stay; None for all.

    Frozen weights are not written: they are what the model was built with.
    """
    return begin_checkpoint(folder, state, kept)()


def begin_checkpoint(folder: Path, state: TrainState, kept: int | None) -> Callable[[], Path]:
    """What finishes a checkpoint of `state` as it is now, in any thread; it is there from then on.

    Where many processes train (`state.files`), `state` may change before: what is needed of it was
    copied.
    """
    target = folder / f"step-{state.step:08d}"
    counted = {name: copy.copy(getattr(state, name)) for name in _COUNTERS}
    with contextlib.ExitStack() as making:
        aside = making.enter_context(atomic_folder(target, CLAIM))
        written = (state.files or PlainFiles()).write(aside, state)
        made = making.pop_all()

    def finish() -> Path:
        with made:
            written()
            write_json(aside / "state.json", counted)
        for old in checkpoints(folder)[:-kept] if kept else ():
            discard(old)
        return target

    return finish


class Saver:
    """Saves the checkpoints of a run, one after the other: beside the training where many processes
    train, at once by one process alone. As a context: nothing is being written after it."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(1, "checkpoint")
        self._writing: Future[Path] | None = None

    def save(self, folder: Path, state: TrainState, kept: int | None = KEPT) -> None:
        """As `save_checkpoint`; raises what went wrong with the one before, too."""
        self.wait()
        if state.files is None:
            save_checkpoint(folder, state, kept)
        else:
            self._writing = self._threads.submit(begin_checkpoint(folder, state, kept))

    def wait(self) -> None:
        """Until the last one is there. Raises what went wrong with it."""
        writing, self._writing = self._writing, None
        if writing is not None:
            writing.result()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if error is None:
                self.wait()
        finally:
            self._threads.shutdown()


def kept_steps(steps: int, count: int) -> set[int]:
    """After which of `steps` steps `count` checkpoints are kept: in about equal ratios, from the
    first step to before the last.
    """
    return {round(steps ** (number / count)) for number in range(count)} - {steps}


def load_checkpoint(folder: Path, state: TrainState, say: Callable[[str], None]) -> bool:
    """Put the newest whole checkpoint of `folder` into `state`; False when none was written yet.

    One with a file that is not what was written is passed over, and it is said. Raises
    HornbookError when none is whole, or when it belongs to another model.
    """
    found = checkpoints(folder)
    faults: list[str] = []
    for path in reversed(found):
        fault = restore(path, state)
        if fault is None:
            _set_aside(found[found.index(path) + 1 :])
            return True
        faults.append(f"{path} is damaged: {fault}.")
        say(f"{faults[-1]} Trying the checkpoint before.")
    if faults:
        raise HornbookError(f"{' '.join(faults)} No checkpoint is left; start a new run.")
    return False


def _set_aside(damaged: list[Path]) -> None:
    """Out of the way of those that are written when training comes to their steps again."""
    for path in damaged:
        with contextlib.suppress(OSError):
            path.rename(path.with_name(f"damaged-{path.name}"))


def restore(path: Path, state: TrainState) -> str | None:
    """Read a checkpoint, or say what is wrong with it before `state` is touched. Raises
    HornbookError for one of another model."""
    if fault := damage(path, whole=True):
        return fault
    if fault := (state.files or PlainFiles()).read(path, state):
        return fault
    return counters(path, state)


def counters(path: Path, state: TrainState) -> str | None:
    """Read what a checkpoint holds besides tensors, or say what is wrong with it."""
    try:
        found = read_json(path / "state.json")
    except (OSError, HornbookError) as error:
        return str(error).rstrip(".")
    for name, value in found.items():
        setattr(state, name, value)
    state.cuts = [Cut(*cut) for cut in state.cuts]
    state.threads = [(at, count) for at, count in state.threads]
    return None


class PlainFiles:
    """The tensors of a checkpoint as this process holds them all."""

    def write(self, folder: Path, state: TrainState) -> Written:
        """All at once."""
        write_whole(folder, whole(state))
        return at_once

    def read(self, folder: Path, state: TrainState) -> str | None:
        """Raises HornbookError where they are of another model."""
        if has_parts(folder):
            return read_parts(folder, dict(trainable(state.model)), state)
        moments = read_whole(folder, state.model)
        if isinstance(moments, str):
            return moments
        state.optimiser.load_state(moments)
        return None


Whole = Mapping[str, Mapping[str, Tensor]]
"""The tensors of a checkpoint, by file and name."""


def whole(state: TrainState) -> Whole:
    """What moves, and its moments, as the process holds them that holds all."""
    return {
        "model": {name: weight.detach() for name, weight in trainable(state.model)},
        "optimiser": state.optimiser.state(),
    }


def write_whole(folder: Path, files: Whole) -> None:
    """The files that `read_whole` reads."""
    for name, tensors in files.items():
        write_tensors(folder / f"{name}.safetensors", tensors)


@torch.no_grad()
def read_whole(folder: Path, model: nn.Module) -> dict[str, Tensor] | str:
    """Read a checkpoint's weights into a model; returns the optimiser's state, or what is wrong
    with the files. Raises HornbookError where they are of another model.
    """
    device = str(next(model.parameters()).device)
    try:
        weights = read_tensors(folder / "model.safetensors", device)
        moments = read_tensors(folder / "optimiser.safetensors", device)
    except (OSError, HornbookError) as error:
        return str(error).rstrip(".")
    for name, weight in trainable(model):
        if name not in weights or weights[name].shape != weight.shape:
            raise HornbookError(f"{folder} was written by another model: {name} differs.")
        weight.copy_(weights[name])
    return moments


def trainable(model: nn.Module) -> list[tuple[str, nn.Parameter]]:
    """The parameters that are not frozen, by name."""
    return [(name, weight) for name, weight in model.named_parameters() if weight.requires_grad]


def checkpoints(folder: Path) -> list[Path]:
    """Finished checkpoints, oldest first."""
    return sorted(path for path in folder.glob("step-*") if (path / "state.json").is_file())
