"""Linear layers by oneDNN where nothing is trained: float32 products at twice the speed on AMD.

`torch` multiplies float32 matrices with Intel's MKL, which takes its slower way on other makers'
processors; oneDNN, which comes with torch as well, does not (docs/log.md). A transform of a built
model: the parameters, their names and what a checkpoint holds stay as they are.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class FastLinear(nn.Module):
    """x W^T + b, (..., in) -> (..., out), as `nn.Linear` up to the order of sums.

    Where a gradient is wanted, or the input is no float32 on a CPU, it is `nn.Linear`'s own.
    """

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.weight, self.bias = linear.weight, linear.bias
        self.out_features, self.in_features = linear.weight.shape

    def forward(self, x: Tensor) -> Tensor:
        if torch.is_grad_enabled() or x.dtype != torch.float32 or x.device.type != "cpu":
            return F.linear(x, self.weight, self.bias)
        found: Tensor = torch.ops.mkldnn._linear_pointwise(
            x, self.weight, self.bias, "none", [], ""
        )
        return found


def with_fast_linear(model: nn.Module) -> nn.Module:
    """The same model, whose linear layers are `FastLinear` where torch was built with oneDNN."""
    if not torch.backends.mkldnn.is_available():
        return model
    for module in list(model.modules()):
        for name, child in module.named_children():
            if type(child) is nn.Linear:
                setattr(module, name, FastLinear(child))
    return model
