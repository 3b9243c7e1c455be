"""A process's share of a step: its rows of the batch that one process would have computed alone.

Every process asks for the whole batch, which depends on (seed, step) alone, and takes its pieces.
All compute equally many, as they meet in each: who has none left computes one that counts nothing.
"""

import itertools
from collections.abc import Iterator

from hornbook.batches.batch import AnyBatch
from hornbook.training.loop import LoopConfig
from hornbook.training.parallel.plans import Sharing
from hornbook.training.parallel.team import Team
from hornbook.training.precision import product_type


def share(batch: AnyBatch, micro_rows: int, team: Team) -> Iterator[tuple[AnyBatch, bool]]:
    """This process's pieces of a batch, as many as all others have, and whether each counts."""
    rows = sum(1 for _ in batch.split(1))
    size = micro_rows
    if getattr(batch, "divisible", True):
        size = min(micro_rows, -(-rows // team.world))
    count = sum(1 for _ in batch.split(size))
    mine = itertools.islice(batch.split(size), team.rank, None, team.world)
    rounds = -(-count // team.world)
    for number, piece in enumerate(itertools.chain(mine, batch.split(size))):
        if number == rounds:
            return
        yield piece, number * team.world + team.rank < count


def shared_gradient(
    sharing: Sharing, batch: AnyBatch, config: LoopConfig, team: Team, step: int
) -> tuple[float, int]:
    """Add up the gradient of the loss sum over all pieces of all processes; return that sum and its
    count, the same for all."""
    if team.rank:
        config.seed_step(step, team.rank)
    total, count = 0.0, 0
    pieces = list(share(batch, config.micro_rows, team))
    for number, (piece, counts) in enumerate(pieces, 1):
        with sharing.meeting(last=number == len(pieces)):
            with product_type(config.device, config.dtype):
                loss, targets = sharing.loss(piece.to(config.device))
            (loss if counts else 0 * loss).backward()
        if counts:
            total, count = total + float(loss.detach()), count + targets
    all_loss, all_count = team.sums(total, count)
    return all_loss, max(1, int(all_count))
