"""A file of codes for our kernels: what its layers would hold, or left to those who say more."""

import gguf
import numpy as np
import pytest
import torch

from hornbook import kernels as native
from hornbook.core.errors import HornbookError
from hornbook.core.gguf import GGUFFile
from hornbook.generate.native_decoder import Caches, NativeDecoder
from hornbook.kernels import pointers
from hornbook.kernels.codes import Form
from hornbook.kernels.pointers import Rows
from hornbook.kernels.quantised import Routing
from hornbook.models.folder import load_model
from hornbook.models.gguf.blocks import BLOCKS
from hornbook.models.gguf.decoder import read_decoder
from hornbook.models.gguf.facts import FACTS
from hornbook.models.gguf.write import write_gguf
from hornbook.models.kernel_weights import decoder_weights
from hornbook.models.packed_gguf import load_packed
from hornbook.models.presets import PRESETS, llama, qwen3_moe
from hornbook.models.variants import gemma3, granite, mistral, phi3, smollm3
from hornbook.nn.frequencies import Llama3Scaling, LongScaling, RotaryConfig
from hornbook.nn.mixture import MixtureConfig
from tests.tiny import decoder_sizes, loud, slow

SIZES = decoder_sizes(vocab=96, width=64, heads=4, head=16, hidden=96)
LONG = LongScaling(short=(1.0, 1.5, 2.0), long=(2.0, 3.0, 5.0), original=20, attention=1.2)
FAR = RotaryConfig(theta=5e5, scaling=Llama3Scaling(factor=32.0, original=8192))
PRESETS_OF = {
    **PRESETS,
    "biased": lambda sizes: llama(sizes, biased=True),
    "far": lambda sizes: llama(sizes, rotary=FAR),
    "mixture": lambda sizes: qwen3_moe(sizes, MixtureConfig(experts=5, chosen=2, hidden=32)),
    "no window": lambda sizes: mistral(sizes, window=sizes.context),
    "long": lambda sizes: phi3(sizes, 9, RotaryConfig(channels=6, scaling=LONG)),
    "whole gemma": lambda sizes: gemma3(sizes, whole=range(sizes.depth), logit_cap=3.0),
    "hardly positions": lambda sizes: smollm3(sizes.model_copy(update={"depth": 5})),
    "multiplied": lambda sizes: granite(
        sizes, biased=True, embedding=3.0, residual=0.3, scale=0.1, logits=4.0
    ),
}
UNTIED, TIED = ("olmo2",), ("gemma2",)
"""What llama.cpp has only without a head of its own, and only with one."""


FAMILIES = [name for name in PRESETS_OF if name in FACTS or name not in PRESETS]


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


@pytest.mark.parametrize("tied", [True, *slow(False)])
@pytest.mark.parametrize(
    ("name", "kind"), [*((name, "q8_0") for name in FAMILIES), ("llama", "q4_0"), ("far", "f16")]
)
def test_it_is_what_the_layers_of_the_file_hold(name, kind, tied, tmp_path):
    if name in (UNTIED if tied else TIED):
        pytest.skip("llama.cpp has none")
    native.build()
    if native.library() is None:
        pytest.skip(f"no kernels of ours: {native.missing()}")
    path = written(tmp_path, name, kind, tied)
    ours, theirs = read_decoder(GGUFFile(path)), decoder_weights(load_packed(path))
    ids = np.arange(96)
    assert np.array_equal(ours.embed(ids), theirs.embed(ids))
    pairs = zip(flat(ours._replace(embed=0)), flat(theirs._replace(embed=0)), strict=True)
    assert all(np.array_equal(one, other) for one, other in pairs)
    biased = name in ("qwen2", "biased", "multiplied")
    assert (ours.blocks[0].mixer.query.bias is not None) == biased


@pytest.mark.parametrize(("name", "kind"), [("gpt2", "q8_0"), ("llama", "f32")])
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


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"heads": 3, "kv_heads": 2, "head": 32}, "must divide the 3 heads"),
        ({"head": 17}, "must be even"),
    ],
)
def test_what_the_layers_refuse_never_reaches_the_kernels(change, said, tmp_path):
    """A config of such sizes cannot be built, so it is made without its checks."""
    path = odd_file(tmp_path, **change)
    with pytest.raises(HornbookError, match=said):
        read_decoder(GGUFFile(path))
    with pytest.raises(HornbookError, match=said):
        load_packed(path)


