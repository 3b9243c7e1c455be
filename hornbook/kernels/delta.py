"""The gated delta rule of a layer, as the kernels take it: sizes, weights and memory, checked.

`nn.delta` says what is computed, and of what shapes. Imports no torch.
"""

from typing import NamedTuple

import numpy as np

from hornbook.kernels import structures
from hornbook.kernels.library import Library
from hornbook.kernels.pointers import array, require

_LANES, _MOST = 16, 2**31 - 1


class DeltaSizes(NamedTuple):
    """heads of `head` channels of values, key_heads of `key` channels of keys and of queries."""

    heads: int
    head: int
    key_heads: int
    key: int
    taps: int
    epsilon: float

    def fits(self) -> bool:
        """Whether the kernels take such a layer."""
        return self.head % _LANES == 0 and self.key % _LANES == 0

    @property
    def inner(self) -> int:
        """Channels of all values."""
        return self.heads * self.head

    @property
    def convolved(self) -> int:
        """Channels of queries, keys and values."""
        return 2 * self.key_heads * self.key + self.inner


class DeltaWeights(NamedTuple):
    """conv (convolved, taps); step_bias, decay_log (heads,); norm (head,). float32."""

    conv: np.ndarray
    step_bias: np.ndarray
    decay_log: np.ndarray
    norm: np.ndarray


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
    made = np.empty(rows.gate.shape, np.float32)
    library.delta(_call(sizes, weights, rows, memory, made), threads)
    return made


def _call(
    s: DeltaSizes, w: DeltaWeights, rows: DeltaRows, memory: DeltaMemory, made: np.ndarray
) -> structures.Delta:
    """The structure of a call, as long as all arrays live."""
    batch, time = rows.mixed.shape[:2]
    require(s.fits() and s.heads % s.key_heads == 0 and s.taps > 0, "sizes that the kernels take")
    require(batch * time * max(s.convolved, s.heads) <= _MOST, "sizes of 32 bits")
    counts = rows.counts
    require(
        not len(counts) or (counts.min() >= 0 and counts.max() <= time), "tokens that are there"
    )
    kind, past = np.float32, (batch, s.taps - 1, s.convolved)
    return structures.Delta(
        rows=batch,
        time=time,
        heads=s.heads,
        head=s.head,
        key_heads=s.key_heads,
        key=s.key,
        taps=s.taps,
        epsilon=s.epsilon,
        count=array(counts, (batch,), np.int32),
        mixed=array(rows.mixed, (batch, time, s.convolved), kind),
        gate=array(rows.gate, (batch, time, s.inner), kind),
        rate=array(rows.rate, (batch, time, s.heads), kind),
        step=array(rows.step, (batch, time, s.heads), kind),
        conv=array(w.conv, (s.convolved, s.taps), kind),
        step_bias=array(w.step_bias, (s.heads,), kind),
        decay_log=array(w.decay_log, (s.heads,), kind),
        norm=array(w.norm, (s.head,), kind),
        past=array(memory.past, past, kind),
        state=array(memory.state, (batch, s.heads, s.head, s.key), kind),
        y=array(made, (batch, time, s.inner), kind),
    )
