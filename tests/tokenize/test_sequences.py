"""Tokenizers of encoders: WordPiece opens, text never becomes a special token, ids stay."""

import json

import numpy as np
import pytest
import tokenizers
import transformers
from tokenizers import models, normalizers, pre_tokenizers, processors

from hornbook.core.errors import HornbookError
from hornbook.tokenize.masking import MASK, add_mask, word_parts
from hornbook.tokenize.sequences import SequenceTokenizer, open_tokenizer
from hornbook.tokenize.tokenizer import Tokenizer


@pytest.fixture(scope="module")
def word_piece(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wordpiece")
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    words = [*special, "the", "horn", "##book", "[", "]", "mask"]
    made = tokenizers.Tokenizer(
        models.WordPiece({word: i for i, word in enumerate(words)}, unk_token="[UNK]")
    )
    made.normalizer = normalizers.BertNormalizer()
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    made.add_special_tokens(special)
    made.enable_truncation(4)
    made.enable_padding(length=9)
    made.save(str(folder / "tokenizer.json"))
    names = {f"{role}_token": f"[{role.upper()}]" for role in ("pad", "cls", "sep", "mask")}
    (folder / "tokenizer_config.json").write_text(json.dumps(names))
    return folder


def test_word_piece(word_piece):
    opened = open_tokenizer(word_piece)
    assert isinstance(opened, SequenceTokenizer)
    assert (opened.pad_id, opened.cls_id, opened.sep_id, opened.mask_id) == (0, 2, 3, 4)
    assert opened.vocab_size == 11 and opened.special_ids == {0, 1, 2, 3, 4}
    found = opened.encode_batch(["The hornbook", "the [MASK]", "", "the the the the the"], 6)
    expected = [[2, 5, 6, 7, 3], [2, 5, 8, 10, 9, 3], [2, 3], [2, 5, 5, 5, 5, 3]]
    assert [ids.tolist() for ids in found] == expected
    with pytest.raises(HornbookError, match="not a byte-level BPE"):
        Tokenizer.load(word_piece)


def test_half_a_surrogate_pair_is_refused(word_piece):
    with pytest.raises(HornbookError, match="half a surrogate pair"):
        open_tokenizer(word_piece).encode_batch(["ok", "\ud800"], 9)


@pytest.mark.parametrize("content", ["{}", "[]", '{"model": 1}'])
def test_a_broken_file_is_named(content, tmp_path):
    (tmp_path / "tokenizer.json").write_text(content)
    with pytest.raises(HornbookError, match=r"tokenizer\.json is not a tokenizer file"):
        open_tokenizer(tmp_path)


TEXTS = ["The hornbook was the small tablet.", "春眠不覺曉", "naïve café <|mask|> <|endoftext|>"]


def test_a_mask_is_added_and_all_ids_stay(folder, tokenizer, tmp_path):
    made = add_mask(folder, tmp_path / "encoder")
    assert made.vocab_size == tokenizer.vocab_size + 1
    assert [made.encode(text) for text in TEXTS] == [tokenizer.encode(text) for text in TEXTS]
    opened = SequenceTokenizer.load(tmp_path / "encoder")
    assert opened.mask_id == tokenizer.vocab_size
    assert opened.cls_id == opened.sep_id == tokenizer.eos_id
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path / "encoder")
    assert theirs.mask_token == MASK and theirs.mask_token_id == opened.mask_id
    for text, ids in zip(TEXTS, opened.encode_batch(TEXTS, 99), strict=True):
        assert ids.tolist() == [tokenizer.eos_id, *tokenizer.encode(text)]
        assert "<|" in text or theirs(text)["input_ids"] == ids.tolist()
    with pytest.raises(HornbookError, match=r"has the token <\|mask\|> already"):
        add_mask(tmp_path / "encoder", tmp_path / "again")


def test_words_are_runs_of_letters_and_others_stand_alone(tokenizer):
    going_on, open_ended = word_parts(tokenizer)
    assert len(tokenizer.encode("春眠")) == 1  # no word is smaller than a token
    for text, count in (("learned hornbook", 2), ("naïve", 1), ("a1b2", 4), ("春眠不", 2)):
        ids = np.array(tokenizer.encode(text))
        begins = np.append(True, ~(going_on[ids[1:]] & open_ended[ids[:-1]]))
        assert begins.sum() == count, text
    assert not going_on[list(tokenizer.special_ids)].any()
