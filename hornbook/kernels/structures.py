"""The structures of `kernels.cpp`, mirrored, and how a library tells whether they are the same."""

import ctypes
from collections.abc import Iterator

TILE, GROUP = 16, 32
"""Rows that the kernels compute together, and weights of a row that share a scale."""


class Matrix(ctypes.Structure):
    """blocks: codes in the kernels' order. bias: or None. bits: 4 or 8."""

    _fields_ = (
        ("blocks", ctypes.c_void_p),
        ("bias", ctypes.c_void_p),
        ("outputs", ctypes.c_int32),
        ("inputs", ctypes.c_int32),
        ("bits", ctypes.c_int32),
    )


class Layer(ctypes.Structure):
    """An attention and an MLP, each behind a norm; query_norm and key_norm may be None."""

    _fields_ = (
        ("attention_norm", ctypes.c_void_p),
        ("query_norm", ctypes.c_void_p),
        ("key_norm", ctypes.c_void_p),
        ("mlp_norm", ctypes.c_void_p),
        ("qkv", Matrix),
        ("output", Matrix),
        ("gate_up", Matrix),
        ("down", Matrix),
    )


class Decoder(ctypes.Structure):
    """Sizes, and `layers` layers at `layer`."""

    _fields_ = (
        ("width", ctypes.c_int32),
        ("hidden", ctypes.c_int32),
        ("heads", ctypes.c_int32),
        ("kv_heads", ctypes.c_int32),
        ("head", ctypes.c_int32),
        ("layers", ctypes.c_int32),
        ("epsilon", ctypes.c_float),
        ("head_epsilon", ctypes.c_float),
        ("layer", ctypes.POINTER(Layer)),
        ("last_norm", ctypes.c_void_p),
    )


class Pass(ctypes.Structure):
    """Rows of a call. slot, position: int32. keys, values: half floats, a pointer a layer. Strides
    in these.
    """

    _fields_ = (
        ("rows", ctypes.c_int32),
        ("reach", ctypes.c_int32),
        ("x", ctypes.c_void_p),
        ("slot", ctypes.c_void_p),
        ("position", ctypes.c_void_p),
        ("cos", ctypes.c_void_p),
        ("sin", ctypes.c_void_p),
        ("keys", ctypes.POINTER(ctypes.c_void_p)),
        ("values", ctypes.POINTER(ctypes.c_void_p)),
        ("slot_stride", ctypes.c_int64),
        ("head_stride", ctypes.c_int64),
    )


def layout() -> Iterator[int]:
    """What a library's `hornbook_layout` has to say."""
    yield from (TILE, GROUP)
    for structure in (Matrix, Layer, Decoder, Pass):
        yield ctypes.sizeof(structure)
        yield from (getattr(structure, field[0]).offset for field in structure._fields_)
