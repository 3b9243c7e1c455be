"""A token that stands before every text by a tokenizer's files is there once, as elsewhere."""

import json

import numpy as np
import pytest
import transformers

from hornbook.core.claims import Claim
from hornbook.generate.likelihoods import begin_of, encode_pair
from hornbook.generate.text import continue_text, reply_to
from hornbook.tokenize.answers import with_template
from hornbook.tokenize.begin import begin_with
from hornbook.tokenize.gguf import read_tokenizer, write_tokenizer
from hornbook.tokenize.tokenizer import Tokenizer, read_files

TEXTS = ["the hornbook", " was read", "", "a\nb", "春眠不覺曉", "<|im_start|>user"]
BYTES = {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": False, "use_regex": True}
MESSAGES = [{"role": "user", "content": "the hornbook <|im_start|>"}]
WRITES_BOS = "{{ bos_token }}{% for m in messages %}{{ m.content }}{% endfor %}"
LEAVES_BOS = "{% for m in messages %}{{ m.content }}{% endfor %}"


def template():
    return begin_with("<|im_start|>", 1)


KINDS = {
    "nothing": (None, {}, []),
    "bytes only": (BYTES, {}, []),
    "llama 3": ({"type": "Sequence", "processors": [BYTES, template()]}, {}, [1]),
    "template": (template(), {}, [1]),
    "deepseek": (BYTES, {"add_bos_token": True, "add_eos_token": False}, [1]),
    "said and built": (template(), {"add_bos_token": True}, [1]),
    "said not": (template(), {"add_bos_token": False}, [1]),
    "said of nothing": (BYTES, {"add_bos_token": True, "bos_token": None}, []),
    "roberta": (
        {"type": "RobertaProcessing", "sep": ["<|endoftext|>", 0], "cls": ["<|im_start|>", 1],
         "trim_offsets": True, "add_prefix_space": True}, {}, [1],
    ),
}  # fmt: skip


def made(folder, out, kind, **more):
    """The small tokenizer with another post-processor and config."""
    processor, config, prefix = KINDS[kind]
    values = json.loads((folder / "tokenizer.json").read_text())
    values["post_processor"] = processor
    said = json.loads((folder / "tokenizer_config.json").read_text())
    said |= {"bos_token": "<|im_start|>", **config, **more}
    out.mkdir()
    (out / "tokenizer.json").write_text(json.dumps(values))
    (out / "tokenizer_config.json").write_text(json.dumps(said))
    return Tokenizer.load(out), prefix


@pytest.mark.parametrize("kind", KINDS)
def test_a_text_begins_as_in_transformers(kind, folder, tmp_path):
    ours, prefix = made(folder, tmp_path / "t", kind)
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path / "t")
    assert ours.prefix == prefix
    assert ours.decode([0, 1]) == "<|endoftext|><|im_start|>"
    for text in TEXTS[:-1]:
        ids = theirs(text).input_ids
        ids = ids[:-1] if kind == "roberta" else ids
        ids = [1, *ids] if kind == "deepseek" else ids  # version 4 does so, version 5 forgets it
        assert ours.encode_beginning(text) == ids
        assert ours.encode(text) == ids[len(prefix) :]
    assert ours.encode_beginning(TEXTS[-1]).count(1) == len(prefix)


@pytest.mark.parametrize("kind", KINDS)
def test_every_door_has_it_once(kind, folder, tmp_path):
    ours, prefix = made(folder, tmp_path / "t", kind)
    ids = ours.encode("the hornbook")
    assert continue_text(ours, "the hornbook")[0].prompt_ids == [*prefix, *ids]
    assert continue_text(ours, "")[0].prompt_ids == (prefix or [ours.eos_id])
    asked = encode_pair(ours, "the hornbook", " was")
    assert list(asked.context) == [*prefix, *ids]
    assert list(encode_pair(ours, "", "was").context) == (prefix or [ours.eos_id])
    assert begin_of(ours) == (prefix or [ours.eos_id])
    document = ours.document(np.array(ids, np.uint16))
    assert document.tolist() == [*prefix, *ids, ours.eos_id]
    assert document.dtype == np.uint16


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("template", [WRITES_BOS, LEAVES_BOS])
def test_in_a_conversation_the_template_alone_writes_it(kind, template, folder, tmp_path):
    ours, _ = made(folder, tmp_path / "t", kind, chat_template=template)
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path / "t")
    found = reply_to(ours, [{"role": "user", "content": "the hornbook"}], 64)[0].prompt_ids
    asked = [{"role": "user", "content": "the hornbook"}]
    assert found == theirs.apply_chat_template(asked, add_generation_prompt=True).input_ids
    ids = ours.encode_chat(MESSAGES)[0]
    named = kind != "said of nothing"
    assert list(ids).count(1) == (named and template == WRITES_BOS)


@pytest.mark.parametrize("kind", KINDS)
def test_a_template_of_ours_begins_with_it(kind, folder, tmp_path):
    ours, prefix = made(folder, tmp_path / "t", kind, chat_template=None)
    if ours.chat_template is not None:
        pytest.skip("the folder has a template of its own")
    place, _ = with_template(tmp_path / "t", tmp_path / "out", Claim("t"))
    ids = Tokenizer.load(place).encode_chat(MESSAGES)[0].tolist()
    assert ids[: 1 + len(prefix)] == [*prefix, 1]


@pytest.mark.parametrize("kind", KINDS)
def test_gguf_says_it_too(kind, folder, tmp_path):
    ours, prefix = made(folder, tmp_path / "t", kind)
    keys = write_tokenizer(*read_files(tmp_path / "t"), ours.vocab_size, "here")
    assert keys["tokenizer.ggml.add_bos_token"] == bool(prefix)
    assert keys["tokenizer.ggml.bos_token_id"] == (0 if kind == "said of nothing" else 1)
    back = Tokenizer(*read_tokenizer(Metadata(keys)), tmp_path)
    assert back.prefix == prefix
    assert back.encode_beginning("the hornbook") == ours.encode_beginning("the hornbook")
    if not prefix and kind != "said of nothing":
        del keys["tokenizer.ggml.add_bos_token"]
        assert Tokenizer(*read_tokenizer(Metadata(keys)), tmp_path).prefix == []
        keys["tokenizer.ggml.pre"] = "llama-bpe"
        assert Tokenizer(*read_tokenizer(Metadata(keys)), tmp_path).prefix == [1]


class Metadata:
    """The keys of a file."""

    def __init__(self, values):
        self.values, self.path = values, "here.gguf"


def test_a_beginning_that_no_token_has_is_refused(folder, tmp_path):
    values = json.loads((folder / "tokenizer.json").read_text())
    for processor in (begin_with("<x>", 10**6), {"type": "TemplateProcessing"}, {"type": []}, 3):
        values["post_processor"] = processor
        (tmp_path / "tokenizer.json").write_text(json.dumps(values))
        if processor == {"type": []}:
            assert Tokenizer.load(tmp_path).prefix == []
            continue
        with pytest.raises(Exception, match="is not a tokenizer file"):
            Tokenizer.load(tmp_path)
