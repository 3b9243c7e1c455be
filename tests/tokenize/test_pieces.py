"""Tokenizers of pieces and bytes: the ids of `transformers`, every byte, and GGUF both ways."""

import json

import pytest
import transformers

from hornbook.core.errors import HornbookError
from hornbook.core.gguf import GGUFFile
from hornbook.tokenize.gguf import unpack_tokenizer
from hornbook.tokenize.tokenizer import Tokenizer
from tests.tokenize.conftest import TEXTS
from tests.tokenize.pieces import write_pieces
from tests.tokenize.test_gguf_tokenizers import ODD, file, keys, same

CHAT = [{"role": "user", "content": "\n a small tablet <|user|>"}]
TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}<|user|>{{ m['content'] }}{{ eos_token }}{% endfor %}"
)
DIGITS = {"type": "Digits", "individual_digits": True}
FIRST = {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "first", "split": False}


@pytest.mark.parametrize("prefixed", [True, False])
def test_folders_and_files_give_the_ids_of_transformers(prefixed, tmp_path):
    folder = write_pieces(tmp_path / "t", TEXTS, prefixed)
    ours, theirs = Tokenizer.load(folder), transformers.AutoTokenizer.from_pretrained(folder)
    for text in ODD:
        assert ours.encode(text) == theirs(text, add_special_tokens=False)["input_ids"]
        assert ours.decode(ours.encode(text)) == " " * (prefixed and text != "") + text
    assert ours.prefix == [1] and ours.eos_id == 2
    path = file(tmp_path / "m.gguf", keys(folder))
    same(ours, Tokenizer.load(path))
    unpack_tokenizer(GGUFFile(path), tmp_path / "unpacked")
    same(ours, Tokenizer.load(tmp_path / "unpacked"))


def test_bytes_come_one_at_a_time(tmp_path):
    tokenizer = Tokenizer.load(write_pieces(tmp_path, TEXTS, prefixed=False))
    stream, ids = tokenizer.stream(), tokenizer.encode("日本")
    assert len(ids) == 6
    assert [stream.push(i) for i in ids] == ["", "", "日", "", "", "本"]


@pytest.mark.parametrize("kind", ["always", "first", "strips"])
def test_conversations_have_the_ids_of_transformers(kind, tmp_path):
    """first: a space stands before what begins the text alone. strips: a token takes white space
    behind it away."""
    first = {"pre_tokenizer": FIRST, "normalizer": None} if kind == "first" else {}
    folder = write_pieces(tmp_path, TEXTS, **first)
    if kind == "strips":
        values = json.loads((folder / "tokenizer.json").read_text())
        values["added_tokens"][3]["rstrip"] = True
        (folder / "tokenizer.json").write_text(json.dumps(values))
    (folder / "chat_template.jinja").write_text(TEMPLATE)
    plain = [{**CHAT[0], "content": "\n a small tablet"}]
    theirs = transformers.AutoTokenizer.from_pretrained(folder)
    expected = theirs.apply_chat_template(plain, return_dict=True)["input_ids"]
    tokenizer = Tokenizer.load(folder)
    assert tokenizer.encode_chat(plain)[0].tolist() == expected
    assert tokenizer.encode_chat(CHAT)[0].tolist().count(3) == 1  # what people say is text


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda v: v["model"]["merges"].pop(), "joins whatever is a piece"),
        (lambda v: v.update(normalizer={"type": "NFKC"}), "normaliser NFKC"),
        (
            lambda v: v.update(pre_tokenizer={"type": "Digits", "individual_digits": True}),
            "pre-tokenizer Digits",
        ),
    ],
)
def test_what_gguf_cannot_say_is_refused(change, said, tmp_path):
    path = write_pieces(tmp_path, TEXTS) / "tokenizer.json"
    values = json.loads(path.read_text())
    change(values)
    path.write_text(json.dumps(values))
    with pytest.raises(HornbookError, match=said):
        keys(tmp_path)


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("tokenizer.ggml.model", "rwkv", "Only 'gpt2', .* and 'llama'"),
        ("tokenizer.ggml.model", "bert", "holds no decoder"),
        ("tokenizer.ggml.scores", [0.0], "1 scores"),
        ("tokenizer.ggml.token_type", [1], "1 types"),
    ],
)
def test_a_file_that_holds_something_else_is_refused(key, value, said, tmp_path):
    values = keys(write_pieces(tmp_path, TEXTS))
    with pytest.raises(HornbookError, match=said):
        Tokenizer.load(file(tmp_path / "m.gguf", {**values, key: value}))
