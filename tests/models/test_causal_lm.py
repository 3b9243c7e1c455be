"""The decoder family by itself."""

import pytest
import torch

from hornbook.core.errors import HornbookError
from hornbook.models.causal_lm import CausalLMConfig
from hornbook.models.presets import MASKED_PRESETS, PRESETS
from tests.tiny import decoder_sizes, loud

SIZES = decoder_sizes(depth=3, context=24, heads=4, kv_heads=4, head=4)
DECODERS = {name: preset for name, preset in PRESETS.items() if name not in MASKED_PRESETS}
every_preset = pytest.mark.parametrize("preset", DECODERS.values(), ids=DECODERS.keys())


def tokens(rows: int, time: int) -> torch.Tensor:
    return torch.randint(50, (rows, time), generator=torch.Generator().manual_seed(1))


@every_preset
@pytest.mark.parametrize("tied", [True, False])
def test_the_config_survives_plain_data_and_predicts_the_size(preset, tied):
    config = preset(SIZES.model_copy(update={"tied": tied}))
    assert CausalLMConfig.parse(config.plain(), "here") == config
    model = config.build()
    assert sum(weight.numel() for weight in model.parameters()) == config.parameters()
    assert (model.head.weight is model.embedding.token.weight) == tied


@every_preset
def test_a_new_model_predicts_from_the_token_alone(preset):
    """Layers begin by adding nothing, so the past does not matter yet."""
    if preset.family == "lstm":
        return  # its layers have no last matrix that could be zero
    model = preset(SIZES).build(seed=1)
    x = tokens(1, 8)
    other = torch.cat([tokens(1, 7).flip(1), x[:, 7:]], 1)
    assert torch.equal(model(x)[:, 7], model(other)[:, 7])


@every_preset
def test_the_seed_decides_the_weights(preset):
    one, same, other = (preset(SIZES).build(seed).head.weight for seed in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


@every_preset
def test_ragged_rows_with_a_state_are_each_row_alone(preset):
    model, x = loud(preset(SIZES).build()), tokens(2, 9)
    state, lengths = model.new_state(2), torch.tensor([6, 3])
    model(x[:, :6], state, torch.arange(6) < lengths[:, None])
    assert state.length.tolist() == [6, 3]
    following = torch.stack([x[0, 6:9], x[1, 3:6]])
    logits = model(following, state)
    torch.testing.assert_close(logits[0], model(x[:1])[0, 6:9], atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(logits[1], model(x[1:, :6])[0, 3:6], atol=1e-5, rtol=1e-4)


@every_preset
def test_a_state_holds_the_context_and_not_a_token_more(preset):
    model = preset(SIZES).build()
    state = model.new_state(1)
    model(tokens(1, 24), state)
    with pytest.raises(HornbookError, match="24 tokens; 25 are needed"):
        model(tokens(1, 1), state)
