"""Tokenizers through GGUF's metadata: the same ids, text, ends and conversations."""

import gguf
import pytest
from tokenizers import normalizers

from hornbook.core.errors import HornbookError
from hornbook.core.gguf import GGUFFile
from hornbook.tokenize.gguf import unpack_tokenizer, write_tokenizer
from hornbook.tokenize.pretokenizers import PRE_TOKENIZERS, name_of
from hornbook.tokenize.tokenizer import Tokenizer, read_files
from tests.tokenize.test_folders import GPT2, LLAMA3, PREFIXED, SAMPLES, SMOLLM2, write

ODD = [
    *SAMPLES,
    "don't DON'T 1234567 ١٢٣ x²\r\n\r\n  \t y",
    "e\u0301 ﬁ 한국어\u3000日本 👩\u200d👧 \x00\x1b",
    "  <think> 读書  x",
]
CHAT = [{"role": "user", "content": "春眠 <|im_end|>"}, {"role": "assistant", "content": "ok"}]


def keys(folder):
    """A folder's tokenizer as GGUF's keys, for a model with five more rows."""
    values, settings = read_files(folder)
    tokenizer = Tokenizer.load(folder)
    settings = settings._replace(eos=tokenizer.eos_id, stops=tokenizer.stop_ids)
    return write_tokenizer(values, settings, tokenizer.vocab_size + 5, str(folder))


def file(path, values):
    """A GGUF file without tensors."""
    writer = gguf.GGUFWriter(path, "llama")
    for key, value in values.items():
        add = {bool: writer.add_bool, int: writer.add_uint32, str: writer.add_string}
        add.get(type(value), writer.add_array)(key, value)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def same(one, other):
    for text in ODD:
        assert one.encode(text) == other.encode(text)
        assert one.decode(one.encode(text)) == other.decode(one.encode(text))
    assert (one.eos_id, one.pad_id, one.stop_ids) == (other.eos_id, other.pad_id, other.stop_ids)
    assert one.special_ids == other.special_ids
    assert one.vocab_size == other.vocab_size


@pytest.mark.parametrize("pre", [GPT2, SMOLLM2, LLAMA3])
def test_a_tokenizer_made_elsewhere_comes_back(pre, tmp_path):
    before = write(tmp_path, pre)
    after = Tokenizer.load(file(tmp_path / "m.gguf", keys(tmp_path)))
    same(before, after)


def test_ours_comes_back_with_its_conversations(folder, tokenizer, tmp_path):
    path = file(tmp_path / "m.gguf", keys(folder))
    after = Tokenizer.load(path)
    same(tokenizer, after)
    values = GGUFFile(path).values
    assert values["tokenizer.ggml.pre"] == "qwen2"
    assert "generation %}" not in values["tokenizer.chat_template"]
    for prompt in (False, True):
        ids = tokenizer.encode_chat(CHAT, prompt)[0].tolist()
        assert after.encode_chat(CHAT, prompt)[0].tolist() == ids
    unpack_tokenizer(GGUFFile(path), tmp_path)
    same(tokenizer, Tokenizer.load(tmp_path))


def test_every_name_means_what_it_is_written_as():
    for name, pre in PRE_TOKENIZERS.items():
        written = name_of(pre.values, pre.whole_words, "here")
        assert PRE_TOKENIZERS[written] == PRE_TOKENIZERS[name]


def test_what_is_not_known_is_refused_by_name(folder, tmp_path):
    known = keys(folder)
    for changed, reason in (
        ({"tokenizer.ggml.pre": "qwen2000"}, "'qwen2000' is not known here. Did you mean 'qwen2'"),
        ({"tokenizer.ggml.pre": ""}, "does not say how text is cut before merging"),
        ({"tokenizer.ggml.pre": "default"}, "Ask for a newer file of the same model"),
        ({"tokenizer.ggml.model": "bert"}, "holds no decoder: it does not continue text"),
        ({"tokenizer.ggml.model": "rwkv"}, "tokenizer.ggml.model = 'rwkv'"),
        ({"tokenizer.ggml.merges": []}, "tokenizer.ggml.merges is missing"),
        ({"tokenizer.ggml.token_type": [1, 1]}, "2 types of tokens"),
        ({"tokenizer.ggml.tokens": [1, 1]}, "tokenizer.ggml.tokens holds other things than str"),
    ):
        path = file(tmp_path / "m.gguf", {**known, **changed})
        with pytest.raises(HornbookError) as caught:
            Tokenizer.load(path)
        assert str(path) in str(caught.value)
        assert reason in str(caught.value)


def test_what_llama_cpp_would_cut_otherwise_is_not_written(tmp_path):
    write(tmp_path, PREFIXED)
    with pytest.raises(HornbookError, match="no name for this pre-tokenizer"):
        keys(tmp_path)
    write(tmp_path, GPT2, normalizers.Lowercase())
    with pytest.raises(HornbookError, match="Lowercase"):
        keys(tmp_path)


def test_without_a_template_there_is_no_empty_one(tmp_path):
    """Programs take what is there: with an empty one they would write empty prompts."""
    write(tmp_path, GPT2)
    assert "tokenizer.chat_template" not in keys(tmp_path)
