"""The processes of a run, in contact: orders from the first, sums over all, reasons of failures.

Knows nothing of models.
"""

import contextlib
import datetime
import json
import os
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
import torch.distributed as dist
from torch.distributed.rendezvous import rendezvous

from hornbook.core import ranks
from hornbook.core.errors import UsageError

_PATIENCE = datetime.timedelta(days=30)
"""How long helpers wait for an order: preparing a large corpus takes days."""
_GATHERING = datetime.timedelta(minutes=30)
"""How long those wait that came first: machines of a cluster start one after the other."""
_FRAME = 1024
"""Bytes of an order that are sent at once, its length included."""
_REASON, _REASON_S = "failed", 3.0
"""Where a process that fails says why, and how long the others wait for that."""
_LENGTH = 8


class LastWord(NamedTuple):
    """Of a process that ended: which, and why."""

    rank: int
    reason: str


class Team:
    """All processes, of which rank 0 leads. device: where models are, "cpu" or "cuda". orders: the
    group that exchanges plain data. saving: that of threads that write checkpoints meanwhile."""

    def __init__(self, device: str) -> None:
        try:
            self.store, self.rank, self.world = next(iter(rendezvous("env://", timeout=_GATHERING)))
        except dist.DistStoreError:
            minutes = round(_GATHERING.total_seconds() / 60)
            raise UsageError(
                f"After {minutes} minutes not all {ranks.world()} processes are there; what the "
                "others printed says why."
            ) from None
        backend = "gloo" if device == "cpu" else f"cpu:gloo,{device}:nccl"
        dist.init_process_group(backend, store=self.store, rank=self.rank, world_size=self.world)
        self.orders = dist.new_group(backend="gloo", timeout=_PATIENCE)
        self.saving = dist.new_group(backend="gloo", timeout=_PATIENCE)
        self.device = device

    @property
    def leads(self) -> bool:
        return bool(self.rank == 0)

    def tell(self, order: dict[str, Any]) -> None:
        """Give all others an order of plain data."""
        data = json.dumps(order).encode("ascii")
        data = len(data).to_bytes(_LENGTH, "little") + data
        for start in (0, _FRAME):
            if part := data[start : _FRAME if not start else None]:
                self._send(part.ljust(_FRAME, b"\0"))

    def told(self) -> dict[str, Any]:
        """The next order of the leader."""
        first = self._receive(_FRAME)
        size = int.from_bytes(first[:_LENGTH], "little")
        data = first[_LENGTH : _LENGTH + size]
        if (more := size + _LENGTH - _FRAME) > 0:
            data += self._receive(max(more, _FRAME))[:more]
        order: dict[str, Any] = json.loads(data)
        return order

    def _send(self, data: bytes) -> None:
        tensor = torch.frombuffer(bytearray(data), dtype=torch.uint8)
        dist.broadcast(tensor, 0, group=self.orders)

    def _receive(self, size: int) -> bytes:
        tensor = torch.empty(size, dtype=torch.uint8)
        dist.broadcast(tensor, 0, group=self.orders)
        return tensor.numpy().tobytes()

    def sums(self, *values: float) -> list[float]:
        """The sum over all processes of each value, the same everywhere."""
        total = torch.tensor(values, dtype=torch.float64)
        dist.all_reduce(total, group=self.orders)
        found: list[float] = total.tolist()
        return found

    def gathered(self, mine: Sequence[Any]) -> list[list[Any]]:
        """What each process found, plain data, in their order, everywhere."""
        data = json.dumps(list(mine)).encode("ascii")
        sizes = [torch.zeros(1, dtype=torch.int64) for _ in range(self.world)]
        dist.all_gather(sizes, torch.tensor([len(data)]), group=self.orders)
        most = max(int(size) for size in sizes)
        padded = torch.frombuffer(bytearray(data.ljust(most)), dtype=torch.uint8)
        parts = [torch.empty_like(padded) for _ in range(self.world)]
        dist.all_gather(parts, padded, group=self.orders)
        return [json.loads(part.numpy().tobytes()) for part in parts]

    def meet(self) -> None:
        """Wait until all are here."""
        dist.barrier(group=self.orders)

    def failed(self, reason: str) -> None:
        """Leave word for the others why this process ends, where none was left before; "" where it
        knows no more than that another did."""
        with contextlib.suppress(RuntimeError):
            if not self.store.check([_REASON]):
                self.store.set(_REASON, json.dumps([self.rank, reason]))

    def said(self) -> "LastWord | None":
        """What the first that ended has said; waits a moment for it. None where none says it:
        it was killed."""
        until = time.monotonic() + _REASON_S
        with contextlib.suppress(RuntimeError):
            while time.monotonic() < until:
                if self.store.check([_REASON]):
                    return LastWord(*json.loads(self.store.get(_REASON)))
                time.sleep(0.1)
        return None

    def leave(self) -> None:
        """Contact ends."""
        with contextlib.suppress(RuntimeError):
            dist.destroy_process_group()


def lost_contact(error: BaseException) -> bool:
    """Whether a library lost contact with another process. Gloo's errors have no class."""
    words = ("gloo", "Connection", "Broken pipe", "NCCL")
    return isinstance(error, dist.DistError) or (
        isinstance(error, RuntimeError) and any(word in str(error) for word in words)
    )


_met: set[tuple[str, str]] = set()
"""Where teams of this process met."""


def contact() -> Team | None:
    """The team that a launcher started this process for; None for a process alone.

    Each takes the accelerator of its number. Raises UsageError where the others have ended.
    """
    if ranks.world() == 1:
        return None
    where = os.environ["MASTER_ADDR"], os.environ["MASTER_PORT"]
    if where in _met:
        raise UsageError("The other processes ended with the run before; start each by a launcher.")
    _met.add(where)
    ranks.end_with_launcher()
    if not torch.cuda.is_available():
        return Team("cpu")
    torch.cuda.set_device(ranks.local_rank() % torch.cuda.device_count())
    return Team("cuda")
