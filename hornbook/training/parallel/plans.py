"""How a model's work is shared: whole on each process (DDP), or in shards (FSDP2).

A plan is put around a built model and its objective, which know nothing of it.
"""

import contextlib
import copy
import warnings
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor

from hornbook.batches.batch import AnyBatch
from hornbook.training.checkpoint import PlainFiles, read_whole, trainable
from hornbook.training.layers import layers_of
from hornbook.training.loop import Hook
from hornbook.training.objective import Objective
from hornbook.training.optimiser import Optimiser
from hornbook.training.parallel.matrices import orthogonalised_apart, orthogonalised_parts
from hornbook.training.parallel.parts import has_parts, read_parts, write_parts
from hornbook.training.parallel.team import Team
from hornbook.training.precision import compile_layers
from hornbook.training.problem import Problem
from hornbook.training.state import TrainState


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

    def write(self, folder: Path, state: TrainState) -> None:
        """This process's part of a checkpoint."""

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

    def write(self, folder: Path, state: TrainState) -> None:
        if self._team.leads:
            PlainFiles().write(folder, state)

    def read(self, folder: Path, state: TrainState) -> str | None:
        return PlainFiles().read(folder, state)


class Sharded:
    """Every process holds a part of each weight, its gradient and its moments, and gathers layer
    after layer while it computes (FSDP2). The problem's own model is kept beside it, whole, for all
    that is no training: it must have room, once, in the memory of each process."""

    def __init__(self, problem: Problem, team: Team) -> None:
        self.model, self._team = problem.model, team
        self._parts = copy.deepcopy(problem.model)
        self._learned = ModelWithObjective(self._parts, problem.objective)
        self._mesh = init_device_mesh(team.device, (team.world,))
        for layer in layers_of(self._parts):
            fully_shard(layer, mesh=self._mesh)
        fully_shard(self._learned, mesh=self._mesh)
        for module in self._learned.modules():
            if isinstance(module, FSDPModule):  # a sum: a loss is divided once, by all targets
                module.set_gradient_divide_factor(1.0)
                module.set_force_sum_reduction_for_comms(True)

    def begin(self, problem: Problem) -> TrainState:
        plain = problem.begin()
        for weight in self.model.parameters():
            dist.broadcast(weight.detach(), 0)
        self._take()
        optimiser = Optimiser(self._parts, plain.optimiser.config, plain.optimiser.dtype)
        optimiser.orthogonalise_by(orthogonalised_parts(self._team))
        return TrainState(self.model, optimiser)

    @torch.no_grad()
    def _take(self) -> None:
        """The weights that the problem's own model has."""
        for whole, part in self._pairs():
            part.copy_(self._part(whole, part))

    @torch.no_grad()
    def show(self) -> None:
        for whole, part in self._pairs():
            if whole.requires_grad:
                whole.copy_(part.full_tensor())

    def _part(self, whole: Tensor, part: Tensor) -> DTensor:
        """What this process holds of a tensor that all have."""
        assert isinstance(part, DTensor)
        return distribute_tensor(whole, self._mesh, part.placements, src_data_rank=None)

    def _pairs(self) -> Iterator[tuple[nn.Parameter, DTensor]]:
        """Each weight of the problem's own model with this process's part of it."""
        for whole, part in zip(self.model.parameters(), self._parts.parameters(), strict=True):
            assert isinstance(part, DTensor)
            yield whole, part

    def loss(self, batch: AnyBatch) -> tuple[Tensor, int]:
        found: tuple[Tensor, int] = self._learned(batch)
        return found

    def meeting(self, last: bool) -> AbstractContextManager[object]:
        """Gradients meet in every piece: whole ones have no room."""
        return contextlib.nullcontext()

    def learning(self) -> None:
        self._learned.train()
        self.model.zero_grad()  # of what was timed on it

    def finish(self, hooks: Sequence[Hook], state: TrainState) -> None:
        if hooks:
            self.show()
            for hook in hooks:
                hook(state)
            self._take()

    def compile(self, undo: bool) -> None:
        compile_layers(self._parts.get_submodule("stack"), undo)

    def write(self, folder: Path, state: TrainState) -> None:
        write_parts(folder, dict(trainable(self._parts)), state, self._team)

    def read(self, folder: Path, state: TrainState) -> str | None:
        weights = dict(trainable(self._parts))
        if has_parts(folder):
            return read_parts(folder, weights, state, self._team)
        return self._read_whole(folder, weights, state)

    @torch.no_grad()
    def _read_whole(
        self, folder: Path, weights: dict[str, nn.Parameter], state: TrainState
    ) -> str | None:
        """Of what one process wrote, this one's part."""
        moments = read_whole(folder, self.model)
        if isinstance(moments, str):
            return moments
        self._take()
        state.optimiser.load_state(
            {
                key: self._part(moment, weights[key.rpartition("/")[0]]) if moment.ndim else moment
                for key, moment in moments.items()
            }
        )
        return None


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
