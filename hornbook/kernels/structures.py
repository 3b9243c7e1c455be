"""The structures of `kernels.cpp`, mirrored, and how a library tells whether they are the same."""

import ctypes
from collections.abc import Iterator

from hornbook.kernels.codes import BFLOATS, HALVES, Form

TILE, GROUP = 16, 32
"""Rows that the kernels compute together, and weights of a row that do not come apart."""
ABREAST = 16
"""Positions whose keys lie side by side: a multiple of it is kept."""

FORMS = (
    Form(4, offsets=True),
    Form(8, offsets=True),
    Form(4),
    Form(5),
    Form(5, offsets=True),
    Form(8),
    Form(4, table=True),
    Form(2, 16, 256, offsets=True),
    Form(3, 16, 256),
    Form(4, 32, 256, offsets=True),
    Form(5, 32, 256, offsets=True),
    Form(6, 16, 256),
    Form(4, 32, 256, table=True),
    HALVES,
    BFLOATS,
)
"""Forms of matrices that the kernels read, in the order of `product.h`."""
ACTIVATIONS = ("silu", "gelu_tanh")
"""Of gated MLPs, in the order of `functions.h`."""


class MatrixStruct(ctypes.Structure):
    """blocks: codes in the kernels' order. bias: or None. form: its place in `FORMS`."""

    _fields_ = (
        ("blocks", ctypes.c_void_p),
        ("bias", ctypes.c_void_p),
        ("outputs", ctypes.c_int32),
        ("inputs", ctypes.c_int32),
        ("form", ctypes.c_int32),
    )


class MLPStruct(ctypes.Structure):
    """A gated MLP, `Expert` there."""

    _fields_ = (("gate", MatrixStruct), ("up", MatrixStruct), ("down", MatrixStruct))


class Delta(ctypes.Structure):
    """Sizes and numbers of a layer of the gated delta rule, as `delta.h` says; float32."""

    _fields_ = (
        ("heads", ctypes.c_int32),
        ("head", ctypes.c_int32),
        ("key_heads", ctypes.c_int32),
        ("key", ctypes.c_int32),
        ("taps", ctypes.c_int32),
        ("spread", ctypes.c_int32),
        ("epsilon", ctypes.c_float),
        ("conv", ctypes.c_void_p),
        ("step_bias", ctypes.c_void_p),
        ("decay_log", ctypes.c_void_p),
        ("norm", ctypes.c_void_p),
    )


class DeltaPieces(ctypes.Structure):
    """Pieces of sequences through such a layer. first to token: int32; all else float32."""

    _fields_ = (
        ("tokens", ctypes.c_int32),
        ("pieces", ctypes.c_int32),
        ("longest", ctypes.c_int32),
        ("first", ctypes.c_void_p),
        ("count", ctypes.c_void_p),
        ("slot", ctypes.c_void_p),
        ("token", ctypes.c_void_p),
        ("mixed", ctypes.c_void_p),
        ("gate", ctypes.c_void_p),
        ("rate", ctypes.c_void_p),
        ("step", ctypes.c_void_p),
        ("mixed_step", ctypes.c_int64),
        ("gate_step", ctypes.c_int64),
        ("strength_step", ctypes.c_int64),
        ("past", ctypes.c_void_p),
        ("state", ctypes.c_void_p),
        ("y", ctypes.c_void_p),
    )


class DeltaLayer(ctypes.Structure):
    """The gated delta rule in the place of an attention; rate, step: float32."""

    _fields_ = (
        ("input", MatrixStruct),
        ("gate", MatrixStruct),
        ("rate", ctypes.c_void_p),
        ("step", ctypes.c_void_p),
        ("rule", Delta),
    )


class LayerStruct(ctypes.Structure):
    """An attention or what stands in its place, and an MLP or several, as `decoder.h` says; norms
    and router may be None."""

    _fields_ = (
        ("attention_norm", ctypes.c_void_p),
        ("attention_after", ctypes.c_void_p),
        ("query_norm", ctypes.c_void_p),
        ("key_norm", ctypes.c_void_p),
        ("mlp_norm", ctypes.c_void_p),
        ("mlp_after", ctypes.c_void_p),
        ("query", MatrixStruct),
        ("key", MatrixStruct),
        ("value", MatrixStruct),
        ("gate", MatrixStruct),
        ("output", MatrixStruct),
        ("recall", ctypes.POINTER(DeltaLayer)),
        ("expert", ctypes.POINTER(MLPStruct)),
        ("router", ctypes.c_void_p),
        ("residual", ctypes.c_float),
        ("scale", ctypes.c_float),
        ("cap", ctypes.c_float),
        ("window", ctypes.c_int32),
        ("angles", ctypes.c_int32),
        ("whole", ctypes.c_int32),
        ("activation", ctypes.c_int32),
        ("experts", ctypes.c_int32),
        ("chosen", ctypes.c_int32),
        ("normalised", ctypes.c_int32),
    )


