"""What stretches a context: equal to `transformers`, near and far, from every place in a file."""

import json

import pytest
import torch
import transformers

from hornbook.core.errors import HornbookError
from hornbook.models.convert import from_hf
from hornbook.models.folder import load_model, save_model
from hornbook.nn.contract import Context, Mask
from tests.tiny import loud

SIZES = {
    "vocab_size": 53, "hidden_size": 32, "intermediate_size": 40, "num_hidden_layers": 2,
    "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 16,
    "max_position_embeddings": 4096, "bos_token_id": None, "eos_token_id": None,
}  # fmt: skip
LONG = {
    "rope_type": "longrope", "short_factor": [1.0 + i / 8 for i in range(8)],
    "long_factor": [2.0 + i for i in range(8)], "original_max_position_embeddings": 64,
}  # fmt: skip
SCALINGS = {
    "linear": {"rope_type": "linear", "factor": 4.0},
    "dynamic": {"rope_type": "dynamic", "factor": 4.0},
    "llama3": {
        "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": 512,
    },
    "yarn": {"rope_type": "yarn", "factor": 16.0, "original_max_position_embeddings": 256},
    "yarn-own": {
        "rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 512,
        "beta_fast": 16.0, "beta_slow": 2.0, "truncate": False, "attention_factor": 1.25,
    },
    "yarn-mscale": {
        "rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 1024,
        "mscale": 0.7, "mscale_all_dim": 1.0,
    },
    "long": LONG,
    "long-own": {**LONG, "attention_factor": 1.5},
}  # fmt: skip
TOKENS = torch.randint(53, (1, 40), generator=torch.Generator().manual_seed(1))


@pytest.fixture(params=SCALINGS)
def pair(request, tmp_path):
    config = transformers.LlamaConfig(
        **SIZES, rope_parameters={**SCALINGS[request.param], "rope_theta": 5000.0}
    )
    theirs = loud(transformers.AutoModelForCausalLM.from_config(config))
    theirs.save_pretrained(tmp_path)
    return theirs, load_model(tmp_path).requires_grad_(False), tmp_path


def same(ours, theirs):
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=0)


def test_near_and_far_positions_and_back(pair):
    """What is written opens there with the same angles; versions 4 and 5 find them."""
    theirs, ours, folder = pair
    same(ours(TOKENS), theirs(TOKENS).logits)
    pos = torch.linspace(0, 4095, 40).long()[None]
    far = ours.head(ours.features(TOKENS, Context(pos, Mask(causal=True))))
    same(far, theirs(TOKENS, position_ids=pos).logits)
    save_model(ours, folder / "back")
    back = transformers.AutoModelForCausalLM.from_pretrained(folder / "back")
    same(back(TOKENS, position_ids=pos).logits, far)

    path = folder / "config.json"
    values = json.loads(path.read_text())
    scaling = values.pop("rope_parameters")
    values |= {"rope_theta": scaling.pop("rope_theta"), "rope_scaling": scaling}
    scaling["type"] = scaling.pop("rope_type")
    assert from_hf(values, "old")[1] == ours.config


def test_long_factors_hold_from_the_first_token_of_a_sequence_with_room_for_more():
    values = {**SIZES, "model_type": "llama", "rope_scaling": LONG}
    model = loud(from_hf(values, "x")[1].build())
    tokens = torch.randint(53, (1, 80), generator=torch.Generator().manual_seed(2))
    whole, start = model(tokens), model(tokens[:, :20])
    far, near = model.new_state(1, 80), model.new_state(1, 64)
    same(torch.cat([model(part, far) for part in tokens.split(25, 1)], 1), whole)
    same(model(tokens[:, :20], near), start)
    assert (start - whole[:, :20]).abs().max() > 0.01


@pytest.mark.parametrize(
    ("scaling", "said"),
    [
        ({"rope_type": "lama3"}, "Did you mean 'llama3'"),
        ({"rope_type": "llama3", "factor": 8.0}, "low_freq_factor"),
        ({**SCALINGS["llama3"], "low_freq_factor": 4.0}, "low_freq_factor = 4.0 is not below"),
        ({"rope_type": "linear"}, "factor"),
        ({**SCALINGS["yarn"], "original_max_position_embeddings": 0}, "positive whole"),
        ({**LONG, "short_factor": [1.0] * 7 + [0]}, "list of 8 positive numbers"),
        ({"rope_type": "linear", "factor": 2.0, "rope_theta": 3.0}, "also says 5000"),
    ],
)
def test_what_is_wrong_is_named(scaling, said):
    values = {**SIZES, "model_type": "llama", "rope_theta": 5000.0, "rope_scaling": scaling}
    with pytest.raises(HornbookError, match=said):
        from_hf(values, "config.json")
