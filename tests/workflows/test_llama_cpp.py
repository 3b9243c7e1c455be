"""What llama.cpp makes of our GGUF files: the same ids for text, the same greedy continuation."""

import ctypes
import unicodedata

import gguf
import numpy as np
import pytest
import torch

from hornbook.core.gguf import GGUFFile
from hornbook.generate.decode import decode
from hornbook.generate.sampling import SamplingConfig
from hornbook.models.folder import save_model
from hornbook.models.gguf.mixture import FILE_TYPES
from hornbook.models.gguf.write import write_gguf
from hornbook.models.presets import PRESETS
from hornbook.tokenize.bytelevel import BYTE_OF
from hornbook.tokenize.gguf import write_tokenizer
from hornbook.tokenize.pretokenizers import PRE_TOKENIZERS
from hornbook.tokenize.tokenizer import Tokenizer, read_files
from hornbook.tokenize.train import train_tokenizer
from hornbook.workflows.exchange.export import export
from hornbook.workflows.open.model import open_model
from tests.tiny import QUIET, decoder_sizes, loud
from tests.tokenize.conftest import TEXTS
from tests.tokenize.test_folders import GPT2, write
from tests.tokenize.test_gguf_tokenizers import ODD, file, keys

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]
llama_cpp = pytest.importorskip("llama_cpp")


@pytest.fixture(autouse=True)
def plain_products(monkeypatch):
    """Without AMX, whose kernels crash on some virtual machines, with any quantised file."""
    low = llama_cpp.llama_cpp
    default = low.llama_model_default_params

    def plain():
        parameters = default()
        parameters.use_extra_bufts = False
        return parameters

    monkeypatch.setattr(low, "llama_model_default_params", plain)


def open_there(path, floats=llama_cpp.GGML_TYPE_F32):
    """Keys and values in float32, as ours are."""
    return llama_cpp.Llama(
        str(path), n_ctx=128, n_threads=1, logits_all=True, verbose=False, type_k=floats,
        type_v=floats, flash_attn=False,
    )  # fmt: skip


def their_greedy(there, ids, count):
    there.reset()
    found = there.generate(ids, temp=0.0)
    return [next(found) for _ in range(count)]


def our_greedy(model, ids, count):
    config = SamplingConfig(temperature=0, max_tokens=count)
    return [step.id for step in decode(model, [ids], config, frozenset())]


