"""The gated delta rule of a layer, as the kernels take it: sizes, weights and memory, checked.

`nn.delta` says what is computed, and of what shapes. Imports no torch.
"""

from typing import NamedTuple

import numpy as np

from hornbook.kernels import structures
from hornbook.kernels.library import Library
from hornbook.kernels.pointers import Pieces, array, require, rule
from hornbook.kernels.quantised import DeltaSizes, DeltaWeights

_MOST = 2**31 - 1


class DeltaRows(NamedTuple):
    """What the projections say of rows of tokens: mixed (B, T, convolved), gate (B, T, inner), rate
    and step (B, T, heads), float32. counts (B,) int32: the real tokens of each row, which come
    first."""

    counts: np.ndarray
    mixed: np.ndarray
    gate: np.ndarray
    rate: np.ndarray
    step: np.ndarray


class DeltaMemory(NamedTuple):
    """past (B, taps - 1, convolved) and state (B, heads, head, key), float32, overwritten."""

    past: np.ndarray
    state: np.ndarray


def delta_rule(
    library: Library,
    sizes: DeltaSizes,
    weights: DeltaWeights,
    rows: DeltaRows,
    memory: DeltaMemory,
    threads: int | None = None,
) -> np.ndarray:
    """What the output projection reads, (B, T, inner) float32; 0 for tokens that are not real.

    threads: None for as many as compute best.
    """
    batch, time = rows.mixed.shape[:2]
    made = np.zeros(rows.gate.shape, np.float32)
    require(batch * time * max(sizes.convolved, sizes.heads) <= _MOST, "sizes of 32 bits")
    token, slot = (np.arange(count, dtype=np.int32) for count in (batch * time, batch))
    pieces = Pieces(slot * np.int32(time), rows.counts, slot, token)
    call = _call(sizes, rows, memory, pieces, made)
    library.delta(rule(sizes, weights), call, threads)
    return made


def _call(
    s: DeltaSizes,
    rows: DeltaRows,
    memory: DeltaMemory,
    pieces: Pieces,
    made: np.ndarray,
) -> structures.DeltaPieces:
    """The structure of a call, as long as all arrays live."""
    batch, time = rows.mixed.shape[:2]
    counts = rows.counts
    require(
        not len(counts) or (counts.min() >= 0 and counts.max() <= time), "tokens that are there"
    )
    kind, past = np.float32, (batch, s.taps - 1, s.convolved)
    return structures.DeltaPieces(
        tokens=batch * time,
        pieces=batch,
        longest=time,
        first=array(pieces.first, (batch,), np.int32),
        count=array(counts, (batch,), np.int32),
        slot=array(pieces.slot, (batch,), np.int32),
        token=array(pieces.token, (batch * time,), np.int32),
        mixed=array(rows.mixed, (batch, time, s.convolved), kind),
        gate=array(rows.gate, (batch, time, s.inner), kind),
        rate=array(rows.rate, (batch, time, s.heads), kind),
        step=array(rows.step, (batch, time, s.heads), kind),
        mixed_step=s.convolved,
        gate_step=s.inner,
        strength_step=s.heads,
        past=array(memory.past, past, kind),
        state=array(memory.state, (batch, s.heads, s.head, s.key), kind),
        y=array(made, (batch, time, s.inner), kind),
    )
