"""What layers see of a memory: all that is valid of their own row's, and nothing else."""

import pytest
import torch

from hornbook.nn.contract import Context, Mask
from hornbook.nn.cross_attention import CrossAttentionConfig, SummaryConfig

LAYERS = [CrossAttentionConfig(heads=2, head=8), SummaryConfig()]


@pytest.mark.parametrize("config", LAYERS)
def test_it_sees_its_own_rows_valid_memory_only(config):
    torch.manual_seed(0)
    layer, x = config.build(16), torch.randn(2, 3, 16)
    memory, valid = torch.randn(2, 5, 16), torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]]).bool()

    def seen(memory: torch.Tensor) -> torch.Tensor:
        ctx = Context(torch.arange(3)[None], Mask(True), memory=memory, memory_valid=valid)
        return layer(x, ctx)

    y = seen(memory)
    behind, other = memory.clone(), memory.clone()
    behind[1, 3:] += 1
    other[0] += torch.randn(5, 16)
    assert torch.equal(seen(behind), y)
    assert torch.equal(seen(other)[1], y[1])
    assert not torch.allclose(seen(other)[0], y[0])
    alone = Context(torch.arange(3)[None], Mask(True), memory=memory[1:, :3])
    torch.testing.assert_close(layer(x[1:], alone), y[1:])


def test_attention_has_no_order_of_its_own_and_a_summary_has():
    torch.manual_seed(0)
    x, memory = torch.randn(1, 2, 16), torch.randn(1, 4, 16)
    whole = Context(torch.arange(2)[None], Mask(True), memory=memory)
    turned = whole._replace(memory=memory.flip(1))
    attention, summary = (config.build(16) for config in LAYERS)
    torch.testing.assert_close(attention(x, whole), attention(x, turned))
    assert not torch.allclose(summary(x, whole), summary(x, turned))
