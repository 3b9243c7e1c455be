"""Blocks of a GGUF file with the gated delta rule, as our kernels read them; imports no torch.

Heads of values that share a key stand apart there, and stay so: the columns of a matrix of codes
cannot be moved.
"""

from collections.abc import Callable

import numpy as np

from hornbook.core.gguf import GGUFFile
from hornbook.kernels.quantised import DeltaSizes, DeltaWeights, RecallWeights, Tiles
from hornbook.models.gguf.quantised import floats

RATE, STEP, CONVOLUTION = "ssm_beta.weight", "ssm_alpha.weight", "ssm_conv1d.weight"
_INPUT, _GATE, _OUTPUT = "attn_qkv", "attn_gate", "ssm_out"
_BIAS, _DECAY, _NORM = "ssm_dt.bias", "ssm_a", "ssm_norm.weight"


def shapes(sizes: DeltaSizes, width: int) -> dict[str, tuple[int, ...]]:
    """Of the tensors of a block that are none of its MLP or norms."""
    return {
        f"{_INPUT}.weight": (sizes.convolved, width),
        f"{_GATE}.weight": (sizes.inner, width),
        f"{_OUTPUT}.weight": (width, sizes.inner),
        RATE: (sizes.heads, width),
        STEP: (sizes.heads, width),
        CONVOLUTION: (sizes.convolved, sizes.taps),
        _BIAS: (sizes.heads,),
        _DECAY: (sizes.heads,),
        _NORM: (sizes.head,),
    }


def read(
    file: GGUFFile, block: str, sizes: DeltaSizes, matrix: Callable[[str], Tiles]
) -> RecallWeights:
    """Of a block. matrix: reads one of its matrices."""

    def numbers(part: str) -> np.ndarray:
        return floats(file, f"{block}.{part}")

    with np.errstate(divide="ignore", invalid="ignore"):
        decay = np.log(-numbers(_DECAY))
    rule = DeltaWeights(
        conv=np.ascontiguousarray(numbers(CONVOLUTION).T),
        step_bias=numbers(_BIAS),
        decay_log=decay,
        norm=numbers(_NORM),
    )
    return RecallWeights(
        sizes,
        input=matrix(_INPUT),
        gate=matrix(_GATE),
        output=matrix(_OUTPUT),
        rate=numbers(RATE),
        step=numbers(STEP),
        numbers=rule,
    )