class DecoderStruct(ctypes.Structure):
    """Sizes, and `layers` layers at `layer`."""

    _fields_ = (
        ("width", ctypes.c_int32),
        ("hidden", ctypes.c_int32),
        ("heads", ctypes.c_int32),
        ("kv_heads", ctypes.c_int32),
        ("head", ctypes.c_int32),
        ("pairs", ctypes.c_int32),
        ("layers", ctypes.c_int32),
        ("gated", ctypes.c_int32),
        ("epsilon", ctypes.c_float),
        ("head_epsilon", ctypes.c_float),
        ("layer", ctypes.POINTER(LayerStruct)),
        ("last_norm", ctypes.c_void_p),
    )


class Pass(ctypes.Structure):
    """Rows of a call. slot, position: int32. keys, values: half floats, a pointer a layer. Strides
    in these. The rest is of layers of the gated delta rule: see `DeltaPieces`; a pointer a layer.
    """

    _fields_ = (
        ("rows", ctypes.c_int32),
        ("reach", ctypes.c_int32),
        ("positions", ctypes.c_int32),
        ("x", ctypes.c_void_p),
        ("slot", ctypes.c_void_p),
        ("position", ctypes.c_void_p),
        ("turns", ctypes.c_void_p),
        ("keys", ctypes.POINTER(ctypes.c_void_p)),
        ("values", ctypes.POINTER(ctypes.c_void_p)),
        ("slot_stride", ctypes.c_int64),
        ("head_stride", ctypes.c_int64),
        ("pieces", ctypes.c_int32),
        ("longest", ctypes.c_int32),
        ("first", ctypes.c_void_p),
        ("count", ctypes.c_void_p),
        ("piece_slot", ctypes.c_void_p),
        ("token", ctypes.c_void_p),
        ("past", ctypes.POINTER(ctypes.c_void_p)),
        ("state", ctypes.POINTER(ctypes.c_void_p)),
    )


def in_pairs(form: Form) -> bool:
    """Whether what scale and offset of a group are multiplied with are one byte."""
    return form.bits == 2


def unit_bytes(form: Form) -> int:
    """What the kernels read of a unit of a tile."""
    codes = TILE * form.unit * form.bits // 8
    if form.exponent:
        return codes
    each = form.unit // form.group if form.unit > form.group else 0
    scales = TILE * (2 + each)
    return codes + scales * (1 + form.offsets) - TILE * each * in_pairs(form)


def forms() -> Iterator[int]:
    """What a library's `hornbook_forms` has to say."""
    for form in FORMS:
        yield from (*map(int, form), unit_bytes(form))


class Slab(ctypes.Structure):
    """Numbers (rows, heads, tokens, channels), and how many of them rows, heads and tokens are
    apart."""

    _fields_ = (
        ("at", ctypes.c_void_p),
        ("row", ctypes.c_int64),
        ("head", ctypes.c_int64),
        ("token", ctypes.c_int64),
    )


class Attend(ctypes.Structure):
    """Attention over whole sequences, as `attend.h` says. sums: float32, all else bfloats."""

    _fields_ = (
        ("rows", ctypes.c_int32),
        ("heads", ctypes.c_int32),
        ("kv_heads", ctypes.c_int32),
        ("queries", ctypes.c_int32),
        ("keys", ctypes.c_int32),
        ("head", ctypes.c_int32),
        ("causal", ctypes.c_int32),
        ("scale", ctypes.c_float),
        *((name, Slab) for name in ("q", "k", "v", "seen", "y", "dy", "dq", "dk", "dv")),
        ("sums", ctypes.c_void_p),
    )


class CrossEntropy(ctypes.Structure):
    """Rows of logits, bfloats; bias and loss: float32, target: int64."""

    _fields_ = (
        ("rows", ctypes.c_int32),
        ("vocab", ctypes.c_int32),
        ("smoothing", ctypes.c_float),
        ("cap", ctypes.c_float),
        ("logits", ctypes.c_void_p),
        ("bias", ctypes.c_void_p),
        ("target", ctypes.c_void_p),
        ("loss", ctypes.c_void_p),
    )


