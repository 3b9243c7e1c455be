"""A model in shards: each process holds a part of every weight (FSDP2).

Importing this takes most of a second, so it is done where a model is sharded.
"""

import contextlib
import copy
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor

from hornbook.batches.batch import AnyBatch
from hornbook.training.checkpoint import read_whole, trainable
from hornbook.training.layers import layers_of
from hornbook.training.loop import Hook
from hornbook.training.optimiser import Optimiser
from hornbook.training.parallel.matrices import orthogonalised_parts
from hornbook.training.parallel.parts import has_parts, read_parts, write_parts
from hornbook.training.parallel.plans import ModelWithObjective
from hornbook.training.parallel.team import Team
from hornbook.training.precision import compile_layers
from hornbook.training.problem import Problem
from hornbook.training.state import TrainState, Written


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

    def write(self, folder: Path, state: TrainState) -> Written:
        return write_parts(folder, dict(trainable(self._parts)), state, self._team)

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
