"""Muon's whole matrices by many processes: each makes some of them orthogonal, for all."""

from collections.abc import Sequence

import torch
import torch.distributed as dist
from torch import Tensor

from hornbook.training.muon import Orthogonal, orthogonalise
from hornbook.training.parallel.team import Team


def orthogonalised_apart(team: Team) -> Orthogonal:
    """For matrices that every process holds: each computes its part, all gather the whole."""

    def orthogonal(matrices: Sequence[Tensor], dtype: torch.dtype) -> Sequence[Tensor]:
        each = -(-len(matrices) // team.world)
        mine = list(matrices[team.rank * each : (team.rank + 1) * each])
        found = matrices[0].new_zeros(each, *matrices[0].shape)
        if mine:
            found[: len(mine)] = orthogonalise(torch.stack(mine), dtype)
        parts = [torch.empty_like(found) for _ in range(team.world)]
        dist.all_gather(parts, found)
        return torch.cat(parts)[: len(matrices)].unbind()

    return orthogonal


def orthogonalised_parts(team: Team) -> Orthogonal:
    """For matrices in parts by rows: each process is sent all parts of some of them, and sends the
    parts of what it made back."""

    from torch.distributed.tensor import DTensor  # takes time to import

    def orthogonal(matrices: Sequence[Tensor], dtype: torch.dtype) -> Sequence[Tensor]:
        first = matrices[0]
        assert isinstance(first, DTensor)
        (rows, columns), world = first.shape, team.world
        each, height = -(-len(matrices) // world), -(-rows // world)
        parts = [matrix.to_local() for matrix in matrices if isinstance(matrix, DTensor)]
        sent = parts[0].new_zeros(world * each, height, columns)
        for place, part in zip(sent, parts, strict=False):
            place[: len(part)] = part
        # (world, each, height, columns): the parts of `each` matrices, by who held them.
        mine = _exchanged(sent).view(world, each, height, columns).transpose(0, 1)
        whole = mine.reshape(each, world * height, columns)
        whole[:, :rows] = orthogonalise(whole[:, :rows], dtype)
        back = whole.view(each, world, height, columns).transpose(0, 1)
        found = _exchanged(back.reshape(world * each, height, columns))
        return [
            DTensor.from_local(
                place[: len(part)],
                first.device_mesh,
                first.placements,
                run_check=False,
                shape=first.shape,
                stride=first.stride(),
            )
            for place, part in zip(found, parts, strict=False)
        ]

    return orthogonal


def _exchanged(blocks: Tensor) -> Tensor:
    """The i-th share of the blocks goes to process i; returns what all sent to this one."""
    found = torch.empty_like(blocks)
    dist.all_to_all_single(found, blocks)
    return found