class Norm(ctypes.Structure):
    """Heads of tokens that are normed and turned, as `norms.h` says. weight, dweight, cos and sin:
    float32; x and dx too if `wide`; all else bfloats."""

    _fields_ = (
        ("rows", ctypes.c_int32),
        ("heads", ctypes.c_int32),
        ("tokens", ctypes.c_int32),
        ("head", ctypes.c_int32),
        ("pairs", ctypes.c_int32),
        ("wide", ctypes.c_int32),
        ("epsilon", ctypes.c_float),
        *((name, Slab) for name in ("x", "y", "dy", "dx")),
        ("weight", ctypes.c_void_p),
        ("cos", ctypes.c_void_p),
        ("sin", ctypes.c_void_p),
        ("angles", ctypes.c_int64),
        ("dweight", ctypes.c_void_p),
    )


class Gated(ctypes.Structure):
    """silu(gate) up, `size` bfloats each."""

    _fields_ = (
        ("size", ctypes.c_int64),
        *((name, ctypes.c_void_p) for name in ("gate", "up", "y", "dy", "dgate", "dup")),
    )


class Moved(ctypes.Structure):
    """A matrix that Muon moves: (rows, columns) float32 each."""

    _fields_ = (
        ("weight", ctypes.c_void_p),
        ("buffer", ctypes.c_void_p),
        ("gradient", ctypes.c_void_p),
        ("rows", ctypes.c_int32),
        ("columns", ctypes.c_int32),
    )


class MuonStruct(ctypes.Structure):
    """A step of `matrices` of them; coefficients: (iterations, 3) float32."""

    _fields_ = (
        ("matrix", ctypes.POINTER(Moved)),
        ("matrices", ctypes.c_int32),
        ("iterations", ctypes.c_int32),
        ("momentum", ctypes.c_float),
        ("kept", ctypes.c_float),
        ("rate", ctypes.c_float),
        ("coefficients", ctypes.c_void_p),
    )


class Fades(ctypes.Structure):
    """Sequences whose memories fade, as `recurrence.h` says. begin: int32, or None."""

    _fields_ = (
        ("rows", ctypes.c_int32),
        ("tokens", ctypes.c_int32),
        ("heads", ctypes.c_int32),
        ("decay", ctypes.c_void_p),
        ("begin", ctypes.c_void_p),
        ("ddecay", ctypes.c_void_p),
    )


class ScanStruct(ctypes.Structure):
    """Mamba-2's recurrence, as `scan.h` says. Slabs of bfloats; float32."""

    _fields_ = (
        ("fades", Fades),
        *((name, ctypes.c_int32) for name in ("groups", "head", "state")),
        *((name, Slab) for name in ("value", "write", "read", "y")),
        *((name, Slab) for name in ("dy", "dvalue", "dwrite", "dread")),
        *((name, ctypes.c_void_p) for name in ("step", "skip", "dstep", "dskip")),
    )


class RuleStruct(ctypes.Structure):
    """The gated delta rule of whole sequences, as `rule.h` says. Slabs of bfloats; float32."""

    _fields_ = (
        ("fades", Fades),
        *((name, ctypes.c_int32) for name in ("key_heads", "head", "keys")),
        *((name, Slab) for name in ("query", "key", "value", "y")),
        *((name, Slab) for name in ("dy", "dquery", "dkey", "dvalue")),
        *((name, ctypes.c_void_p) for name in ("rate", "drate")),
    )


class ConvolutionStruct(ctypes.Structure):
    """Causal convolutions of single channels, as `convolve.h` says. Slabs of bfloats; float32."""

    _fields_ = (
        *((name, ctypes.c_int32) for name in ("rows", "tokens", "channels", "taps", "active")),
        *((name, Slab) for name in ("x", "y", "dy", "dx")),
        *((name, ctypes.c_void_p) for name in ("weight", "bias", "begin", "dweight")),
    )


class GatedNormStruct(ctypes.Structure):
    """Norms with a gate, as `gated_norm.h` says. Slabs of bfloats; float32."""

    _fields_ = (
        *((name, ctypes.c_int32) for name in ("rows", "groups", "tokens", "size", "before")),
        ("epsilon", ctypes.c_float),
        *((name, Slab) for name in ("x", "gate", "y", "dy", "dx", "dgate")),
        *((name, ctypes.c_void_p) for name in ("weight", "dweight")),
    )


def layout() -> Iterator[int]:
    """What a library's `hornbook_layout` has to say."""
    yield from (TILE, GROUP, ABREAST)
    for structure in _STRUCTURES:
        yield ctypes.sizeof(structure)
        yield from (getattr(structure, field[0]).offset for field in structure._fields_)


_STRUCTURES: tuple[type[ctypes.Structure], ...] = (
    *(MatrixStruct, MLPStruct, Delta, DeltaPieces, DeltaLayer, LayerStruct, DecoderStruct, Pass),
    *(Slab, Attend, CrossEntropy, Norm, Gated, Moved, MuonStruct),
    *(Fades, ScanStruct, RuleStruct, ConvolutionStruct, GatedNormStruct),
)
