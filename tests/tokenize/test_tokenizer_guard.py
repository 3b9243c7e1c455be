"""Tokenizers of strangers: a panic is an error, and nothing takes memory without an end."""

import base64
import json

import pytest

from hornbook.core.errors import HornbookError
from hornbook.tokenize.sequences import SequenceTokenizer
from hornbook.tokenize.tokenizer import Tokenizer


def charsmap(data):
    return {"type": "Precompiled", "precompiled_charsmap": base64.b64encode(data).decode()}


def replace(pattern, content):
    return {"type": "Replace", "pattern": {"String": pattern}, "content": content}


def sequence(*parts):
    return {"type": "Sequence", "normalizers": list(parts)}


def split(pattern):
    return {
        "type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False
    }  # fmt: skip


BROKEN = {
    "an empty table": {"normalizer": charsmap(b"")},
    "a table of four thousand million": {"normalizer": charsmap(b"\xff\xff\xff\xffaaaaaaaa")},
    "a table of nothing": {"normalizer": charsmap(bytes(8))},
    "a table within": {"normalizer": sequence(charsmap(b"\xff\xff\xff\xffa"))},
    "a table that points outside": {"normalizer": charsmap(b"\4\0\0\0\xff\xff\xff\x7fx")},
    "a table that is no text": {"normalizer": {"type": "Precompiled", "precompiled_charsmap": 3}},
    "a long replacement": {"normalizer": replace("a", "a" * 10**6)},
    "replacement upon replacement": {"normalizer": sequence(*[replace("a", "a" * 100)] * 5)},
    "a long prefix": {"normalizer": {"type": "Prepend", "prepend": "a" * 10**7}},
    "pieces of no length": {"pre_tokenizer": {"type": "FixedLength", "length": 0}},
    "a pattern that never ends": {"pre_tokenizer": split("(a+)+$")},
    "an unknown part": {"normalizer": {"type": "Nothing"}},
    "a list": {"normalizer": [1]},
}


@pytest.mark.parametrize("opened", [Tokenizer, SequenceTokenizer])
@pytest.mark.parametrize("name", BROKEN)
def test_what_breaks_the_library_is_an_error(name, opened, folder, tmp_path):
    values = json.loads((folder / "tokenizer.json").read_text()) | BROKEN[name]
    (tmp_path / "tokenizer.json").write_text(json.dumps(values))
    with pytest.raises(HornbookError, match=r"tokenizer\.json"):
        tokenizer = opened.load(tmp_path)
        text = "a" * 40 + "!"
        tokenizer.encode(text) if opened is Tokenizer else tokenizer.encode_batch([text], 9)


@pytest.mark.parametrize("i", [-1, 2**32 - 1, 2**22, True, 1.5, None, "1"])
@pytest.mark.parametrize("opened", [Tokenizer, SequenceTokenizer])
def test_ids_are_bounded(i, opened, folder, tmp_path):
    values = json.loads((folder / "tokenizer.json").read_text())
    values["model"]["vocab"]["zzz"] = i
    (tmp_path / "tokenizer.json").write_text(json.dumps(values))
    with pytest.raises(HornbookError, match="ids are not numbers"):
        opened.load(tmp_path)


def test_bulk_encoding_says_it_too(folder, tmp_path):
    values = json.loads((folder / "tokenizer.json").read_text())
    values |= BROKEN["a pattern that never ends"]
    (tmp_path / "tokenizer.json").write_text(json.dumps(values))
    with pytest.raises(HornbookError, match="cannot be used"):
        Tokenizer.load(tmp_path).encode_batch(["a" * 40 + "!"])
