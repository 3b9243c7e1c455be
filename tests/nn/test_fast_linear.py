"""Linear layers by oneDNN: the same products, the same names, and gradients as before."""

import pytest
import torch
from torch import nn

from hornbook.models.encoder_presets import BertSizes, bert
from hornbook.nn.fast_linear import FastLinear, with_fast_linear


@pytest.mark.parametrize("shape", [(1, 7), (5, 7), (2, 3, 7), (0, 7), (2, 0, 7)])
@pytest.mark.parametrize("bias", [True, False])
def test_products_are_the_same(shape, bias):
    plain = nn.Linear(7, 4, bias=bias)
    x = torch.randn(shape)
    with torch.no_grad():
        found = FastLinear(plain)(x)
        assert found.shape == (*shape[:-1], 4)
        assert torch.allclose(found, plain(x), atol=1e-5)
        assert torch.allclose(FastLinear(plain)(x.mT.contiguous().mT), plain(x), atol=1e-5)


def test_it_is_torchs_own_where_it_is_trained_or_no_float32():
    plain = nn.Linear(7, 4)
    fast, x = FastLinear(plain), torch.randn(3, 7)
    fast(x).sum().backward()
    assert torch.allclose(plain.weight.grad, x.sum(0).expand(4, 7))
    double = FastLinear(nn.Linear(7, 4).double())
    with torch.no_grad():
        assert double(x.double()).dtype == torch.float64


def test_a_model_keeps_its_names_and_answers():
    sizes = BertSizes(vocab=50, width=16, depth=2, context=32, heads=2, hidden=24)
    model = bert(sizes).build(seed=3).eval()
    names, tokens = list(model.state_dict()), torch.randint(50, (3, 9))
    with torch.no_grad():
        before = model(tokens)
        assert with_fast_linear(model) is model
        assert any(isinstance(part, FastLinear) for part in model.modules())
        assert (model(tokens) - before).abs().max() < 1e-5
    assert list(model.state_dict()) == names
