"""Files of every type that our kernels read: what their floats give, in no more memory."""

import gguf
import numpy as np
import pytest
import torch

from hornbook import kernels as native
from hornbook.core.gguf import GGUFFile
from hornbook.evaluate.likelihood import likelihoods
from hornbook.generate.likelihoods import LikelihoodRequest
from hornbook.generate.native_decoder import NativeDecoder
from hornbook.models.folder import load_model
from hornbook.models.gguf.blocks import BLOCKS, FORMS, decode
from hornbook.models.gguf.decoder import read_decoder
from hornbook.models.packed_gguf import load_packed
from hornbook.nn.packed import NativeLinear, PackedLinear
from hornbook.tokenize.tokenizer import Tokenizer
from hornbook.workflows.open.model import open_to_score
from tests.models.test_gguf_blocks import random_blocks
from tests.tiny import need_kernels

WIDTH, HIDDEN, HEADS, KV_HEADS, HEAD, VOCAB = 256, 256, 4, 2, 64, 64
SHAPES = {
    "token_embd": (VOCAB, WIDTH), "output": (VOCAB, WIDTH),
    "blk.0.attn_q": (HEADS * HEAD, WIDTH), "blk.0.attn_k": (KV_HEADS * HEAD, WIDTH),
    "blk.0.attn_v": (KV_HEADS * HEAD, WIDTH), "blk.0.attn_output": (WIDTH, HEADS * HEAD),
    "blk.0.ffn_gate": (HIDDEN, WIDTH), "blk.0.ffn_up": (HIDDEN, WIDTH),
    "blk.0.ffn_down": (WIDTH, HIDDEN),
}  # fmt: skip
MIXED = dict(zip(SHAPES, reversed(FORMS), strict=False))
"""A type for each matrix, as "medium" files have several."""
IDS = np.random.default_rng(1).integers(VOCAB, size=21).tolist()


def stored(kind, rows, columns, seed):
    """Rows of a type that stand for weights of about 1/16."""
    draw = np.random.default_rng(seed)
    if kind not in BLOCKS:
        weights = draw.normal(size=(rows, columns)).astype(np.float32) / 16
        return gguf.quantize(weights, gguf.GGMLQuantizationType[kind])
    each = FORMS[kind].unit
    found = random_blocks(kind, rows, columns // each, seed)
    blocks = found.view(BLOCKS[kind])
    size = 16 * decode(found, kind).dequantised().std()
    for name in ("scale", "offset"):
        if name in blocks.dtype.names:
            blocks[name] = blocks[name].astype(np.float32) / size
    return found


def written(path, kinds):
    """A llama of one block, its matrices in these types."""
    writer = gguf.GGUFWriter(path, "llama")
    for key, value in {
        "embedding_length": WIDTH, "block_count": 1, "context_length": 32,
        "attention.head_count": HEADS, "attention.head_count_kv": KV_HEADS,
        "feed_forward_length": HIDDEN,
    }.items():  # fmt: skip
        writer.add_uint32(f"llama.{key}", value)
    writer.add_float32("llama.attention.layer_norm_rms_epsilon", 1e-5)
    for i, (name, shape) in enumerate(SHAPES.items()):
        type_ = gguf.GGMLQuantizationType[kinds[name]]
        writer.add_tensor(f"{name}.weight", stored(kinds[name], *shape, i), raw_dtype=type_)
    for name in ("output_norm", "blk.0.attn_norm", "blk.0.ffn_norm"):
        writer.add_tensor(f"{name}.weight", np.linspace(0.5, 1.5, WIDTH, dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.fixture(params=[*FORMS, "mixed"])
def path(request, tmp_path):
    kinds = MIXED if request.param == "mixed" else dict.fromkeys(SHAPES, request.param)
    return written(tmp_path / "m.gguf", kinds)


@pytest.fixture
def kernels():
    need_kernels()


def logits_of_floats(path):
    with torch.inference_mode():
        return load_model(path).eval()(torch.tensor([IDS]))[0].numpy()


@pytest.mark.usefixtures("kernels")
def test_it_computes_what_its_floats_give_whatever_is_beside(path):
    """Within a thousandth; inputs of eight bits would miss it by several."""
    decoder, wanted = NativeDecoder(read_decoder(GGUFFile(path))), logits_of_floats(path)
    whole = decoder.sequences(1).check(0, IDS)
    assert np.square(whole - wanted).mean() < 1e-6 * np.square(wanted).mean()
    sequences, start = decoder.sequences(12), 0
    for count in (1, 2, 4, 5, 1, 8):
        beside = {row: IDS[row : row + 1] for row in range(1, min(count, 3))}
        found = sequences.go_on({**beside, 0: IDS[start : start + count]})
        start += count
        assert np.array_equal(found[0], whole[start - 1])


@pytest.mark.usefixtures("kernels")
def test_it_takes_hardly_more_memory_than_the_file(path):
    file = GGUFFile(path)
    decoder = read_decoder(file)
    ours = [decoder.logits, *decoder.blocks[0].matrices()]
    held = sum(tiles.blocks.nbytes for tiles in ours)
    names = (name for name in SHAPES if name != "token_embd")
    assert held <= 1.04 * sum(file.tensors[f"{name}.weight"].bytes for name in names)


@pytest.mark.parametrize("ours", [True, False])
def test_layers_of_torch_read_it_too(path, ours, kernels, monkeypatch):
    """In kernels of torch, which compute in bfloat16, or as floats where it has none."""
    if not ours:
        monkeypatch.setattr(native, "_found", lambda: "none here")
    wanted = logits_of_floats(path)
    with torch.inference_mode():
        found = load_packed(path)(torch.tensor([IDS]))[0].numpy()
    assert np.square(found - wanted).mean() < (1e-6 if ours else 1e-3) * np.square(wanted).mean()


@pytest.mark.parametrize("ours", [True, False])
def test_what_is_scored_is_computed_as_what_is_generated(ours, kernels, tmp_path, monkeypatch):
    """Or with floats, where our kernels cannot be had: torch's would round the codes."""
    path = written(tmp_path / "m.gguf", MIXED)
    monkeypatch.setattr(Tokenizer, "load", lambda *place: None)
    if not ours:
        monkeypatch.setattr(native, "_found", lambda: "none here")
    model, _ = open_to_score(path, "cpu")
    assert isinstance(model.head, NativeLinear) == ours
    assert not isinstance(model.head, PackedLinear)
    (found,) = likelihoods(model, [LikelihoodRequest(IDS[:4], IDS[4:])])
    logits = torch.from_numpy(logits_of_floats(path))[3:-1].double()
    wanted = logits.log_softmax(1)[range(len(IDS) - 4), IDS[4:]].sum()
    assert found.logprob == pytest.approx(float(wanted), rel=1e-3)
