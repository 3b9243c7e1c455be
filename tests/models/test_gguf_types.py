"""Every type of tensor that the library `gguf` knows: read as it reads it, or refused by name."""

import gguf
import numpy as np
import pytest

from hornbook.core.errors import HornbookError
from hornbook.core.gguf import GGUFFile
from hornbook.models.gguf.blocks import FORMS
from hornbook.models.gguf.quantised import floats

NONE = {
    "Q8_1": "Q8_0", "Q8_K": "Q8_0", "Q1_0": "Q2_K",
    "I8": "Q8_0", "I16": "F16", "I32": "F16", "I64": "F16",
}  # fmt: skip
"""Types whose bytes the library makes no weights of, and what is nearest to them."""
KINDS = [kind.name for kind in gguf.GGMLQuantizationType]


def file_of(path, kind):
    """A file of one matrix; its bytes."""
    type_ = gguf.GGMLQuantizationType[kind]
    size = gguf.GGML_QUANT_SIZES[type_][1]
    # No byte of a half float or float is so large that it is none.
    stored = np.random.default_rng(0).integers(1, 60, size=(3, 2 * size), dtype=np.uint8)
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_tensor("m.weight", stored, raw_dtype=type_)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return stored


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in NONE])
def test_its_floats_are_those_of_the_library(kind, tmp_path):
    stored = file_of(tmp_path / "m.gguf", kind)
    found = floats(GGUFFile(tmp_path / "m.gguf"), "m.weight")
    if kind == "F64":  # which the library knows and does not read
        wanted = stored.view(np.float64)
    else:
        wanted = gguf.dequantize(stored, gguf.GGMLQuantizationType[kind])
    assert np.array_equal(found, wanted.astype(np.float32))


@pytest.mark.parametrize("kind", NONE)
def test_what_stands_for_no_weights_is_refused_with_the_nearest_that_does(kind, tmp_path):
    file_of(tmp_path / "m.gguf", kind)
    assert NONE[kind] in FORMS
    said = f"m.weight is stored as {kind}, which cannot be turned.* same model as {NONE[kind]}"
    with pytest.raises(HornbookError, match=said):
        floats(GGUFFile(tmp_path / "m.gguf"), "m.weight")
