"""Encoders as GGUF files: what is written is what is read, its tokens too, and what is refused."""

import json

import numpy as np
import pytest
import torch

from hornbook.core.errors import HornbookError, UsageError
from hornbook.core.gguf import GGUFFile
from hornbook.models.about import about
from hornbook.models.encoder_presets import BertSizes, bert, bert_masked_lm
from hornbook.models.folder import load_model, save_model
from hornbook.models.gguf.write import write_gguf
from hornbook.models.packed_gguf import load_packed
from hornbook.workflows.exchange.export import export, forms_of
from hornbook.workflows.open.decoder import Decoder
from hornbook.workflows.open.encoder import Encoder, open_encoder
from hornbook.workflows.open.generator import open_generator
from hornbook.workflows.open.load import load
from hornbook.workflows.open.quick_encoder import QuickEncoder
from tests.models.test_gguf_found import rewritten
from tests.tiny import QUIET, loud

WORDS = [
    "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[unused0]", "the", "cafe", "##s", "##ing",
    *"abcdefghijklmnopqrstuvwxyz", *(f"##{letter}" for letter in "abcdefghijklmnopqrstuvwxyz"),
    *",.!-[]", "##]", "春", "##眠", "read",
]  # fmt: skip
SIZES = BertSizes(vocab=len(WORDS) + 2, width=64, depth=2, context=32, heads=4, hidden=96, types=2)
TEXTS = [
    "The reading, a CAFÉ!",
    "春眠 cafés-read",
    "",
    "[CLS] the [x]]",
    "naïve\tZebra\n\u3000z",
    "a" * 40,
]
ROLES = {f"{role.lower()}_token": f"[{role}]" for role in ("PAD", "UNK", "CLS", "SEP", "MASK")}


def tokenizer(folder, **normalizer):
    """A tokenizer of word pieces, as encoders have it."""
    import tokenizers

    pieces = {word: i for i, word in enumerate(WORDS)}
    made = tokenizers.Tokenizer(tokenizers.models.WordPiece(pieces, unk_token="[UNK]"))
    made.normalizer = tokenizers.normalizers.BertNormalizer(**normalizer)
    made.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    made.post_processor = tokenizers.processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )  # fmt: skip
    made.add_special_tokens(list(ROLES.values()))
    folder.mkdir(exist_ok=True)
    made.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps(ROLES))
    return folder


@pytest.fixture
def folder(tmp_path):
    save_model(
        loud(bert(SIZES).build()), tmp_path / "m", tokenizer_folder=tokenizer(tmp_path / "t")
    )
    return tmp_path / "m"


@pytest.mark.parametrize(("kind", "bound"), [("f32", 1e-6), ("f16", 1e-5), ("q8_0", 1e-2)])
def test_what_is_exported_makes_the_same_vectors(kind, bound, folder, tmp_path):
    out = tmp_path / "m.gguf"
    found = export(folder, "gguf", kind, out, None, QUIET)
    assert found["same_tokens"] and found["tolerance"]["met"]
    assert 1 - found["parity"]["least_cosine"] < bound
    assert json.loads((tmp_path / "m.gguf.parity.json").read_text())["parity"] == found["parity"]
    before, after = (open_encoder(place, "cpu", "float32") for place in (folder, out))
    assert after.model.config == before.model.config
    assert ((before.embed(TEXTS) * after.embed(TEXTS)).sum(1) > 1 - bound).all()
    pairs = [("the cafe", "read [x]")]
    (one,), (other,) = (each.tokenizer.encode_pairs(pairs, 20) for each in (before, after))
    assert np.array_equal(one.ids, other.ids) and np.array_equal(one.types, other.types)
    assert before.tokenizer.special_ids == after.tokenizer.special_ids
    if kind == "f32":
        weights = dict(load_model(folder).named_parameters())
        for name, weight in load_model(out).named_parameters():
            assert torch.equal(weight, weights[name]), name