def odd_file(folder, heads=4, kv_heads=2, head=16, width=64, hidden=96, vocab=96):
    """A llama in Q8_0 of any sizes."""
    path = folder / "odd.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    for key, value in {
        "embedding_length": width, "block_count": 1, "context_length": 32,
        "attention.head_count": heads, "attention.head_count_kv": kv_heads,
        "attention.key_length": head, "attention.value_length": head,
        "feed_forward_length": hidden, "rope.dimension_count": head,
    }.items():  # fmt: skip
        writer.add_uint32(f"llama.{key}", value)
    writer.add_float32("llama.attention.layer_norm_rms_epsilon", 1e-5)
    queries, keys = heads * head, kv_heads * head
    shapes = {
        "token_embd": (vocab, width), "output_norm": (width,), "output": (vocab, width),
        "blk.0.attn_q": (queries, width), "blk.0.attn_k": (keys, width),
        "blk.0.attn_v": (keys, width), "blk.0.attn_output": (width, queries),
        "blk.0.ffn_gate": (hidden, width), "blk.0.ffn_up": (hidden, width),
        "blk.0.ffn_down": (width, hidden), "blk.0.attn_norm": (width,),
        "blk.0.ffn_norm": (width,),
    }  # fmt: skip
    draw = np.random.default_rng(0)
    for name, shape in shapes.items():
        rows = draw.normal(size=shape).astype(np.float32)
        coded = len(shape) == 2 and shape[1] % 32 == 0
        kind = gguf.GGMLQuantizationType.Q8_0 if coded else gguf.GGMLQuantizationType.F32
        writer.add_tensor(f"{name}.weight", gguf.quantize(rows, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


ODD = {
    "groups of three": {"heads": 6, "kv_heads": 2},
    "one of keys": {"heads": 5, "kv_heads": 1},
    "five heads a key": {"heads": 5, "kv_heads": 1, "head": 32},
    "wide heads": {"heads": 1, "kv_heads": 1, "head": 256},
    "narrow heads": {"heads": 2, "kv_heads": 2, "head": 8},
    "two channels": {"heads": 4, "kv_heads": 4, "head": 2},
    "hidden of no block": {"hidden": 100},
    "hidden of half a block": {"hidden": 48},
    "width of no block": {"width": 48},
    "an odd vocabulary": {"vocab": 97},
    "small": {"width": 32, "hidden": 32, "heads": 1, "kv_heads": 1, "vocab": 16},
}


@pytest.mark.parametrize("name", ODD)
def test_odd_sizes_give_what_the_layers_give(name, tmp_path):
    """In both ways, or refused in both."""
    native.build()
    if native.library() is None:
        pytest.skip(f"no kernels of ours: {native.missing()}")
    path = odd_file(tmp_path, **ODD[name])
    model, found = load_model(path).eval(), read_decoder(GGUFFile(path))
    ids = np.arange(12) % 16
    with torch.inference_mode():
        wanted = model(torch.from_numpy(ids)[None])[0].numpy()
    if found is not None:
        logits = NativeDecoder(found).sequences(1).check(0, ids.tolist())
        assert np.abs(logits - wanted).max() < 0.02 * np.abs(wanted).max()


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        *(("q8_0", np.nan), ("q4_0", np.inf), ("f16", -np.inf), ("f32", np.nan)),
        *slow(*(("q8_0", np.inf), ("q8_0", -np.inf), ("q4_0", np.nan), ("q4_0", -np.inf))),
        *slow(*(("f16", np.nan), ("f16", np.inf), ("f32", np.inf), ("f32", -np.inf))),
    ],
)
@pytest.mark.parametrize("name", ["token_embd", "blk.1.ffn_down", "blk.0.attn_norm"])
def test_weights_that_are_no_numbers_are_named_on_every_path(name, kind, value, tmp_path):
    path = written(tmp_path, "llama", kind)
    place = GGUFFile(path).tensors[f"{name}.weight"]
    number = np.float32(value) if place.kind == "F32" else np.float16(value)
    whole = bytearray(path.read_bytes())
    at = place.start + (place.bytes // len(number.tobytes()) // 2 * len(number.tobytes()))
    if place.kind in BLOCKS:  # the scale of a block
        block = BLOCKS[place.kind].itemsize
        at = place.start + place.bytes // block // 2 * block
    whole[at : at + len(number.tobytes())] = number.tobytes()
    path.write_bytes(whole)
    for opened in (load_model, load_packed, lambda path: read_decoder(GGUFFile(path))):
        if kind == "f32" and opened is not load_model and opened is not load_packed:
            assert opened(path) is None
            continue
        with pytest.raises(HornbookError, match=f"{name}.weight holds NaN or infinite"):
            opened(path)


def with_mlps(block, **other):
    return block._replace(mlps=[mlp._replace(**other) for mlp in block.mlps])


def with_mixer(w, **other):
    mixer = w.blocks[0].mixer._replace(**other)
    return w._replace(blocks=[w.blocks[0]._replace(mixer=mixer), *w.blocks[1:]])


def routed(w, chosen):
    """With a routing among MLPs of which there is one."""
    routing = Routing(np.ones((1, w.width), np.float32), chosen)
    return w._replace(blocks=[block._replace(routing=routing) for block in w.blocks])


CHANGES = {
    "more experts": lambda w: routed(w, 2),
    "no experts": lambda w: routed(w, 0),
    "a router of others": lambda w: w._replace(
        blocks=[routed(w, 1).blocks[0]._replace(mlps=2 * w.blocks[0].mlps), *w.blocks[1:]]
    ),
    "no router": lambda w: w._replace(
        blocks=[w.blocks[0]._replace(mlps=2 * w.blocks[0].mlps), *w.blocks[1:]]
    ),
    "a norm too short": lambda w: w._replace(last_norm=w.last_norm[:-1].copy()),
    "a norm of doubles": lambda w: w._replace(last_norm=w.last_norm.astype(np.float64)),
    "more heads": lambda w: w._replace(heads=2 * w.heads),
    "more keys": lambda w: w._replace(kv_heads=w.heads),
    "no keys": lambda w: w._replace(kv_heads=0),
    "a wider head": lambda w: w._replace(head=2 * w.head),
    "a wider stream": lambda w: w._replace(width=2 * w.width),
    "a larger vocabulary": lambda w: w._replace(vocab=w.vocab + 16),
    "no layers": lambda w: w._replace(blocks=[]),
    "a smaller matrix": lambda w: w._replace(
        blocks=[with_mlps(w.blocks[0], down=w.blocks[0].mixer.output), *w.blocks[1:]]
    ),
    "gates in one block": lambda w: with_mixer(w, gate=w.blocks[0].mixer.query),
    "blocks cut off": lambda w: w._replace(
        logits=w.logits._replace(blocks=w.logits.blocks[:-1].copy())
    ),
    "another form": lambda w: w._replace(logits=w.logits._replace(form=Form(4))),
    "half a norm": lambda w: with_mixer(w, query_norm=w.last_norm),
    "a bias too short": lambda w: w._replace(logits=w.logits._replace(bias=w.last_norm[:3].copy())),
}


@pytest.mark.parametrize("name", CHANGES)
def test_no_array_is_smaller_than_what_the_kernels_read(name, tmp_path):
    weights = read_decoder(GGUFFile(written(tmp_path, "llama", "q8_0")))
    assert pointers.decoder(weights).layers == 2
    with pytest.raises(HornbookError, match="the kernels need"):
        pointers.decoder(CHANGES[name](weights))


@pytest.mark.parametrize(
    "rows",
    [
        ([96], [0], [0]),
        ([-1], [0], [0]),
        ([0], [1], [0]),
        ([0], [-1], [0]),
        ([0], [0], [32]),
        ([0], [0], [-1]),
        ([0, 0], [0], [0]),
    ],
)
def test_no_row_leaves_the_caches(rows, tmp_path):
    native.build()
    if native.library() is None:
        pytest.skip(f"no kernels of ours: {native.missing()}")
    decoder = NativeDecoder(read_decoder(GGUFFile(written(tmp_path, "llama", "q8_0"))))
    caches = Caches(decoder.weights, 1, 32)
    assert decoder.features(Rows(*(np.zeros(1, np.int32) for _ in rows)), caches).shape == (1, 64)
    with pytest.raises(HornbookError):
        decoder.features(Rows(*(np.array(each, np.int32) for each in rows)), caches)
