"""Tokenizers made elsewhere: same ids and text as `transformers`, ends and padding as they say."""

import json

import pytest
import tokenizers
from tokenizers import decoders, models, normalizers, pre_tokenizers, processors, trainers

from hornbook.core.errors import HornbookError
from hornbook.tokenize.tokenizer import Tokenizer
from tests.tokenize.conftest import TEXTS

GPT2 = pre_tokenizers.ByteLevel(add_prefix_space=False)
SMOLLM2 = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), GPT2])
LLAMA3 = pre_tokenizers.Sequence(
    [
        pre_tokenizers.Split(
            tokenizers.Regex(
                r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
                r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
            ),
            "isolated",
        ),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ]
)
PREFIXED = pre_tokenizers.ByteLevel(add_prefix_space=True)
SAMPLES = ["", " The  hornbook's 春眠 12345\n\n\tdef f(): é e\u0301 <|end|>x", "<think>中", "   "]


def write(folder, pre_tokenizer, normalizer=None, **files):
    tokenizer = tokenizers.Tokenizer(models.BPE())
    tokenizer.pre_tokenizer, tokenizer.decoder = pre_tokenizer, decoders.ByteLevel()
    if normalizer:
        tokenizer.normalizer = normalizer
    tokenizer.train_from_iterator(
        TEXTS,
        trainers.BpeTrainer(
            vocab_size=400,
            special_tokens=["<|end|>"],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=True)
    tokenizer.add_special_tokens(["<|turn|>"])
    tokenizer.add_tokens(["<think>", "读書", "  "])
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "<|end|>"}
    for name, values in {"tokenizer_config": config, **files}.items():
        (folder / f"{name}.json").write_text(json.dumps(values))
    return Tokenizer.load(folder)


@pytest.mark.parametrize("pre_tokenizer", [GPT2, SMOLLM2, LLAMA3, PREFIXED])
@pytest.mark.parametrize("normalizer", [None, normalizers.NFC()])
def test_ids_and_text_as_in_transformers(tmp_path, pre_tokenizer, normalizer):
    from transformers import AutoTokenizer

    ours = write(tmp_path, pre_tokenizer, normalizer)
    theirs = AutoTokenizer.from_pretrained(tmp_path)
    for text, bulk in zip(SAMPLES, ours.encode_batch(SAMPLES), strict=True):
        ids = theirs(text, add_special_tokens=False, split_special_tokens=True)["input_ids"]
        assert ours.encode(text) == bulk.tolist()
        if "<think>" not in text and "  " not in text:  # they split those as well, which we do not
            assert ours.encode(text) == ids
        assert ours.decode(ids) == theirs.decode(ids)


def test_added_tokens_are_their_own_spelling(tmp_path):
    tokenizer = write(tmp_path, GPT2)
    text = "a<think>读書  b"
    ids = tokenizer.encode(text)
    assert tokenizer.decode(ids) == text
    assert [tokenizer.decode([i]) for i in ids] == ["a", "<think>", "读書", "  ", "b"]


def test_ends_and_padding_are_found_where_they_are_written(tmp_path):
    end = {"content": "<|end|>", "lstrip": False}
    found = write(tmp_path, GPT2, tokenizer_config={}, special_tokens_map={"eos_token": end})
    assert (found.eos_id, found.pad_id, found.stop_ids) == (0, None, {0})
    (tmp_path / "special_tokens_map.json").unlink()
    assert Tokenizer.load(tmp_path).eos_id is None
    turn = found.encode_batch(["x"]) and found.vocab_size - 4
    assert found.decode([turn]) == "<|turn|>"
    (tmp_path / "config.json").write_text('{"eos_token_id": 0}')
    (tmp_path / "generation_config.json").write_text(f'{{"eos_token_id": [0, {turn}, 99999]}}')
    found = Tokenizer.load(tmp_path)
    assert (found.eos_id, found.stop_ids) == (0, {0, turn})


def test_the_end_of_text_is_never_padding(tmp_path):
    config = {"eos_token": "<|end|>", "pad_token": "<|end|>"}
    assert write(tmp_path, GPT2, tokenizer_config=config).pad_id is None


def test_the_default_of_several_templates(tmp_path):
    templates = [{"name": "tools", "template": "x"}, {"name": "default", "template": "y"}]
    assert write(tmp_path, GPT2, tokenizer_config={"chat_template": templates}).chat_template == "y"


def test_ids_that_no_token_has_stand_for_nothing(tmp_path):
    tokenizer = write(tmp_path, GPT2)
    assert tokenizer.decode([tokenizer.vocab_size, 10**6, -100]) == ""


def test_the_words_of_a_model_are_not_its_vocabulary(tmp_path):
    write(tmp_path, GPT2)
    path = tmp_path / "tokenizer.json"
    values = json.loads(path.read_text())
    broken = [
        ("not a byte-level", {**values, "decoder": {"type": "WordPiece", "prefix": "##"}}),
        ("not a byte-level", {**values, "model": {"type": "Unigram", "vocab": []}}),
        ("not a tokenizer file", {**values, "pre_tokenizer": {"type": "Unheard"}}),
        ("not a tokenizer file", {**values, "model": {**values["model"], "merges": [["q", "zz"]]}}),
        ("not a tokenizer file", []),
    ]
    for reason, content in broken:
        path.write_text(json.dumps(content))
        with pytest.raises(HornbookError, match=rf"tokenizer\.json is {reason}"):
            Tokenizer.load(tmp_path)
    (tmp_path / "tokenizer_config.json").write_text("[]")
    with pytest.raises(HornbookError, match=r"tokenizer_config\.json holds a list"):
        Tokenizer.load(tmp_path)
