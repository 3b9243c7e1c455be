"""A file of codes for our kernels: what its layers would hold, or left to those who say more."""

import numpy as np
import pytest

from hornbook.core.errors import HornbookError
from hornbook.core.gguf import GGUFFile
from hornbook.models.gguf.decoder import read_decoder
from hornbook.models.gguf.packed import load_packed
from hornbook.models.gguf.write import write_gguf
from hornbook.models.pack import decoder_weights
from hornbook.models.presets import PRESETS, llama
from hornbook.models.sizes import Sizes
from hornbook.nn import native
from tests.models.test_parity import loud

SIZES = Sizes(
    vocab=96, width=64, depth=2, context=32, heads=4, kv_heads=2, head=16, hidden=96, tied=False
)
PRESETS_OF = {**PRESETS, "biased": lambda sizes: llama(sizes, biased=True)}


def written(folder, name, kind, tied=False):
    kv_heads = 4 if name == "gpt2" else 2
    sizes = SIZES.model_copy(update={"tied": tied, "kv_heads": kv_heads})
    write_gguf(loud(PRESETS_OF[name](sizes).build()), folder / "m.gguf", kind, {})
    return folder / "m.gguf"


def flat(value):
    """All arrays and numbers within, in order."""
    if isinstance(value, tuple | list):
        return [leaf for each in value for leaf in flat(each)]
    return [value]


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("kind", ["q4_0", "q8_0"])
@pytest.mark.parametrize("name", ["llama", "qwen2", "qwen3", "biased"])
def test_it_is_what_the_layers_of_the_file_hold(name, kind, tied, tmp_path):
    native.build()
    native.library.cache_clear()
    if native.library() is None:
        pytest.skip(f"no kernels of ours: {native.missing()}")
    path = written(tmp_path, name, kind, tied)
    ours, theirs = read_decoder(GGUFFile(path)), decoder_weights(load_packed(path))
    ids = np.arange(96)
    assert np.array_equal(ours.embed(ids), theirs.embed(ids))
    pairs = zip(flat(ours._replace(embed=0)), flat(theirs._replace(embed=0)), strict=True)
    assert all(np.array_equal(one, other) for one, other in pairs)
    assert (ours.blocks[0].joint.bias is not None) == (name in ("qwen2", "biased"))


@pytest.mark.parametrize(("name", "kind"), [("gpt2", "q8_0"), ("llama", "f16")])
def test_other_kinds_are_left_to_torch(name, kind, tmp_path):
    assert read_decoder(GGUFFile(written(tmp_path, name, kind))) is None


def test_sizes_that_the_kernels_do_not_take_are_left_to_torch(tmp_path):
    sizes = SIZES.model_copy(update={"heads": 8, "kv_heads": 8, "head": 8})
    write_gguf(PRESETS["llama"](sizes).build(), tmp_path / "m.gguf", "q8_0", {})
    assert read_decoder(GGUFFile(tmp_path / "m.gguf")) is None


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        (b"blk.0.ffn_up", b"blk.0.ffn_in", "the tensor blk.0.ffn_up.weight is missing"),
        (b"output_norm", b"output_morn", "the tensor output_norm.weight is missing"),
        (b"blk.1.attn_q", b"blk.7.attn_q", "the tensor blk.1.attn_q.weight is missing"),
    ],
)
def test_a_file_with_other_tensors_is_refused_by_name(right, wrong, said, tmp_path):
    path = written(tmp_path, "llama", "q4_0")
    path.write_bytes(path.read_bytes().replace(right, wrong))
    assert read_decoder(GGUFFile(path)) is None
    with pytest.raises(HornbookError, match=said):
        load_packed(path)


def test_a_key_that_is_not_known_is_refused(tmp_path):
    path = written(tmp_path, "llama", "q4_0")
    stored = path.read_bytes()
    path.write_bytes(stored.replace(b"llama.rope.freq_base", b"llama.rope.freq_bass"))
    with pytest.raises(HornbookError, match="freq_bass"):
        read_decoder(GGUFFile(path))
