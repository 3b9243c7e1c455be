"""Encoders and classifiers equal `transformers`, both ways, on tiny models with large weights.

Outputs are around 1 and must agree to 1e-4; measured differences are below 1e-5.
"""

import copy
import json

import numpy as np
import pytest
import torch
import transformers

from hornbook.core.errors import HornbookError
from hornbook.models.classifier import on_decoder, on_encoder
from hornbook.models.encoder_presets import (
    BertSizes,
    ModernBertShape,
    ViTSizes,
    bert,
    bert_masked_lm,
    distilbert,
    modernbert,
    roberta,
    vit,
)
from hornbook.models.folder import load_model, save_model
from hornbook.models.pixels import PREPROCESSOR, PixelsConfig, load_pixels
from hornbook.models.presets import PRESETS
from hornbook.models.sizes import DecoderSizes
from tests.tiny import loud

VOCAB, CONTEXT, BOUND, PAD = 53, 24, 1e-4, 0
LABELS = {0: "dog", 1: "cat", 2: "hen"}
NAMES = {"id2label": LABELS, "label2id": {name: i for i, name in LABELS.items()}}
BERT = {
    "vocab_size": VOCAB,
    "hidden_size": 24,
    "intermediate_size": 40,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "max_position_embeddings": CONTEXT,
    "layer_norm_eps": 1e-3,
    "pad_token_id": PAD,
}
VIT = {key: BERT[key] for key in list(BERT)[1:5]} | {"layer_norm_eps": 1e-3, **NAMES}
ROTARY = {key: BERT[key] for key in list(BERT)[:6]} | {"pad_token_id": PAD, **NAMES}
ROTARY |= {"num_key_value_heads": 2, "head_dim": 8}
ROBERTA = BERT | {"pad_token_id": 1, "max_position_embeddings": CONTEXT + 2, "type_vocab_size": 1}
FAR = {"pad_token_id": 4, "max_position_embeddings": CONTEXT + 5}
DISTIL = {"vocab_size": VOCAB, "dim": 24, "n_layers": 3, "n_heads": 4, "hidden_dim": 40}
DISTIL |= {"max_position_embeddings": CONTEXT, "pad_token_id": PAD}
MODERN = {key: BERT[key] for key in list(BERT)[:6]} | {"norm_eps": 1e-3, "local_attention": 6}
MODERN |= dict.fromkeys(("pad_token_id", "bos_token_id", "eos_token_id", "cls_token_id"), 3)
MODERN |= {"sep_token_id": 3, "num_hidden_layers": 5}
GPT2 = {"vocab_size": VOCAB, "n_embd": 24, "n_layer": 2, "n_head": 4, "n_positions": CONTEXT}

t = transformers
TEXT = {
    "bert": ("BertForMaskedLM", BERT),
    "bert-relu": ("BertForMaskedLM", BERT | {"hidden_act": "relu", "type_vocab_size": 1}),
    "bert-body": ("BertModel", BERT),
    "bert-labels": ("BertForSequenceClassification", BERT | NAMES),
    "roberta": ("RobertaForMaskedLM", ROBERTA),
    "roberta-body": ("RobertaModel", ROBERTA),
    "roberta-labels": ("RobertaForSequenceClassification", ROBERTA | NAMES),
    "xlm-roberta": ("XLMRobertaForMaskedLM", ROBERTA | FAR),
    "xlm-roberta-body": ("XLMRobertaModel", ROBERTA | {"hidden_act": "relu"}),
    "xlm-roberta-labels": ("XLMRobertaForSequenceClassification", ROBERTA | NAMES),
    "camembert": ("CamembertForMaskedLM", ROBERTA),
    "distilbert": ("DistilBertForMaskedLM", DISTIL),
    "distilbert-relu": ("DistilBertForMaskedLM", DISTIL | {"activation": "relu"}),
    "distilbert-body": ("DistilBertModel", DISTIL),
    "distilbert-labels": ("DistilBertForSequenceClassification", DISTIL | NAMES),
    "modernbert": ("ModernBertForMaskedLM", MODERN),
    "modernbert-every-second": (
        "ModernBertForMaskedLM",
        MODERN | {"global_attn_every_n_layers": 2, "global_rope_theta": 500.0},
    ),
    "modernbert-body": ("ModernBertModel", MODERN | {"hidden_activation": "silu"}),
    "modernbert-labels": ("ModernBertForSequenceClassification", MODERN | NAMES),
    "modernbert-labels-mean": (
        "ModernBertForSequenceClassification",
        MODERN | NAMES | {"classifier_pooling": "mean"},
    ),
    "qwen3-labels": ("Qwen3ForSequenceClassification", ROTARY),
    "qwen2-labels": ("Qwen2ForSequenceClassification", ROTARY),
    "llama-labels": ("LlamaForSequenceClassification", ROTARY),
    "gpt2-labels": ("GPT2ForSequenceClassification", GPT2 | NAMES | {"pad_token_id": PAD}),
}
IMAGES = {
    "vit": ("ViTForImageClassification", VIT | {"image_size": 8, "patch_size": 4}),
    "vit-grey": (
        "ViTForImageClassification",
        VIT | {"image_size": 9, "patch_size": 3, "num_channels": 1, "qkv_bias": False},
    ),
}


