"""Adapters as `peft` has them: its logits on our folder are ours, both ways, and nothing else."""

import json
import math
import re

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from hornbook.adapt import lora
from hornbook.adapt.method import Method
from hornbook.adapt.peft import BASE, CONFIG, WEIGHTS, base_of, load_adapter, save_adapter
from hornbook.core.errors import HornbookError, UsageError
from hornbook.models.folder import load_model, save_model
from hornbook.models.seq2seq import Seq2Seq
from tests.adapt.test_method import MODELS, fresh, run
from tests.tiny import slow


@pytest.fixture
def peft():
    """Imported where it is needed: it takes seconds."""
    return pytest.importorskip("peft")


transformers.utils.logging.disable_progress_bar()
pytestmark = pytest.mark.filterwarnings("default")

CLASSES = {
    "CAUSAL_LM": "AutoModelForCausalLM",
    "SEQ_CLS": "AutoModelForSequenceClassification",
    "SEQ_2_SEQ_LM": "AutoModelForSeq2SeqLM",
    None: "AutoModelForMaskedLM",
}
SAVED = (
    "qwen3", "tied", "llama", "qwen2", "gpt2", "mamba2", "lfm2", "qwen3.5", "qwen3-moe", "bert",
    "decoder classifier", "gpt2 classifier", "encoder classifier", "pair transformer",
)  # fmt: skip
DAILY = ("qwen3", "gpt2", "mamba2", "qwen3-moe", "encoder classifier", "pair transformer")
"""One each of what is named, or laid out, otherwise."""
every_saved = pytest.mark.parametrize(
    "name", [*DAILY, *slow(*(name for name in SAVED if name not in DAILY))]
)


def tuned(name, folder, rank=4):
    """A model with a LoRA that matters; its base is written to `folder`/base."""
    model = fresh(name)
    save_model(model, folder / "base")
    Method.parse(f"lora:{rank}").apply(model, 0)
    with torch.no_grad():
        for _, layer in lora.layers(model):
            layer.up.normal_(0, 0.3, generator=torch.Generator().manual_seed(2))
        for parameter, weight in model.named_parameters():
            if weight.requires_grad and parameter.startswith(("head.", "pooling.")):
                weight.add_(0.1)
    return model


def theirs(peft, kind, base, adapter):
    opened = getattr(transformers, CLASSES[kind]).from_pretrained(base, dtype=torch.float32)
    return peft.PeftModel.from_pretrained(opened, adapter).eval()


def their_logits(model, ours):
    ids = torch.randint(0, 50, (2, 9), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        if isinstance(ours, Seq2Seq):
            return model(input_ids=ids, decoder_input_ids=ids).logits
        return model(input_ids=ids).logits


def classified_by_the_last(name):
    return name in ("decoder classifier", "gpt2 classifier")


@every_saved
def test_peft_computes_with_our_folder_what_we_do(peft, name, tmp_path):
    model = tuned(name, tmp_path)
    save_adapter(model, tmp_path / "adapter", base_of(tmp_path / "base"))
    kind = json.loads((tmp_path / "adapter" / CONFIG).read_text())["task_type"]
    if classified_by_the_last(name):
        # They look for padding to find the last token, and refuse batches without its id.
        path = tmp_path / "base/config.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), "pad_token_id": 52}))
    there = theirs(peft, kind, tmp_path / "base", tmp_path / "adapter")
    with torch.no_grad():
        assert (their_logits(there, model) - run(model)).abs().max() < 1e-4


@every_saved
def test_an_adapter_comes_back_as_it_was(name, tmp_path):
    model = tuned(name, tmp_path)
    base = base_of(tmp_path / "base")
    save_adapter(model, tmp_path / "adapter", base)
    again = load_model(tmp_path / "base").eval()
    load_adapter(again, tmp_path / "adapter", base)
    ours, back = dict(model.named_parameters()), dict(again.named_parameters())
    assert list(ours) == list(back)
    assert all(torch.equal(ours[name], back[name]) for name in ours)
    assert torch.equal(run(model), run(again))
    lora.merge(again)
    save_model(again, tmp_path / "merged")
    assert (run(load_model(tmp_path / "merged").eval()) - run(model)).abs().max() < 1e-5


@pytest.mark.parametrize("name", ["llama", "gpt2"])
def test_an_adapter_of_peft_opens_here(peft, name, tmp_path):
    """One whose factors are not blocks: GPT-2's queries, keys and values share the first."""
    save_model(fresh(name), tmp_path / "base")
    opened = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "base")
    modules = ["c_attn", "c_fc"] if name == "gpt2" else ["q_proj", "down_proj"]
    settings = peft.LoraConfig(
        task_type="CAUSAL_LM", r=3, lora_alpha=5, target_modules=modules,
        alpha_pattern={modules[0]: 7},
    )  # fmt: skip
    there = peft.get_peft_model(opened, settings).eval()
    for parameter, weight in there.named_parameters():
        if "lora_B" in parameter:
            torch.nn.init.normal_(weight, 0, 0.3)
    there.save_pretrained(tmp_path / "adapter")
    model = load_model(tmp_path / "base").eval()
    load_adapter(model, tmp_path / "adapter", base_of(tmp_path / "base"))
    with torch.no_grad():
        assert (their_logits(there, model) - run(model)).abs().max() < 1e-4


