"""A decoder in our own kernels, without torch: all layers of a call's rows in one go.

A row is a token with its slot and position, so the next tokens of many streams and the chunks of
many prompts are one call, and each token gets the same bits whatever it is computed beside. Knows
the kernels' structures; knows nothing of where weights come from.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import accumulate

import numpy as np

from hornbook import kernels as native
from hornbook.core.errors import HornbookError
from hornbook.generate.lazy_memory import LazyZeros
from hornbook.kernels import pointers
from hornbook.kernels.pointers import Rows
from hornbook.kernels.quantised import DecoderWeights
from hornbook.kernels.structures import ABREAST
from hornbook.nn.capacity import no_memory_for, require_capacity

PASS = 128
"""Rows of a call: enough to be fast, and few enough that what they need stays in the cache."""


_WORTH_GIVING_BACK = 256
"""Tokens that leave a row together: their memory is given back."""


class NativeDecoder:
    """A `Decoder`. vocab, context: as it says. Needs `native.library()`."""

    def __init__(self, weights: DecoderWeights) -> None:
        library = native.library()
        assert library is not None
        self.weights, self.vocab, self.context = weights, weights.vocab, weights.context
        self._library, self._head = library, pointers.matrix(weights.logits)
        self._decoder = pointers.decoder(weights)
        self._turns: dict[tuple[int, ...], np.ndarray] = {}

    def sequences(self, rows: int, capacity: int | None = None) -> "NativeSequences":
        """Empty sequences of at most `capacity` tokens (None: the context)."""
        return NativeSequences(self, rows, min(capacity or self.context, self.context))

    def features(
        self, rows: Rows, caches: "Caches", computing: Callable[[], None] | None = None
    ) -> np.ndarray:
        """What the head reads of each row, (R, D); keys and values are written. computing: is
        called when all is ready."""
        least, largest = pointers.limits(rows.ids)
        if least < 0 or largest >= self.vocab:
            raise HornbookError(f"Tokens are 0 to {self.vocab - 1} in this model.")
        x = np.ascontiguousarray(self.weights.embed(rows.ids))
        turns = self._turned(pointers.limits(rows.positions)[1] + 1, caches.capacity)
        pieces = pointers.pieces(rows.slots) if caches.recalls else None
        passed = pointers.call(self.weights, rows, x, turns, caches.kept, pieces)
        if computing is not None:
            computing()
        self._library.run(self._decoder, passed)
        if self.weights.multiplier != 1:
            x *= np.float32(self.weights.multiplier)
        return x

    def logits(self, features: np.ndarray) -> np.ndarray:
        """(R, D) to (R, V) float32."""
        found = self._library.product(self._head, np.ascontiguousarray(features))[:, : self.vocab]
        if self.weights.cap is not None:
            cap = np.float32(self.weights.cap)
            np.multiply(np.tanh(np.divide(found, cap, out=found), out=found), cap, out=found)
        return found

    def _turned(self, reach: int, capacity: int) -> np.ndarray:
        """Of each turning cosines and sines of at least the first `reach` positions, (N, 2, P,
        pairs), in sequences of at most `capacity` tokens."""
        turnings = self.weights.turnings
        far = tuple(id(turning.of(capacity)) for turning in turnings)
        known = self._turns.get(far)  # another thread may put a shorter one in its place
        if known is None or known.shape[2] < reach:
            positions = np.arange(min(self.context, 2 * reach), dtype=np.float32)
            shape = len(turnings), 2, len(positions), self.weights.pairs()
            known = np.empty(shape, np.float32)
            for table, turning in zip(known, turnings, strict=True):
                angles = (positions[:, None] * turning.of(capacity)).astype(np.float64)
                table[:] = np.stack([np.cos(angles), np.sin(angles)]) * turning.amplitude
            self._turns[far] = known
        return known


def _abreast(positions: int) -> int:
    """As many, and those that lie together with the last of them in the kernels' order."""
    return -(-positions // ABREAST) * ABREAST


class Caches:
    """What is remembered, a `pointers.DecoderMemory` with room for `capacity` tokens and some more.
    kept: as the kernels find it. recalls: whether some layers remember all tokens so far in
    one state, which is not that of fewer tokens."""

    def __init__(self, weights: DecoderWeights, slots: int, capacity: int) -> None:
        self.capacity, self.recalls = capacity, bool(weights.rules())
        keys, values, *states = pointers.memory_shapes(weights, slots, _abreast(capacity))
        try:
            self._both = LazyZeros(keys, np.float16), LazyZeros(values, np.float16)
            self._states = [np.zeros(shape, np.float32) for shape in states]
        except (MemoryError, ValueError):
            raise no_memory_for(capacity) from None
        self.keys: np.ndarray = self._both[0].array
        self.values: np.ndarray = self._both[1].array
        memory = pointers.DecoderMemory(self.keys, self.values, *self._states)
        self.kept = pointers.kept(weights, memory)

    def forget(self, slot: int) -> None:
        """What a slot holds in states, which begin from nothing."""
        for each in self._states:
            each[:, slot] = 0

    def copy(self, source: int, target: int, length: int) -> None:
        """The first positions of a slot; those abreast lie together, and come along."""
        for each in (self.keys, self.values):
            each[:, target, :, : _abreast(length)] = each[:, source, :, : _abreast(length)]

    def give_back(self, slot: int, first: int, last: int) -> None:
        """The memory of some positions of a slot, which hold nothing any more."""
        layers, slots, heads, room, head = self.keys.shape
        first = _abreast(first)
        for layer in range(layers):
            begin = (layer * slots + slot) * heads
            for row in range(begin, begin + heads):
                places = (row * room + first) * head, (row * room + last) * head
                for each in self._both:
                    each.give_back(*places)

    def bytes_of_position(self) -> int:
        """What a token in one slot takes."""
        layers, _, kv_heads, _, head = self.keys.shape
        return int(2 * self.keys.itemsize * layers * kv_heads * head)


class NativeSequences:
    """`Sequences` of a native decoder; keys and values are half floats."""

    lazy = True

    def __init__(self, decoder: NativeDecoder, rows: int, capacity: int) -> None:
        self._decoder, self.capacity = decoder, capacity
        self._caches = Caches(decoder.weights, rows, capacity)
        self.cuttable = not self._caches.recalls
        self._lengths = [0] * rows

    def go_on(
        self, new: Mapping[int, Sequence[int]], computing: Callable[[], None] | None = None
    ) -> dict[int, np.ndarray]:
        """The logits (V,) after the last of one or more tokens in some rows."""
        self._require_room(new)
        ends = np.array([*accumulate(map(len, new.values()))]) - 1
        logits = self._decoder.logits(self._through(new, ends, computing))
        return dict(zip(new, logits, strict=True))

    def check(self, row: int, ids: Sequence[int]) -> np.ndarray:
        """The logits (T, V) after each of some tokens in a row."""
        self._require_room({row: ids})
        return self._decoder.logits(self._through({row: ids}, np.arange(len(ids))))

    def cut(self, row: int, length: int) -> None:
        """Let a row hold its first `length` tokens only."""
        before = self._lengths[row]
        assert 0 <= length <= before, (length, before)
        if not self.cuttable and length < before:
            assert length == 0, "a recurrent state is that of all tokens so far"
            self._caches.forget(row)
        self._lengths[row] = length
        if before - length >= _WORTH_GIVING_BACK:
            self._caches.give_back(row, length, before)

    def copy(self, source: int, target: int, length: int) -> None:
        """Let a row hold what another holds first."""
        assert self.cuttable, "only what positions hold is copied"
        assert 0 <= length <= self._lengths[source], (length, self._lengths[source])
        self._caches.copy(source, target, length)
        self._lengths[target] = length

    def drop(self, rows: Sequence[int]) -> None:
        """Rows that do not go on cost nothing here."""

    def bytes_of_position(self) -> int:
        """What a token in one row takes."""
        return self._caches.bytes_of_position()

    def _require_room(self, new: Mapping[int, Sequence[int]]) -> None:
        for row, ids in new.items():
            require_capacity(self._lengths[row] + len(ids), self.capacity)

    def _through(
        self,
        new: Mapping[int, Sequence[int]],
        wanted: np.ndarray,
        computing: Callable[[], None] | None = None,
    ) -> np.ndarray:
        """Take in all tokens, row after row; the features of those `wanted`, (W, D)."""
        found, start = [], 0
        for rows in self._passes(new):
            features = self._decoder.features(rows, self._caches, computing)
            computing = None
            inside = wanted[(wanted >= start) & (wanted < start + len(features))]
            found.append(features[inside - start])
            start += len(features)
        for row, ids in new.items():
            self._lengths[row] += len(ids)
        return np.concatenate(found)

    def _passes(self, new: Mapping[int, Sequence[int]]) -> Iterator[Rows]:
        ids = np.array([id for each in new.values() for id in each], np.int32)
        slots = np.array([row for row, each in new.items() for _ in each], np.int32)
        positions = np.array(
            [self._lengths[row] + i for row, each in new.items() for i in range(len(each))],
            np.int32,
        )
        for start in range(0, len(ids), PASS):
            part = slice(start, start + PASS)
            yield Rows(ids[part], slots[part], positions[part])