def made(architecture, values):
    """Their model; its module is imported now."""
    kind = getattr(t, architecture)
    return kind(kind.config_class(**copy.deepcopy(values)))


def text():
    """Tokens without padding ids, and one row that ends in padding."""
    tokens = torch.randint(1, VOCAB, (2, 13), generator=torch.Generator().manual_seed(1))
    valid = torch.ones(2, 13, dtype=torch.bool)
    valid[0, 8:] = False
    return tokens.masked_fill(~valid, PAD), valid


def images(model):
    config = model.config
    shape = (2, config.num_channels, config.image_size, config.image_size)
    return torch.randn(shape, generator=torch.Generator().manual_seed(1))


def answer(theirs, *inputs, **named):
    out = theirs(*inputs, **named)
    return out.last_hidden_state if hasattr(out, "last_hidden_state") else out.logits


def same(ours, theirs):
    torch.testing.assert_close(ours, theirs, atol=BOUND, rtol=0)


@pytest.mark.parametrize("name", TEXT)
def test_text_made_there_loaded_here_and_back(name, tmp_path):
    theirs = loud(made(*TEXT[name]))
    theirs.save_pretrained(tmp_path / "theirs")
    ours = load_model(tmp_path / "theirs").requires_grad_(False)
    tokens, valid = text()
    expected = answer(theirs, tokens, attention_mask=valid.long())
    found = ours(tokens, valid)
    assert found.std() > 0.1
    if found.ndim == 3 and found.shape[1] == 13:
        found, expected = found[valid], expected[valid]
    same(found, expected)
    assert ours.config.parameters() == sum(p.numel() for p in ours.parameters())

    save_model(ours, tmp_path / "ours")
    back, loading = type(theirs).from_pretrained(tmp_path / "ours", output_loading_info=True)
    missing = {name for name in loading["missing_keys"] if not name.startswith("pooler.")}
    assert not missing and not loading["unexpected_keys"]
    before, after = theirs.state_dict(), back.state_dict()
    assert all(torch.equal(before[n], after[n]) for n in before if not n.startswith("pooler."))
    labels = getattr(ours.config, "labels", None)
    assert labels is None or back.config.id2label == LABELS == dict(enumerate(labels))


@pytest.mark.parametrize("name", IMAGES)
def test_images_made_there_loaded_here_and_back(name, tmp_path):
    theirs = loud(made(*IMAGES[name]))
    theirs.save_pretrained(tmp_path / "theirs")
    ours = load_model(tmp_path / "theirs").requires_grad_(False)
    assert ours(images(theirs)).std() > 0.1
    same(ours(images(theirs)), theirs(images(theirs)).logits)
    assert ours.config.parameters() == theirs.num_parameters()
    save_model(ours, tmp_path / "ours")
    back = t.AutoModelForImageClassification.from_pretrained(tmp_path / "ours")
    assert torch.equal(back(images(theirs)).logits, theirs(images(theirs)).logits)
    assert back.config.label2id == NAMES["label2id"]


def test_types_of_pairs(tmp_path):
    theirs = loud(made(*TEXT["bert"]))
    theirs.save_pretrained(tmp_path)
    tokens, _ = text()
    types = torch.randint(2, tokens.shape, generator=torch.Generator().manual_seed(2))
    ours = load_model(tmp_path)
    same(ours(tokens, types=types), theirs(tokens, token_type_ids=types).logits)


