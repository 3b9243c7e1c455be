"""Whether the kernels compute the gated delta rule as it is defined: a few tokens, against numpy.

Two rows of unlike length, in two calls, so that memory is gone on with. A fifth of a millisecond.
"""

import numpy as np

from hornbook.kernels.delta import DeltaMemory, DeltaRows, delta_rule
from hornbook.kernels.library import Library
from hornbook.kernels.quantised import DeltaSizes, DeltaWeights

_SIZES = DeltaSizes(heads=4, head=16, key_heads=2, key=32, taps=3, epsilon=0.01)
_COUNTS = (np.array([2, 1], np.int32), np.array([0, 3], np.int32))
_CLOSE = 1e-4


def delta_is_right(library: Library, threads: int | None) -> bool:
    """Whether so many threads (None: all) find what the definition gives."""
    random = np.random.default_rng(0)

    def numbers(*shape: int) -> np.ndarray:
        return random.normal(0, 1, shape).astype(np.float32)

    s = _SIZES
    weights = DeltaWeights(
        numbers(s.taps, s.convolved), numbers(s.heads), numbers(s.heads), numbers(s.head)
    )
    memory = DeltaMemory(
        np.zeros((2, s.taps - 1, s.convolved), np.float32),
        np.zeros((2, s.heads, s.head, s.key), np.float32),
    )
    seen: list[list[np.ndarray]] = [[], []]
    for counts in _COUNTS:
        time = int(counts.max())
        sizes = (s.convolved, s.inner, s.heads, s.heads)
        rows = DeltaRows(counts, *(numbers(2, time, size) for size in sizes))
        found = delta_rule(library, s, weights, rows, memory, threads)
        for row, count in enumerate(counts):
            for t in range(count):
                seen[row].append(np.concatenate([part[row, t] for part in rows[1:]]))
            if count and not np.allclose(
                found[row, :count], defined(s, weights, np.stack(seen[row]))[-count:], atol=_CLOSE
            ):
                return False
    return True


def defined(s: DeltaSizes, w: DeltaWeights, projected: np.ndarray) -> np.ndarray:
    """What the output reads of a sequence of projected tokens (T, convolved + inner + 2 heads):
    queries, keys and values, gates, rates and steps. (T, inner), in float64."""
    keys, each = s.key_heads * s.key, s.heads // s.key_heads
    own = np.arange(s.heads) % s.key_heads if s.spread else np.arange(s.heads) // each
    x = projected.astype(np.float64)
    mixed, gate, rate, step = np.split(x, np.cumsum([s.convolved, s.inner, s.heads]), axis=1)
    before = np.concatenate([np.zeros((s.taps - 1, s.convolved)), mixed])
    mixed = _silu(sum(before[i : i + len(x)] * w.conv[i] for i in range(s.taps)))
    kept = np.exp(-np.exp(w.decay_log) * np.log1p(np.exp(step + w.step_bias)))
    found = np.empty((len(x), s.heads, s.head))
    state = np.zeros((s.heads, s.head, s.key))
    for t in range(len(x)):
        both = mixed[t, : 2 * keys].reshape(2, s.key_heads, s.key)
        query, key = (_unit(part)[own] for part in both)  # of each head
        value = mixed[t, 2 * keys :].reshape(s.heads, s.head)
        state *= kept[t, :, None, None]
        known = np.einsum("hvk,hk->hv", state, key)
        written = (value - known) / (1 + np.exp(-rate[t, :, None]))
        state += written[..., None] * key[:, None]
        found[t] = np.einsum("hvk,hk->hv", state, query) / np.sqrt(s.key)
    normed = found / np.sqrt(np.square(found).mean(-1, keepdims=True) + s.epsilon) * w.norm
    made: np.ndarray = normed.reshape(len(x), -1) * _silu(gate)
    return made


def _silu(x: np.ndarray) -> np.ndarray:
    made: np.ndarray = x / (1 + np.exp(-x))
    return made


def _unit(x: np.ndarray) -> np.ndarray:
    made: np.ndarray = x / np.sqrt(np.square(x).sum(-1, keepdims=True) + 1e-6)
    return made
