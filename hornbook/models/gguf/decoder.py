"""A GGUF file straight into what our kernels read, without torch and without float32 on the way.

Token vectors stay in the file, which is mapped.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from functools import partial
from typing import NamedTuple

import numpy as np

from hornbook.core.gguf import GGUFFile
from hornbook.core.machine import return_freed_memory
from hornbook.kernels.quantised import (
    AttentionWeights,
    BlockWeights,
    DecoderWeights,
    Looks,
    MLPWeights,
    RecallWeights,
    Routing,
    Tiles,
    tiles,
)
from hornbook.kernels.structures import TILE
from hornbook.models.gguf import quantised, recall
from hornbook.models.gguf.facts import FACTS, DecoderFacts, read_facts
from hornbook.models.gguf.rotary import interleaved, to_halves
from hornbook.models.gguf.scaling import DIVISORS, LONG, SHORT
from hornbook.models.gguf.sizes import ARCHITECTURE, EMBEDDING, HEAD, OF_IMAGES
from hornbook.models.turnings import turning
from hornbook.nn.frequencies import RotaryConfig

_INPUTS = ("attn_q", "attn_k", "attn_v")
_ROUTER, _EXPERTS = "ffn_gate_inp", ("ffn_gate_exps", "ffn_up_exps", "ffn_down_exps")
_AS_FLOATS = (f"{_ROUTER}.weight", recall.RATE, recall.STEP, recall.CONVOLUTION)
"""Matrices that are read as floats, whatever they are stored as."""
_BEFORE = {"mixer_norm": "attn_norm", "mlp_norm": "ffn_norm"}
_AFTER = {"mixer_after": "post_attention_norm", "mlp_after": "post_ffw_norm"}
_HEADS = {"query_norm": "attn_q_norm", "key_norm": "attn_k_norm"}


class _Kind(NamedTuple):
    """What the blocks of an architecture have. norms: by their places in `BlockWeights` and
    `AttentionWeights`, what they are called. whole: queries and keys are normed over all heads.
    fused: matrices that read the same are one. may_bias, biased: those that have biases where
    queries do, and those that always have. activation: of the MLP."""

    norms: dict[str, str] = _BEFORE
    whole: bool = False
    fused: bool = False
    may_bias: tuple[str, ...] = ()
    biased: tuple[str, ...] = ()
    activation: str = "silu"


_ATTENTION = (*_INPUTS, "attn_output")
_KINDS = {
    "llama": _Kind(may_bias=_ATTENTION),
    "qwen2": _Kind(biased=_INPUTS),
    "qwen3": _Kind(_BEFORE | _HEADS, may_bias=_ATTENTION),
    "qwen3moe": _Kind(_BEFORE | _HEADS, may_bias=_ATTENTION),
    # What stands before the MLP is called as if it stood behind the mixer.
    "qwen35": _Kind({**_BEFORE, "mlp_norm": "post_attention_norm", **_HEADS}),
    "phi3": _Kind(fused=True),
    "gemma2": _Kind(_BEFORE | _AFTER, activation="gelu_tanh"),
    "gemma3": _Kind(_BEFORE | _AFTER | _HEADS, activation="gelu_tanh"),
    "olmo2": _Kind(_AFTER | _HEADS, whole=True),
    "smollm3": _Kind(may_bias=_ATTENTION),
    "granite": _Kind(may_bias=_ATTENTION),
}
assert _KINDS.keys() == FACTS.keys()


def read_decoder(file: GGUFFile) -> DecoderWeights | None:
    """The decoder of a file whose matrices the kernels take; None for one of another kind.

    Raises HornbookError naming file and key for what we would compute otherwise.
    """
    name = file.values.get(ARCHITECTURE)
    if name not in _KINDS:
        return None
    facts, kind = read_facts(file, name), _KINDS[name]
    if not _is_plain(file, kind, facts):
        return None
    sizes = facts.sizes
    positions = [_positions(facts, i) for i in range(sizes.depth)]
    rotaries = list(dict.fromkeys(each for each in positions if each))
    order = interleaved(name, sizes.heads, sizes.kv_heads)
    found = DecoderWeights(
        vocab=sizes.vocab,
        context=sizes.context,
        width=sizes.width,
        heads=sizes.heads,
        kv_heads=sizes.kv_heads,
        head=sizes.head,
        turnings=[turning(rotary, sizes.head) for rotary in rotaries],
        epsilon=facts.epsilon,
        head_epsilon=facts.epsilon if "query_norm" in kind.norms else 0.0,
        embed=_embedder(file, facts.embedding),
        blocks=[
            _StoredBlock(file, i, kind, facts, order).weights(_looks(facts, kind, i, rotaries))
            for i in range(sizes.depth)
        ],
        last_norm=quantised.floats(file, "output_norm.weight"),
        logits=tiles(quantised.matrix(file, EMBEDDING if sizes.tied else HEAD)),
        multiplier=1 / facts.logits,
        cap=facts.logit_cap,
    )
    return_freed_memory()
    return found if found.fits() else None


def _is_plain(file: GGUFFile, kind: _Kind, facts: DecoderFacts) -> bool:
    """Whether the tensors are those of such a decoder, all there, its matrices in forms of the
    kernels.

    What is not is left to `load_packed`, which says what is wrong if something is.
    """
    expected = dict(_shapes(kind, facts))
    matrices = [
        name for name, shape in expected.items() if len(shape) > 1 and not name.endswith(_AS_FLOATS)
    ]
    aside = (DIVISORS, LONG, SHORT, *OF_IMAGES)
    shapes = {
        each: place.shape
        for each, place in file.tensors.items()
        if not any(fnmatchcase(each, glob) for glob in aside)
    }
    split = (facts.sizes.head, facts.sizes.hidden) if kind.fused else ()
    split = (facts.mixture.hidden, facts.sizes.width) if facts.mixture else split
    parted = all(size % TILE == 0 for size in split)
    coded = shapes == expected and all(quantised.is_quantised(file, each) for each in matrices)
    return parted and coded


def _shapes(kind: _Kind, facts: DecoderFacts) -> Iterator[tuple[str, tuple[int, ...]]]:
    sizes, width = facts.sizes, facts.sizes.width
    yield EMBEDDING, (sizes.vocab, width)
    yield "output_norm.weight", (width,)
    if not sizes.tied:
        yield HEAD, (sizes.vocab, width)
    attention = _attention_shapes(kind, facts)
    norms = {
        f"{part}.weight": (width,) for place, part in kind.norms.items() if place not in _HEADS
    }
    other = {f"{part}.weight": shape for part, shape in _mlp_shapes(kind, facts).items()} | norms
    for i in range(sizes.depth):
        recalls = facts.recall if _recalls(facts, i) else None
        mixer = recall.shapes(recalls.sizes, width) if recalls else attention
        for part, shape in (mixer | other).items():
            yield f"blk.{i}.{part}", shape


def _recalls(facts: DecoderFacts, number: int) -> bool:
    """Whether a block has the gated delta rule in the place of an attention."""
    return facts.recall is not None and number not in facts.recall.attention


def _attention_shapes(kind: _Kind, facts: DecoderFacts) -> dict[str, tuple[int, ...]]:
    sizes, width = facts.sizes, facts.sizes.width
    queries, keys = sizes.heads * sizes.head, sizes.kv_heads * sizes.head
    read = {"attn_q": queries * (2 if facts.recall else 1), "attn_k": keys, "attn_v": keys}
    if kind.fused:
        read = {"attn_qkv": queries + 2 * keys}
    matrices = {part: (rows, width) for part, rows in read.items()}
    matrices["attn_output"] = width, queries
    found: dict[str, tuple[int, ...]] = {f"{part}.weight": x for part, x in matrices.items()}
    biased = kind.biased + (kind.may_bias if facts.biased else ())
    found |= {f"{part}.bias": x[:1] for part, x in matrices.items() if part in biased}
    heads = (queries, keys) if kind.whole else (sizes.head, sizes.head)
    for (place, part), size in zip(_HEADS.items(), heads, strict=True):
        if place in kind.norms:
            found[f"{part}.weight"] = (size,)
    return found


def _mlp_shapes(kind: _Kind, facts: DecoderFacts) -> dict[str, tuple[int, ...]]:
    width, hidden = facts.sizes.width, facts.sizes.hidden
    if facts.mixture:
        experts, inner = facts.mixture.experts, facts.mixture.hidden
        wide, deep = (experts, inner, width), (experts, width, inner)
        return {_ROUTER: (experts, width), **dict(zip(_EXPERTS, (wide, wide, deep), strict=True))}
    if kind.fused:
        return {"ffn_up": (2 * hidden, width), "ffn_down": (width, hidden)}
    return {"ffn_gate": (hidden, width), "ffn_up": (hidden, width), "ffn_down": (width, hidden)}


def _positions(facts: DecoderFacts, number: int) -> RotaryConfig | None:
    """Those of a block."""
    if number in facts.still:
        return None
    return facts.rotary if number in facts.whole else facts.near or facts.rotary


def _looks(facts: DecoderFacts, kind: _Kind, number: int, rotaries: list[RotaryConfig]) -> Looks:
    own = _positions(facts, number)
    return Looks(
        scale=facts.scale or facts.sizes.head**-0.5,
        cap=facts.cap or 0.0,
        window=0 if number in facts.whole else facts.window or 0,
        turning=rotaries.index(own) if own else None,
        whole=kind.whole,
    )


def _embedder(file: GGUFFile, scale: float) -> Callable[[np.ndarray], np.ndarray]:
    read = quantised.row_reader(file, EMBEDDING)
    return read if scale == 1 else lambda ids: read(ids) * np.float32(scale)


class _StoredBlock(NamedTuple):
    """A block of a file. order: the heads of matrices whose rows are stored otherwise."""

    file: GGUFFile
    number: int
    kind: _Kind
    facts: DecoderFacts
    order: dict[str, int]

    @property
    def name(self) -> str:
        """What the names of its tensors begin with."""
        return f"blk.{self.number}"

    def weights(self, looks: Looks) -> BlockWeights:
        """All of it."""
        return BlockWeights(
            **self.norms(_BEFORE | _AFTER),
            mixer=self.recall() if _recalls(self.facts, self.number) else self.attention(looks),
            mlps=list(self.mlps()),
            routing=self.routing(),
            residual=self.facts.residual,
            activation=self.kind.activation,
        )

    def attention(self, looks: Looks) -> AttentionWeights:
        """What looks back."""
        query, key, value = self.inputs()
        gate, output = None, self.matrix("attn_output")
        if self.facts.recall:  # the rows of a head's gate stand below those of its query
            query, gate = query.by_turns(2, self.facts.sizes.head)
        return AttentionWeights(
            query, key, value, output, **self.norms(_HEADS), looks=looks, gate=gate
        )

    def recall(self) -> RecallWeights:
        """What stands in the place of an attention."""
        assert self.facts.recall is not None
        return recall.read(self.file, self.name, self.facts.recall.sizes, self.matrix)

    def inputs(self) -> Iterable[Tiles]:
        """Of the attention."""
        if not self.kind.fused:
            return map(self.matrix, _INPUTS)
        sizes = self.facts.sizes
        queries, keys = sizes.heads * sizes.head, sizes.kv_heads * sizes.head
        return self.matrix("attn_qkv").split((queries, keys, keys))

    def mlps(self) -> Iterator[MLPWeights]:
        """One, or all of a mixture."""
        sizes, mixture = self.facts.sizes, self.facts.mixture
        if mixture:
            rows = mixture.hidden, mixture.hidden, sizes.width
            each = (
                self.matrix(part).split([count] * mixture.experts)
                for part, count in zip(_EXPERTS, rows, strict=True)
            )
            yield from map(MLPWeights, *each)
        else:
            gate, up = (
                self.matrix("ffn_up").split((sizes.hidden, sizes.hidden))
                if self.kind.fused
                else map(self.matrix, ("ffn_gate", "ffn_up"))
            )
            yield MLPWeights(gate, up, self.matrix("ffn_down"))

    def routing(self) -> Routing | None:
        """Of a mixture."""
        if self.facts.mixture is None:
            return None
        router = quantised.floats(self.file, f"{self.name}.{_ROUTER}.weight")
        return Routing(router, self.facts.mixture.chosen)

    def norms(self, places: Mapping[str, str]) -> dict[str, np.ndarray | None]:
        """Those of some places; None where it has none."""
        return {
            place: quantised.floats(self.file, f"{self.name}.{part}.weight")
            if (part := self.kind.norms.get(place))
            else None
            for place in places
        }

    def matrix(self, part: str) -> Tiles:
        heads, bias = self.order.get(part), f"{self.name}.{part}.bias"
        order = None if heads is None else partial(to_halves, heads=heads)
        made = quantised.matrix(self.file, f"{self.name}.{part}.weight", order=order)
        if bias not in self.file.tensors:
            return tiles(made)
        numbers = quantised.floats(self.file, bias)
        return tiles(made, numbers if heads is None else to_halves(numbers, heads))