SIZES = BertSizes(vocab=VOCAB, width=16, depth=2, context=CONTEXT, heads=2, hidden=24)
DECODER = DecoderSizes(
    vocab=VOCAB, width=16, depth=2, context=CONTEXT, heads=4, kv_heads=4, head=4, hidden=24,
    tied=True,
)  # fmt: skip
SQUARES = ViTSizes(size=8, patch=4, channels=3, width=16, depth=2, heads=2, hidden=24)
SHAPE = ModernBertShape(everywhere=(True, False), window=4)
OURS = {
    "BertForMaskedLM": bert_masked_lm(SIZES),
    "BertModel": bert(SIZES),
    "BertForSequenceClassification": on_encoder(bert(SIZES), LABELS.values()),
    "RobertaModel": roberta(SIZES),
    "RobertaForSequenceClassification": on_encoder(roberta(SIZES), LABELS.values()),
    "DistilBertModel": distilbert(SIZES),
    "DistilBertForSequenceClassification": on_encoder(distilbert(SIZES), LABELS.values()),
    "ModernBertModel": modernbert(SIZES, SHAPE),
    "ModernBertForSequenceClassification": on_encoder(modernbert(SIZES, SHAPE), LABELS.values()),
    "Qwen3ForSequenceClassification": on_decoder(PRESETS["qwen3"](DECODER), LABELS.values()),
    "LlamaForSequenceClassification": on_decoder(PRESETS["llama"](DECODER), LABELS.values()),
    "GPT2ForSequenceClassification": on_decoder(PRESETS["gpt2"](DECODER), LABELS.values()),
    "ViTForImageClassification": vit(SQUARES, LABELS.values()),
}


@pytest.mark.parametrize("architecture", OURS)
def test_made_here_loaded_there(architecture, tmp_path):
    ours = OURS[architecture].build(seed=1)
    assert ours.config.parameters() == sum(p.numel() for p in ours.parameters())
    ours = loud(ours)
    save_model(ours, tmp_path / "m")
    theirs = getattr(t, architecture).from_pretrained(tmp_path / "m").eval()
    inputs = images(theirs) if "Image" in architecture else text()[0][1:]
    with torch.no_grad():
        same(ours(inputs), answer(theirs, inputs))


def test_names_of_the_first_release_and_leftovers_of_other_heads(tmp_path):
    """What `bert-base-uncased` looks like: gamma and beta, a pooler, the next-sentence head."""
    from safetensors.torch import load_file, save_file

    theirs = loud(t.BertForPreTraining(t.BertConfig(**BERT)))
    theirs.save_pretrained(tmp_path)
    path = tmp_path / "model.safetensors"
    old = {"LayerNorm.weight": "LayerNorm.gamma", "LayerNorm.bias": "LayerNorm.beta"}
    tensors = {}
    for name, tensor in load_file(path).items():
        for new, former in old.items():
            name = name.replace(new, former)
        tensors[name] = tensor
    tensors["bert.embeddings.position_ids"] = torch.arange(CONTEXT)[None]
    save_file(tensors, path, metadata={"format": "pt"})
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(
        json.dumps({**config, "architectures": ["BertForMaskedLM"]})
    )
    tokens, _ = text()
    same(load_model(tmp_path)(tokens), theirs(tokens).prediction_logits)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"architectures": ["BertForTokenClassification"]}, "Only BertForMaskedLM, BertModel"),
        ({"is_decoder": True}, "is_decoder = true"),
        ({"position_embedding_type": "relative_key"}, 'position_embedding_type = "relative_key"'),
        ({"tie_word_embeddings": False}, "tie_word_embeddings = false"),
        ({"num_attention_heads": 5}, "num_attention_heads = 5"),
        ({"embedding_size": 12}, "embedding_size = 12"),
        ({"hidden_act": "mish"}, 'hidden_act = "mish"'),
    ],
)
def test_what_we_would_compute_otherwise_is_refused(change, message, tmp_path):
    made(*TEXT["bert"]).save_pretrained(tmp_path)
    path = tmp_path / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(HornbookError, match=message):
        load_model(tmp_path)


@pytest.mark.parametrize(
    "names", [{"0": "a", "2": "b"}, {"0": 1}, ["a", "b"], {"0": "a", "1": "a"}]
)
def test_labels_that_name_no_classes_are_refused(names, tmp_path):
    made(*IMAGES["vit"]).save_pretrained(tmp_path)
    path = tmp_path / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "id2label": names}))
    with pytest.raises(HornbookError, match=r"id2label|same name"):
        load_model(tmp_path)


def test_images_are_prepared_there_as_here(tmp_path):
    pixels = PixelsConfig(size=8, mean=(0.2, 0.3, 0.4), std=(0.5, 0.6, 0.7))
    model = vit(SQUARES, LABELS.values()).build()
    save_model(model, tmp_path / "m", beside={PREPROCESSOR: pixels.to_hf()})
    assert load_pixels(tmp_path / "m") == pixels
    image = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)
    processor = t.AutoImageProcessor.from_pretrained(tmp_path / "m", backend="pil")
    theirs = torch.as_tensor(np.array(processor(image)["pixel_values"][0]))
    ours = (torch.from_numpy(image).float() / 255 - torch.tensor(pixels.mean)) / torch.tensor(
        pixels.std
    )
    same(ours.permute(2, 0, 1), theirs)
