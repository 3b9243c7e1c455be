"""Blocks of GGUF's types: the weights that the library `gguf` makes of the same bytes."""

import gguf
import numpy as np
import pytest

from hornbook.models.gguf.blocks import BLOCKS, FORMS, decode, merge, split


def random_blocks(kind, rows=16, blocks=3, seed=0):
    """Any bytes are valid blocks, but for scales that are no numbers."""
    draw = np.random.default_rng(seed)
    found = np.zeros((rows, blocks), BLOCKS[kind])
    for name in found.dtype.names:
        if found.dtype[name].base == np.float16:
            found[name] = draw.normal(size=found[name].shape) / 64
        else:
            found[name] = draw.integers(256, size=found[name].shape)
    return found.view(np.uint8).reshape(rows, -1)


@pytest.mark.parametrize("kind", BLOCKS)
def test_codes_stand_for_the_weights_of_the_library(kind):
    stored, type_ = random_blocks(kind), gguf.GGMLQuantizationType[kind]
    weights, size = gguf.GGML_QUANT_SIZES[type_]
    assert BLOCKS[kind].itemsize == size
    codes = decode(stored, kind)
    assert codes.form == FORMS[kind] and codes.values.shape == (16, 3 * weights)
    assert np.array_equal(codes.dequantised(), gguf.dequantize(stored, type_))
    assert codes.values.max() == 2**codes.form.bits - 1
    if not codes.form.table:
        groups = codes.values.reshape(16, -1, codes.form.group)
        other = codes.scales()[..., None] * groups + codes.offsets()[..., None]
        np.testing.assert_allclose(other.reshape(16, -1), codes.dequantised(), atol=1e-3)


@pytest.mark.parametrize(("bits", "width"), [(1, 32), (2, 32), (4, 64), (4, 1)])
def test_merge_undoes_split(bits, width):
    packed = np.random.default_rng(0).integers(256, size=(2, 128), dtype=np.uint8)
    assert np.array_equal(merge(split(packed, bits, width), bits, width), packed)