def test_of_what_fills_in_words_the_body_is_written(tmp_path):
    made = loud(bert_masked_lm(SIZES).build())
    save_model(made, tmp_path / "m", tokenizer_folder=tokenizer(tmp_path / "t"))
    assert forms_of(tmp_path / "m")["gguf"] == ""
    export(tmp_path / "m", "gguf", "f32", tmp_path / "m.gguf", None, QUIET)
    before, after = (
        open_encoder(tmp_path / name, "cpu", "float32").embed(TEXTS) for name in ("m", "m.gguf")
    )
    assert np.array_equal(before, after)


def test_marks_of_words_are_those_of_llama_cpp(folder, tmp_path):
    export(folder, "gguf", "f32", tmp_path / "m.gguf", None, QUIET)
    values = GGUFFile(tmp_path / "m.gguf").values
    tokens = values["tokenizer.ggml.tokens"]
    assert [tokens[WORDS.index(word)] for word in ("the", "##ing", "[CLS]", "[", "##]", "春")] == [
        "▁the", "ing", "[CLS]", "▁[", "]", "▁春",
    ]  # fmt: skip
    assert values["bert.attention.causal"] is False and values["bert.pooling_type"] == 1
    assert values["tokenizer.ggml.cls_token_id"] == values["tokenizer.ggml.bos_token_id"] == 2


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"bert.pooling_type": 2}, "bert.pooling_type = 2"),
        ({"bert.attention.causal": True}, "bert.attention.causal = true"),
        ({"bert.attention.head_count": 7}, "must divide the width of 64"),
        ({"bert.use_alibi": True}, "bert.use_alibi"),
        ({"bert.context_length": 64}, "position_embd.weight"),
        ({"tokenizer.ggml.tokens": ["a"]}, "1 tokens, but embeddings for"),
    ],
)
def test_what_would_be_computed_otherwise_is_refused(change, said, folder, tmp_path):
    export(folder, "gguf", "f32", tmp_path / "m.gguf", None, QUIET)
    rewritten(tmp_path / "m.gguf", tmp_path / "other.gguf", change, dropped=list(change))
    with pytest.raises(HornbookError, match=said):
        open_encoder(tmp_path / "other.gguf", "cpu", "float32")


def test_an_encoder_is_opened_as_what_it_is(folder, tmp_path):
    export(folder, "gguf", "q8_0", tmp_path / "m.gguf", None, QUIET)
    model = load(tmp_path / "m.gguf")
    assert isinstance(model, Encoder) and QuickEncoder.open(tmp_path / "m.gguf") is None
    assert about(tmp_path / "m.gguf").family == "bert"
    with pytest.raises(UsageError, match="is an encoder"):
        load(tmp_path / "m.gguf", Decoder)
    with pytest.raises(UsageError, match="holds no decoder"):
        open_generator(tmp_path / "m.gguf", "cpu", "float32")
    with pytest.raises(HornbookError, match="holds no decoder: it does not continue text"):
        open_generator(tmp_path / "m.gguf", "cpu")
    with pytest.raises(HornbookError, match="holds no decoder: it does not continue text"):
        load_packed(tmp_path / "m.gguf")


def test_what_llama_cpp_would_read_otherwise_is_not_written(tmp_path):
    model = bert(SIZES).build()
    cased = tokenizer(tmp_path / "t", lowercase=False)
    save_model(model, tmp_path / "m", tokenizer_folder=cased)
    with pytest.raises(HornbookError, match="takes all letters as small ones"):
        export(tmp_path / "m", "gguf", "f16", tmp_path / "m.gguf", None, QUIET)
    with pytest.raises(HornbookError, match="hidden_act = relu"):
        write_gguf(bert(SIZES, activation="relu").build(), tmp_path / "m.gguf", "f16", {})
    with pytest.raises(UsageError, match="--importance"):
        export(tmp_path / "m", "gguf", "q8_0", tmp_path / "m.gguf", None, QUIET, "text.txt")
    assert not (tmp_path / "m.gguf").exists()