@pytest.fixture
def saved(tmp_path):
    model = tuned("qwen3", tmp_path)
    save_adapter(model, tmp_path / "adapter", base_of(tmp_path / "base"))
    return tmp_path


def test_another_base_or_tokenizer_is_refused(saved):
    base = base_of(saved / "base")
    for wrong, words in (
        (base._replace(weights="0"), "other weights"),
        (base._replace(tokenizer="0"), "another tokenizer"),
    ):
        model = load_model(saved / "base")
        with pytest.raises(UsageError, match=words):
            load_adapter(model, saved / "adapter", wrong)
        assert not list(lora.layers(model))
    (saved / "adapter" / BASE).unlink()
    load_adapter(load_model(saved / "base"), saved / "adapter", base)


def test_what_is_computed_otherwise_is_refused(saved):
    path = saved / "adapter" / CONFIG
    values = json.loads(path.read_text())
    for key, value in (("use_dora", True), ("bias", "all"), ("peft_type", "IA3")):
        path.write_text(json.dumps({**values, key: value}))
        with pytest.raises(HornbookError, match=f"{key} = "):
            load_adapter(load_model(saved / "base"), saved / "adapter")


def test_broken_adapters_say_what_is_wrong(saved):
    path, model = saved / "adapter" / WEIGHTS, load_model(saved / "base")
    with pytest.raises(UsageError, match="holds no adapter"):
        load_adapter(model, saved / "base")
    tensors = load_file(path)
    name = next(name for name in tensors if "q_proj.lora_A" in name)
    save_file({**tensors, "base_model.model.odd.lora_A.weight": torch.ones(2, 2)}, path)
    with pytest.raises(HornbookError, match=r"odd\.lora_A\.weight has no place"):
        load_adapter(model, saved / "adapter")
    save_file({**tensors, name: tensors[name][:, :-1].contiguous()}, path)
    with pytest.raises(HornbookError, match="leads from 16 channels"):
        load_adapter(model, saved / "adapter")
    for odd, said in (
        (torch.full_like(tensors[name], math.nan), "NaN or infinite"),
        (tensors[name].double() + 1e300, "NaN or infinite"),
        (tensors[name].to(torch.float8_e4m3fn), "holds float8_e4m3fn"),
        (tensors[name].int(), "holds int32"),
    ):
        save_file({**tensors, name: odd}, path)
        with pytest.raises(HornbookError, match=f"{WEIGHTS}: {re.escape(name)}.*{said}"):
            load_adapter(model, saved / "adapter")
    path.write_bytes(b"no tensors")
    with pytest.raises(HornbookError, match="damaged"):
        load_adapter(model, saved / "adapter")
    assert not list(lora.layers(model))
    with pytest.raises(HornbookError, match="no LoRA layers"):
        save_adapter(model, saved / "other", base_of(saved / "base"))


def test_all_that_is_saved_has_a_model():
    assert set(SAVED) <= set(MODELS)
