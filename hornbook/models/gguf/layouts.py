"""What a GGUF file stores otherwise than we do: other shapes, numbers and orders of heads.

By the part of a block that a tensor is, or its whole name outside of blocks. The order of rows that
`llama` rotates has a place of its own (`rotary`), as codes can follow it.
"""

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from hornbook.models.convert.own import layers_of
from hornbook.models.model import ModelConfig
from hornbook.nn.delta import GatedDeltaConfig
from hornbook.nn.mixture import MixtureConfig

Change = Callable[[np.ndarray], np.ndarray]
Shape = tuple[int, ...]


class StoredLayout(NamedTuple):
    """to_file: our numbers as they are stored; to_model: the other way. shape: in the file, of
    ours; ours: the other way. of_rows: whether it moves whole rows of a matrix, or changes nothing
    but the shape, so that codes can follow."""

    to_file: Change
    to_model: Change
    shape: Callable[[Shape], Shape] = lambda shape: shape
    ours: Callable[[Shape], Shape] = lambda shape: shape
    of_rows: bool = False

    def after(self, first: "StoredLayout") -> "StoredLayout":
        """This one of what `first` stores."""
        return StoredLayout(
            lambda x: self.to_file(first.to_file(x)), lambda x: first.to_model(self.to_model(x))
        )


def part_of(name: str) -> str:
    """What a tensor is: the same in every block."""
    return name.split(".", 2)[2] if name.startswith("blk.") else name


def layouts_of(architecture: str, config: ModelConfig) -> Mapping[str, StoredLayout]:
    """What is stored otherwise, by `part_of` its name."""
    match architecture:
        case "qwen3moe":
            mixture = next(x for x in layers_of(config) if isinstance(x, MixtureConfig))
            names = ("ffn_gate_exps", "ffn_up_exps", "ffn_down_exps")
            return {f"{name}.weight": _stacked(mixture.experts) for name in names}
        case "qwen35":
            delta = [x for x in layers_of(config) if isinstance(x, GatedDeltaConfig)]
            return _hybrid(delta[0]) if delta else dict.fromkeys(_NORMS, _WHOLE_NORM)
        case "gemma2" | "gemma3":
            return dict.fromkeys((*_NORMS, "ffn_norm.weight", "post_ffw_norm.weight"), _WHOLE_NORM)
    return {}


def _hybrid(delta: GatedDeltaConfig) -> dict[str, StoredLayout]:
    """Norms are whole, decays are what they come to, and heads of values that share a key lie
    apart: the first of each key, then the second of each."""
    found = dict.fromkeys(_NORMS, _WHOLE_NORM)
    found["ssm_a"] = StoredLayout(lambda x: -np.exp(x), lambda x: np.log(-x))
    found["ssm_conv1d.weight"] = StoredLayout(
        lambda x: x[:, 0], lambda x: x[:, None], lambda s: (s[0], s[2]), lambda s: (s[0], 1, s[-1])
    )
    if delta.heads == delta.key_heads:
        return found
    rows, mixed = _apart(delta), _apart(delta, 2 * delta.keys)
    for name in ("attn_gate.weight", "ssm_beta.weight", "ssm_alpha.weight", "ssm_dt.bias"):
        found[name] = rows
    found["attn_qkv.weight"] = mixed
    found["ssm_out.weight"] = _apart(delta, axis=1)
    found["ssm_a"] = found["ssm_a"].after(rows)
    conv = found["ssm_conv1d.weight"]
    found["ssm_conv1d.weight"] = conv.after(mixed)._replace(shape=conv.shape, ours=conv.ours)
    return found


_NORMS = (
    "attn_norm.weight",
    "post_attention_norm.weight",
    "attn_q_norm.weight",
    "attn_k_norm.weight",
    "output_norm.weight",
)


_WHOLE_NORM = StoredLayout(lambda x: x + 1, lambda x: x - 1)
"""What is learned is how far it is from 1."""


def _stacked(parts: int) -> StoredLayout:
    """Matrices one below the other, as a tensor of matrices."""
    return StoredLayout(
        lambda x: x.reshape(parts, -1, x.shape[-1]),
        lambda x: x.reshape(-1, x.shape[-1]),
        lambda s: (parts, s[0] // parts, s[1]),
        lambda s: (math.prod(s[:-1]), s[-1]),
        of_rows=True,
    )


def _apart(delta: GatedDeltaConfig, first: int = 0, axis: int = 0) -> StoredLayout:
    """What belongs to heads of values, behind the `first` rows or columns, which stay."""

    def order(x: np.ndarray) -> np.ndarray:
        each = (x.shape[axis] - first) // delta.heads
        shape = (delta.key_heads, delta.heads // delta.key_heads, each)
        moved = first + np.arange(x.shape[axis] - first).reshape(shape).swapaxes(0, 1).ravel()
        return np.concatenate([np.arange(first), moved])

    return StoredLayout(
        lambda x: np.take(x, order(x), axis),
        lambda x: np.take(x, order(x).argsort(), axis),
        of_rows=axis == 0,
    )
