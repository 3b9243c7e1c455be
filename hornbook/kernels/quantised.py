"""What the kernels read, matrices in few bits and whole decoders; in numpy, without torch.

Knows the kernels' order of bytes, and no files.
"""

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from hornbook.core.pages import in_huge_pages
from hornbook.kernels.codes import Codes, Form
from hornbook.kernels.structures import GROUP, in_pairs, unit_bytes
from hornbook.kernels.structures import TILE as _TILE

ROWS = 2048
"""Rows made ready at a time: whole tiles of the kernels, whatever the machine."""


class QuantisedMatrix(NamedTuple):
    """A matrix (outputs, inputs) of codes, part by part from its first rows on.

    parts: read once; those of a large matrix are made as they are asked for, so that the whole is
    never there in a form that takes more memory. 16 divides the rows of each but the last.
    """

    outputs: int
    inputs: int
    form: Form
    parts: Iterable[Codes]


class Tiles(NamedTuple):
    """A matrix in the order in which the kernels read it.

    blocks: (N / 16, K / unit, bytes) uint8. bias: (N,) float32 or None.
    """

    blocks: np.ndarray
    bias: np.ndarray | None
    outputs: int
    inputs: int
    form: Form

    def split(self, sizes: Sequence[int]) -> "list[Tiles]":
        """Matrices one below the other, each by itself, in the same memory; 16 divides sizes."""
        found, start = [], 0
        for size in sizes:
            rows, tiles = slice(start, start + size), slice(start // _TILE, (start + size) // _TILE)
            bias = None if self.bias is None else self.bias[rows]
            found.append(self._replace(blocks=self.blocks[tiles], bias=bias, outputs=size))
            start += size
        return found

    def by_turns(self, count: int, rows: int) -> "list[Tiles]":
        """Matrices of which so many rows each stand by turns, each by itself; 16 divides rows."""
        assert self.bias is None and self.outputs % (count * rows) == 0, (self.outputs, rows)
        turns = self.blocks.reshape(-1, count, rows // _TILE, *self.blocks.shape[1:])
        found = []
        for number in range(count):
            blocks = in_huge_pages((len(self.blocks) // count, *self.blocks.shape[1:]))
            blocks.reshape(len(turns), *turns.shape[2:])[:] = turns[:, number]
            found.append(self._replace(blocks=blocks, outputs=self.outputs // count))
        return found


class Looks(NamedTuple):
    """How an attention looks. scale: of its scores. cap: scores s become cap tanh(s / cap); 0 for
    none. window: a token sees those that are fewer than so many away, itself included; 0 for all.
    turning: whose frequencies turn queries and keys, a place in `DecoderWeights.turnings`; None for
    no positions. whole: queries and keys are normed over all heads together, where they are.
    """

    scale: float
    cap: float = 0.0
    window: int = 0
    turning: int | None = 0
    whole: bool = False


class MLPWeights(NamedTuple):
    """A gated MLP."""

    gate: Tiles
    up: Tiles
    down: Tiles


class Routing(NamedTuple):
    """A token meets the `chosen` MLPs of a mixture that have the largest softmax(router x). router:
    (E, D) float32. normalised: their weights come to 1."""

    router: np.ndarray
    chosen: int
    normalised: bool = True


class AttentionWeights(NamedTuple):
    """query_norm, key_norm: (N,) float32, or None for both. gate: what each head says is multiplied
    by its sigmoid; of all attentions of a decoder or of none."""

    query: Tiles
    key: Tiles
    value: Tiles
    output: Tiles
    query_norm: np.ndarray | None
    key_norm: np.ndarray | None
    looks: Looks
    gate: Tiles | None = None

    def matrices(self) -> list[Tiles]:
        """All of them."""
        every = (self.query, self.key, self.value, self.output, self.gate)
        return [each for each in every if each is not None]


class DeltaSizes(NamedTuple):
    """heads of `head` channels of values, key_heads of `key` channels of keys and of queries.
    spread: heads of values that share a key do not lie together; the first of each key stand first,
    then the second of each."""

    heads: int
    head: int
    key_heads: int
    key: int
    taps: int
    epsilon: float
    spread: bool = False

    def fits(self) -> bool:
        """Whether the kernels take such a layer."""
        return self.head % _TILE == 0 and self.key % _TILE == 0

    @property
    def inner(self) -> int:
        """Channels of all values."""
        return self.heads * self.head

    @property
    def convolved(self) -> int:
        """Channels of queries, keys and values."""
        return 2 * self.key_heads * self.key + self.inner


class DeltaWeights(NamedTuple):
    """conv (taps, convolved); step_bias, decay_log (heads,); norm (head,). float32."""

    conv: np.ndarray
    step_bias: np.ndarray
    decay_log: np.ndarray
    norm: np.ndarray


class RecallWeights(NamedTuple):
    """The gated delta rule in the place of an attention (`nn.delta`). input: of queries, keys and
    values. rate, step: (heads, D) float32."""

    sizes: DeltaSizes
    input: Tiles
    gate: Tiles
    output: Tiles
    rate: np.ndarray
    step: np.ndarray
    numbers: DeltaWeights

    def matrices(self) -> list[Tiles]:
        """All of them."""
        return [self.input, self.gate, self.output]


class BlockWeights(NamedTuple):
    """A mixer and an MLP, or several with a routing. Norms: (N,) float32, of what mixer and MLP
    read and of what they add (after); each may be None. residual: what is added to the stream is
    multiplied by it. activation: of MLPs, one of `structures.ACTIVATIONS`.
    """

    mixer_norm: np.ndarray | None
    mixer_after: np.ndarray | None
    mlp_norm: np.ndarray | None
    mlp_after: np.ndarray | None
    mixer: AttentionWeights | RecallWeights
    mlps: Sequence[MLPWeights]
    routing: Routing | None = None
    residual: float = 1.0
    activation: str = "silu"

    def matrices(self) -> list[Tiles]:
        """Those that a token meets."""
        met = self.mlps[: self.routing.chosen if self.routing else 1]
        return [*self.mixer.matrices(), *(matrix for mlp in met for matrix in mlp)]


class Turning(NamedTuple):
    """How queries and keys are turned by their position. frequencies: of each pair of channels,
    (P,) float32 radians a token; amplitude: what cosines and sines are multiplied by. far: the
    frequencies of sequences that may come to have more than `near` tokens; None for the same.
    """

    frequencies: np.ndarray
    amplitude: float = 1.0
    far: np.ndarray | None = None
    near: int = 0

    def of(self, capacity: int) -> np.ndarray:
        """The frequencies of sequences of at most so many tokens."""
        return self.frequencies if self.far is None or capacity <= self.near else self.far


class DecoderWeights(NamedTuple):
    """A decoder of mixers and gated MLPs or mixtures of them around a stream, with RMS norms.

    vocab, context, width: ids, tokens, channels. heads query heads of `head` channels share
    kv_heads of keys and values. turnings: each of as many pairs. epsilon, head_epsilon: of the
    norms of the stream and of queries and keys. embed: ids (R,) -> (R, D) float32. logits: the
    head, which reads what the last norm says times `multiplier`; logits l become cap tanh(l / cap)
    if there is a cap.
    """

    vocab: int
    context: int
    width: int
    heads: int
    kv_heads: int
    head: int
    turnings: Sequence[Turning]
    epsilon: float
    head_epsilon: float
    embed: Callable[[np.ndarray], np.ndarray]
    blocks: Sequence[BlockWeights]
    last_norm: np.ndarray
    logits: Tiles
    multiplier: float = 1.0
    cap: float | None = None

    def fits(self) -> bool:
        """Whether the kernels take these sizes."""
        alike = len({len(turning.frequencies) for turning in self.turnings}) <= 1
        whole = self.width % GROUP == 0 and self.head % _TILE == 0
        rules = self.rules()
        same = all(sizes == rules[0] and sizes.fits() for sizes in rules)
        return whole and alike and same and len(self.blocks) > 0

    def rules(self) -> list[DeltaSizes]:
        """The sizes of each mixer that is the gated delta rule."""
        mixers = (block.mixer for block in self.blocks)
        return [mixer.sizes for mixer in mixers if isinstance(mixer, RecallWeights)]

    def gated(self) -> bool:
        """Whether attentions have gates."""
        mixers = (block.mixer for block in self.blocks)
        return any(isinstance(mixer, AttentionWeights) and mixer.gate for mixer in mixers)

    def pairs(self) -> int:
        """Pairs of channels of a head that turn."""
        return len(self.turnings[0].frequencies) if self.turnings else 0


def matrix_of(whole: Codes) -> QuantisedMatrix:
    """A matrix that is all there."""
    outputs, inputs = whole.values.shape
    return QuantisedMatrix(outputs, inputs, whole.form, [whole])


def join(matrices: Sequence[QuantisedMatrix]) -> QuantisedMatrix:
    """Matrices of as many inputs and of one form one below the other."""
    parts = itertools.chain.from_iterable(matrix.parts for matrix in matrices)
    outputs = sum(matrix.outputs for matrix in matrices)
    return matrices[0]._replace(outputs=outputs, parts=parts)


def can_pack(rows: int, columns: int, ragged: bool = False) -> bool:
    """Whether the kernels take a matrix of this shape, in units that divide it. ragged: whether
    its last tile may be filled up, as that of a head, whose outputs nothing stands beside."""
    return (ragged or rows % _TILE == 0) and columns % GROUP == 0


def whole_tiles(rows: int) -> int:
    """As many rows, and those that fill up the last tile."""
    return -(-rows // _TILE) * _TILE


def tiles(matrix: QuantisedMatrix, bias: np.ndarray | None = None) -> Tiles:
    """The matrix as `forms.h` describes it; its outputs are whole tiles."""
    units, form = matrix.inputs // matrix.form.unit, matrix.form
    whole = whole_tiles(matrix.outputs)
    found = in_huge_pages((whole // _TILE, units, unit_bytes(form)))
    start = 0
    for part in matrix.parts:
        codes = Codes(part.form, *(filled(each) for each in part[1:]))  # type: ignore[arg-type]
        count = len(codes.values) // _TILE
        at = 0
        for field in (*_scales(codes, count), _fields(codes, count)):
            flat = field.view(np.uint8).reshape(count, units, -1)
            found[start : start + count, :, at : at + flat.shape[2]] = flat
            at += flat.shape[2]
        assert at == found.shape[2], (at, form)
        start += count
    return Tiles(found, filled(bias), whole, matrix.inputs, form)


def filled(x: np.ndarray | None) -> np.ndarray | None:
    """Rows (N, ...), with zeros behind them where they are no whole tiles."""
    if x is None or not (more := whole_tiles(len(x)) - len(x)):
        return x
    return np.pad(x, ((0, more), *[(0, 0)] * (x.ndim - 1)))


def _scales(codes: Codes, count: int) -> Iterator[np.ndarray]:
    """Scales and offsets of units, then what they are multiplied with in each group."""
    for floats in (codes.scale, codes.offset):
        if floats is not None and floats.size:
            yield _beside(floats.astype(np.float16), count, 1)
    if codes.steps is None:
        return
    steps: np.ndarray = codes.steps.view(np.uint8)
    each = codes.form.unit // codes.form.group
    if codes.offset_steps is not None and in_pairs(codes.form):
        steps = steps | codes.offset_steps.view(np.uint8) << 4
    yield _beside(steps, count, each)
    if codes.offset_steps is not None and not in_pairs(codes.form):
        yield _beside(codes.offset_steps, count, each)


def _beside(numbers: np.ndarray, count: int, each: int) -> np.ndarray:
    """(N, units * each) as (tiles, units, each, 16): the outputs of a tile side by side."""
    parts = numbers.reshape(count, _TILE, -1, each)
    return np.ascontiguousarray(parts.transpose(0, 2, 3, 1))


def _fields(codes: Codes, count: int) -> np.ndarray:
    """The codes of a tile as `forms.h` has them: (tiles, groups, rows, 16), or floats."""
    if codes.form.exponent:
        return _beside(codes.values, count, GROUP)
    # Four inputs of an output side by side, eight times: bytes of a word, which no shift leaves.
    words = _beside(np.ascontiguousarray(codes.values).view(np.uint32), count, GROUP // 4)
    if codes.form.bits == 8:
        return words
    rows, at = [], 0
    for width in (4, 2, 1):
        if codes.form.bits & width:
            mask = np.uint32(0x01010101 * (2**width - 1))
            fields = (words >> at & mask).reshape(*words.shape[:2], 8 // width, width, _TILE)
            found = fields[:, :, 0].copy()
            for i in range(1, 8 // width):
                found |= fields[:, :, i] << i * width
            rows.append(found)
            at += width
    return np.ascontiguousarray(np.concatenate(rows, 2))
