"""How a model's work is shared: the one contract of all plans, and whole on each process (DDP).

A plan is put around a built model and its objective, which know nothing of it. In shards: `shards`.
"""

import contextlib
import warnings
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

import torch
import torch.distributed as dist
from torch import Tensor, nn

from hornbook.batches.batch import AnyBatch
from hornbook.training.checkpoint import PlainFiles, trainable, whole, write_whole
from hornbook.training.loop import Hook
from hornbook.training.objective import Objective
from hornbook.training.parallel.matrices import orthogonalised_apart
from hornbook.training.parallel.team import Team
from hornbook.training.precision import compile_layers
from hornbook.training.problem import Problem
from hornbook.training.state import TrainState, Written, at_once


class ModelWithObjective(nn.Module):
    """A model with its objective as a module: what the wrappers of torch expect."""

    def __init__(self, model: nn.Module, objective: Objective) -> None:
        super().__init__()
        self.model, self._objective = model, objective

    def forward(self, batch: AnyBatch) -> tuple[Tensor, int]:
        """The loss sum and its targets."""
        return self._objective(self.model, batch)


class Sharing(Protocol):
    """How the processes share a model. model: the problem's own, for whose shape it was made."""

    model: nn.Module

    def begin(self, problem: Problem) -> TrainState:
        """The state of a problem's beginning, the same on all processes."""
        ...

    def learning(self) -> None:
        """From now on the model learns."""

    def loss(self, batch: AnyBatch) -> tuple[Tensor, int]:
        """The objective's sum over this process's rows, and its targets."""
        ...

    def meeting(self, last: bool) -> AbstractContextManager[object]:
        """Around a piece of a step, the last one or not."""
        ...

    def finish(self, hooks: Sequence[Hook], state: TrainState) -> None:
        """What is done after every step."""

    def show(self) -> None:
        """Let the problem's own model have the weights of now."""

    def compile(self, undo: bool) -> None:
        """Compile the layers, or no longer."""

    def write(self, folder: Path, state: TrainState) -> Written:
        """Begin to write this process's part of a checkpoint, of which it keeps a copy."""
        ...

    def read(self, folder: Path, state: TrainState) -> str | None:
        """Take a checkpoint back, whoever wrote it; returns what is wrong with it."""


class Replicated:
    """Every process holds the whole model and its moments; gradients are added up in buckets while
    they are made (DistributedDataParallel). Muon's matrices are shared out."""

    def __init__(self, problem: Problem, team: Team) -> None:
        self.model, self._team = problem.model, team
        learned = ModelWithObjective(problem.model, problem.objective)
        ids = None if team.device == "cpu" else [torch.cuda.current_device()]
        # Sums are copied once where the layout of a gradient is another; nothing is wrong with it.
        warnings.filterwarnings("ignore", message="Grad strides do not match bucket view strides")
        with warnings.catch_warnings():  # the name of an argument changes with torch 2.13
            warnings.simplefilter("ignore", FutureWarning)
            self._ddp = nn.parallel.DistributedDataParallel(
                learned,
                device_ids=ids,
                broadcast_buffers=False,
                gradient_as_bucket_view=True,
                find_unused_parameters=_has_unused(problem),
            )
        self._ddp.register_comm_hook(None, _summed)

    def begin(self, problem: Problem) -> TrainState:
        """The state of a problem's beginning, the same on all processes."""
        state = problem.begin()
        for weight in self.model.parameters():
            dist.broadcast(weight.detach(), 0)
        state.optimiser.orthogonalise_by(orthogonalised_apart(self._team))
        return state

    def loss(self, batch: AnyBatch) -> tuple[Tensor, int]:
        found: tuple[Tensor, int] = self._ddp(batch)
        return found

    def meeting(self, last: bool) -> AbstractContextManager[object]:
        """Gradients meet in the last piece of a step."""
        if last:
            return contextlib.nullcontext()
        quiet: AbstractContextManager[object] = self._ddp.no_sync()
        return quiet

    def learning(self) -> None:
        self._ddp.train()

    def finish(self, hooks: Sequence[Hook], state: TrainState) -> None:
        for hook in hooks:
            hook(state)

    def show(self) -> None:
        """It has them."""

    def compile(self, undo: bool) -> None:
        compile_layers(self.model.get_submodule("stack"), undo)

    def write(self, folder: Path, state: TrainState) -> Written:
        if not self._team.leads:
            return at_once
        copies = {
            file: {name: tensor.to("cpu", copy=True) for name, tensor in tensors.items()}
            for file, tensors in whole(state).items()
        }
        return lambda: write_whole(folder, copies)

    def read(self, folder: Path, state: TrainState) -> str | None:
        return PlainFiles().read(folder, state)


def _has_unused(problem: Problem) -> bool:
    """Whether some weights have no gradient in some steps: experts that no token chose, or what an
    objective does not look at. Looking for them costs time in every step."""
    model = problem.model
    if any(getattr(module, "uncompiled", False) for module in model.modules()):
        return True
    row = next(problem.batches.batch(0).split(1)).to(problem.loop.device)
    problem.objective(model, row)[0].backward()
    unused = any(weight.grad is None for _, weight in trainable(model))
    model.zero_grad()
    return unused


def _summed(
    _: None,
    bucket: dist.GradBucket,  # type: ignore[name-defined]
) -> torch.futures.Future[Tensor]:
    """A sum where DDP takes the mean: a loss is divided once, by all targets."""
    work = dist.all_reduce(bucket.buffer(), async_op=True)
    future: torch.futures.Future[Any] = work.get_future()
    return future.then(lambda done: done.value()[0])
