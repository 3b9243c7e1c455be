"""Every family of decoders as llama.cpp computes it from our file: the same logits."""

import numpy as np
import pytest
import torch

from hornbook.models.gguf.write import write_gguf
from hornbook.models.presets import llama, qwen2, qwen3
from hornbook.models.variants import gemma2, gemma3, granite, mistral, olmo2, phi3, smollm3
from hornbook.nn.frequencies import (
    LinearScaling,
    Llama3Scaling,
    LongScaling,
    RotaryConfig,
    YarnScaling,
)
from tests.tiny import decoder_sizes, loud

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]
llama_cpp = pytest.importorskip("llama_cpp")

SIZES = decoder_sizes(
    vocab=70, width=64, depth=4, heads=4, kv_heads=2, head=16, hidden=96, context=512
)
TIED = SIZES.model_copy(update={"tied": True})
IDS = torch.randint(70, (1, 40), generator=torch.Generator().manual_seed(1))
LONG = {"short": (1, 1.2, 1.4, 1.6, 2, 2), "long": (2, 3, 4, 5, 6, 7), "attention": 1.1}


def turned(scaling, theta=500.0, **other):
    return RotaryConfig(theta=theta, scaling=scaling, **other)


MODELS = {
    "llama": llama(SIZES),
    "llama3": llama(TIED, turned(Llama3Scaling(factor=32.0, original=8192), 5e5)),
    "linear": qwen3(SIZES, turned(LinearScaling(factor=4.0))),
    "yarn": llama(SIZES, turned(YarnScaling(factor=4.0, original=16))),
    "yarn-own": qwen2(TIED, turned(YarnScaling(factor=4.0, original=16, attention=1.3))),
    "mistral": mistral(SIZES, window=512),
    "phi3": phi3(TIED),
    # Their context is at least 256 tokens, ours as long as the sequence.
    "phi3-short": phi3(SIZES, rotary=turned(LongScaling(original=300, **LONG), channels=12)),
    "phi3-long": phi3(SIZES, rotary=turned(LongScaling(original=32, **LONG), channels=12)),
    "gemma2": gemma2(TIED, window=9),
    "gemma2-own": gemma2(TIED, window=9, whole=(0,), cap=1.0, logit_cap=2.0),
    "gemma3": gemma3(TIED, window=9, whole=(1, 3)),
    "gemma3-far": gemma3(SIZES, 9, (0,), turned(LinearScaling(factor=8.0), 1e6), logit_cap=2.0),
    "olmo2": olmo2(SIZES),
    "smollm3": smollm3(TIED),
    "granite": granite(SIZES, embedding=3.0, residual=0.4, scale=0.2, logits=2.5),
    "granite-biased": granite(TIED, biased=True),
}


def tokens():
    return {
        "tokenizer.ggml.model": "llama",
        "tokenizer.ggml.tokens": [f"t{i}" for i in range(70)],
        "tokenizer.ggml.scores": [0.0] * 70,
        "tokenizer.ggml.token_type": [1] * 70,
        **{f"tokenizer.ggml.{role}_token_id": i for i, role in enumerate(("bos", "eos"))},
        "tokenizer.ggml.unknown_token_id": 0,
    }


@pytest.mark.parametrize("name", MODELS)
def test_logits_are_the_same_there(name, tmp_path, monkeypatch):
    """bound: of a logit; what Gemma multiplies by their GELU is rounded to 16 bits there."""
    low = llama_cpp.llama_cpp
    parameters = low.llama_model_default_params()
    parameters.use_extra_bufts = False  # AMX, whose kernels crash on some virtual machines
    monkeypatch.setattr(low, "llama_model_default_params", lambda: parameters)
    model = loud(MODELS[name].build())
    write_gguf(model, tmp_path / "m.gguf", "f32", tokens())
    there = llama_cpp.Llama(
        str(tmp_path / "m.gguf"), n_ctx=64, n_threads=1, logits_all=True, verbose=False,
        type_k=llama_cpp.GGML_TYPE_F32, type_v=llama_cpp.GGML_TYPE_F32, flash_attn=False,
    )  # fmt: skip
    there.eval(IDS[0].tolist())
    bound = 2e-2 if "gemma" in name else 1e-3
    assert np.abs(there.scores[: IDS.shape[1]] - model(IDS)[0].numpy()).max() < bound
    there.close()