@pytest.fixture(scope="module", params=["llama", "qwen2", "qwen3", "qwen3-moe", "qwen3.5", "gpt2"])
def folder(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    tokenizer = train_tokenizer(TEXTS, 400, folder / "t", QUIET)
    sizes = decoder_sizes(
        vocab=tokenizer.vocab_size + 3,
        width=64,
        context=128,
        heads=4,
        kv_heads=4 if request.param == "gpt2" else 2,
        head=16,
        hidden=96,
        depth=4,
        tied=True,
    )
    model = loud(PRESETS[request.param](sizes).build())
    save_model(model, folder / "m", tokenizer_folder=folder / "t")
    return folder / "m"


@pytest.mark.parametrize(("kind", "bound"), [("f32", 5e-3), ("f16", 5e-2)])
def test_the_same_ids_logits_and_greedy_text(folder, kind, bound, tmp_path):
    """bound: of a logit, whose spread is 2; their GELU and their f16 products round to 16 bits."""
    out = tmp_path / "m.gguf"
    export(folder, "gguf", kind, out, None, QUIET)
    ours, tokenizer = open_model(out, "cpu")
    there = open_there(out)
    for text in ODD:
        ids = there.tokenize(text.encode(), add_bos=False, special=False)
        assert ids == tokenizer.encode(text)
    ids = tokenizer.encode("The hornbook 春眠 1234")
    there.reset()
    there.eval(ids)
    with torch.inference_mode():
        logits = ours(torch.tensor([ids]))[0].numpy()
    assert np.abs(there.scores[: len(ids)] - logits).max() < bound
    found = their_greedy(there, ids, 40)
    if kind == "f32":
        assert found == our_greedy(ours, ids, 40)
    with torch.inference_mode():
        scores = ours(torch.tensor([ids + found]))[0, len(ids) - 1 : -1]
    chosen = scores.gather(1, torch.tensor(found)[:, None])[:, 0]
    assert (scores.max(1).values - chosen).max() < 2 * bound  # the greatest, or as great
    assert there.token_eos() == tokenizer.eos_id
    assert there.metadata["tokenizer.ggml.pre"] == "qwen2"
    there.close()


@pytest.mark.parametrize("kind", ["q8_0", "q4_0"])
def test_quantised_files_open_there(folder, kind, tmp_path):
    export(folder, "gguf", kind, tmp_path / "m.gguf", None, QUIET)
    there = open_there(tmp_path / "m.gguf")
    assert len(their_greedy(there, [1, 5, 9], 8)) == 8
    there.close()


@pytest.fixture(scope="module", params=["llama", "gpt2"])
def wide(request, tmp_path_factory):
    """A model whose rows K-quants divide, and of whose heads four share one of keys."""
    folder = tmp_path_factory.mktemp("wide")
    tokenizer = train_tokenizer(TEXTS, 400, folder / "t", QUIET)
    sizes = decoder_sizes(
        vocab=tokenizer.vocab_size,
        width=256,
        depth=16,
        context=128,
        heads=4,
        kv_heads=4 if request.param == "gpt2" else 1,
        head=64,
        hidden=512,
        tied=request.param == "llama",
    )
    model = loud(PRESETS[request.param](sizes).build())
    tokens = write_tokenizer(*read_files(folder / "t"), tokenizer.vocab_size, "t")
    write_gguf(model, folder / "m.gguf", "f32", tokens)
    return model, tokens, folder / "m.gguf"


def quantised_there(source, kind, out):
    low = llama_cpp.llama_cpp
    parameters = low.llama_model_quantize_default_params()
    parameters.ftype = getattr(low, f"LLAMA_FTYPE_MOSTLY_{kind.upper()}")
    parameters.nthread = 1
    assert low.llama_model_quantize(
        str(source).encode(), str(out).encode(), ctypes.byref(parameters)
    ) == 0  # fmt: skip
    return GGUFFile(out)


@pytest.mark.parametrize("kind", sorted(FILE_TYPES.keys() - {"f32", "q2_k_s"}))
def test_a_type_means_there_what_it_means_here(wide, kind, tmp_path):
    """The same types of the same tensors, but of heads; errors no larger; it runs there. They
    refuse q2_k_s without importance."""
    model, tokens, floats = wide
    write_gguf(model, tmp_path / "m.gguf", kind, tokens)
    ours = GGUFFile(tmp_path / "m.gguf")
    theirs = quantised_there(floats, kind, tmp_path / "there.gguf")
    assert ours.values["general.file_type"] == theirs.values["general.file_type"]
    for name, place in ours.tensors.items():
        other = theirs.tensors[name].kind
        if FILE_TYPES[kind].head == "Q8_0" and other == "Q6_K":
            assert place.kind == "Q8_0"
            continue
        assert place.kind == other, name
        true = read(GGUFFile(floats), name)
        errors = [np.square(read(file, name) - true).mean() for file in (ours, theirs)]
        assert errors[0] <= errors[1] * (1 + 1e-6), name
    there = open_there(tmp_path / "m.gguf")
    assert len(their_greedy(there, [1, 5, 9], 8)) == 8
    there.close()


def read(file, name):
    kind = gguf.GGMLQuantizationType[file.tensors[name].kind]
    return gguf.dequantize(file.read(name), kind)


CUTS = [
    "camelCase HTTPServer iPhone's DON'T don't ÉCOLE écoleÉ x/y//z a/\r\n1/2 12345 1 234",
    "Ho\u0302tel e\u0301\u0301, na\u0308ive! हिन्दी भाषा ไทยแลนด์ ﷺ عَرَبِيّ",
    "中文字符ABC中文 ǅ ʰa ªb Ⅷ ½ ２０２６ 한국어kor  \t\n\n  end",
]


WITHOUT_MARKS = ("gpt-4o", "llama4", "tekken")
"""Where llama.cpp cuts before signs over letters, and the tokenizers themselves do not."""


@pytest.mark.parametrize("name", PRE_TOKENIZERS)
def test_a_name_cuts_text_here_as_there(name, tmp_path):
    """Beside the usual merges, any two bytes may become one token, so that each split is seen."""
    write(tmp_path, GPT2)
    values = keys(tmp_path)
    usual = set(values["tokenizer.ggml.tokens"])
    pairs = [(a, b) for a in BYTE_OF for b in BYTE_OF if a + b not in usual]
    values["tokenizer.ggml.tokens"] += [a + b for a, b in pairs]
    values["tokenizer.ggml.merges"] += [f"{a} {b}" for a, b in pairs]
    values["tokenizer.ggml.token_type"] += [1] * len(pairs)
    del values["tokenizer.ggml.add_bos_token"]
    path = file(tmp_path / "m.gguf", {**values, "tokenizer.ggml.pre": name})
    here, there = (
        Tokenizer.load(path), llama_cpp.Llama(str(path), vocab_only=True, verbose=False)
    )  # fmt: skip
    assert here.encode_beginning("a") == there.tokenize(b"a", add_bos=True, special=False)
    for text in [*ODD, *CUTS]:
        if name in WITHOUT_MARKS:
            text = "".join(c for c in text if unicodedata.category(c)[0] != "M")
        if name == "deepseek-coder":  # there a wide space is cut off from what is behind it
            text = text.replace("\u3000", " ")
        ids = there.tokenize(text.encode(), add_bos=False, special=False)
        assert here.encode(text) == ids
    there.close()
