"""gigatoken and `tokenizers` split text alike: every character, and odd ones in any company.

Few merges of a common vocabulary cross a wrong split, so the vocabulary here joins any two bytes.
"""

import random
import sys
import unicodedata

import numpy as np
import pytest
import tokenizers
from tokenizers import decoders, models, pre_tokenizers

from hornbook.tokenize import fast
from hornbook.tokenize.bytelevel import BYTE_OF
from hornbook.tokenize.pretokenizers import WORDS

SPELLING = {byte: character for character, byte in BYTE_OF.items()}


@pytest.fixture(scope="module")
def touchy():
    vocabulary = {character: i for i, character in enumerate(BYTE_OF)}
    merges = [(a, b) for a in map(SPELLING.get, b"a. \n1") for b in BYTE_OF]
    merges += [(a, b) for a in BYTE_OF for b in map(SPELLING.get, b"a. \n1")]
    merges = list(dict.fromkeys(merges))
    vocabulary.update({a + b: 256 + i for i, (a, b) in enumerate(merges)})
    made = tokenizers.Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(tokenizers.Regex(WORDS), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    made.decoder = decoders.ByteLevel()
    return made


def different(made, texts):
    slow = fast._slow(made)
    quick = fast._Gigatoken(made.to_str(), slow)
    pairs = zip(texts, slow(texts), quick.encode(texts), strict=True)
    return [text for text, a, b in pairs if not np.array_equal(a, b)]


def around(character):
    return "".join(f"{a}{character}{a}|" for a in ("a", ".", " ", "\n", "1"))


def test_characters_of_all_kinds(touchy):
    codes = [
        *range(0x3100),
        *range(0xA000, 0xAC00),
        *range(0xF900, 0x10000),
        *range(0x1F000, 0x1FC00),
    ]
    assert not different(touchy, [around(chr(code)) for code in codes])


@pytest.mark.slow
def test_every_character(touchy):
    codes = (chr(code) for code in range(sys.maxunicode + 1))
    texts = [around(c) for c in codes if unicodedata.category(c) not in ("Cs", "Cn")]
    for start in range(0, len(texts), 20_000):
        assert not different(touchy, texts[start : start + 20_000])


def test_odd_characters_in_any_company(touchy):
    odd = [
        *"aSstTrReEvVmMlLdD'’ſ1½²٣Ⅷ.,!_<|>$€éßẞıİŉﬀªº中ひ한אاक्ไ😀𝐀𝟙",
        *" \t\n\r\v\f\x1c\x1f\x85\xa0\u1680\u180e\u2003\u2028\u202f\u3000\u200b\ufeff\x00\x7f",
        *"\u0301\u0345\u200d\ufe0f\ue000\ufffd\ufffe",
        "  ",
        "\r\n",
        "<|im_end|>",
    ]
    draw = random.Random(1)
    texts = ["".join(draw.choices(odd, k=draw.randint(1, 14))) for _ in range(20_000)]
    assert not different(touchy, texts)
