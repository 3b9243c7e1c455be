"""A whole folder, tokenizer included, as `transformers` sees it."""

import json

import pytest
import transformers

from hornbook.core.progress import Progress
from hornbook.models.folder import load_model, save_model
from hornbook.models.presets import PRESETS
from hornbook.tokenize.train import train_tokenizer
from tests.tiny import decoder_sizes

TEXTS = ["A hornbook is a small tablet from which people learned to read.", "字帖", "3 + 4 = 7"]


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made") / "tokenizer"
    made = train_tokenizer(TEXTS * 20, 300, folder, Progress(quiet=True))
    return folder, made


@pytest.fixture(scope="module")
def saved(tokenizer, tmp_path_factory):
    folder, made = tokenizer
    sizes = decoder_sizes(vocab=made.vocab_size, depth=1, kv_heads=1, tied=True)
    target = tmp_path_factory.mktemp("saved") / "model"
    save_model(PRESETS["qwen3"](sizes).build(), target, tokenizer_folder=folder)
    return target


def test_the_tokenizer_travels_and_knows_the_context(saved, tokenizer):
    made = tokenizer[1]
    theirs = transformers.AutoTokenizer.from_pretrained(saved)
    for text in TEXTS:
        ids = theirs.encode(text, add_special_tokens=False)
        assert ids == list(made.encode(text))
        assert theirs.decode(ids) == text
    assert theirs.model_max_length == 32
    assert theirs.eos_token_id == made.eos_id
    assert theirs.pad_token_id == made.pad_id != made.eos_id
    assert theirs.chat_template


def test_generation_stops_at_the_ends_of_documents_and_turns(saved, tokenizer):
    made = tokenizer[1]
    config = json.loads((saved / "config.json").read_text())
    assert config["eos_token_id"] == made.eos_id
    assert config["pad_token_id"] == made.pad_id
    there = transformers.GenerationConfig.from_pretrained(saved)
    assert set(there.eos_token_id) == set(made.stop_ids)
    assert made.eos_id in there.eos_token_id
    assert there.pad_token_id == made.pad_id


def test_a_folder_can_be_its_own_tokenizer_folder(saved, tokenizer):
    before = (saved / "tokenizer.json").read_bytes()
    save_model(load_model(saved), saved, tokenizer_folder=saved)
    assert (saved / "tokenizer.json").read_bytes() == before
    load_model(saved)
