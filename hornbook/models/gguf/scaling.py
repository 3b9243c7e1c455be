"""Rotary positions in the keys and tensors of a GGUF file, both ways; imports no torch.

llama.cpp has Llama 3's scaling and LongRoPE as tensors of divisors, a number for each pair.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from hornbook.core.errors import HornbookError
from hornbook.core.gguf import GGUFFile
from hornbook.models.fields import Fields
from hornbook.models.gguf.quantised import floats
from hornbook.models.sizes import DecoderSizes
from hornbook.nn.frequencies import (
    LinearScaling,
    Llama3Scaling,
    LongScaling,
    RotaryConfig,
    Scaling,
    YarnScaling,
    yarn_amplitude,
)

DIVISORS, LONG, SHORT = (
    f"rope_{name}.weight" for name in ("freqs", "factors_long", "factors_short")
)
_KINDS = {name: name for name in ("none", "linear", "yarn", "longrope")}
_DIVIDED = ("llama", "granite", "phi3")
"""Architectures that read tensors of divisors."""
_ORIGINAL = 8192
"""Context of pretraining of all released models; the file's divisors tell whether it is so."""


def read_turning(
    file: GGUFFile, fields: Fields, name: str, sizes: DecoderSizes, partly: bool = False
) -> RotaryConfig:
    """The rotary positions of a model. partly: whether a part of each head may turn."""
    channels = fields.size(f"{name}.rope.dimension_count", sizes.head)
    if channels % 2 or channels > sizes.head or (channels < sizes.head and not partly):
        only = f"Of {sizes.head} channels {'an even number turns' if partly else 'all turn'}."
        fields.refuse(f"{name}.rope.dimension_count", channels, only)
    turning = RotaryConfig(
        theta=fields.number(f"{name}.rope.freq_base", 10_000.0),
        channels=None if channels == sizes.head else channels,
    )
    scaling = _read(file, fields, name, sizes, turning)
    return turning.model_copy(update={"scaling": scaling})


def _read(
    file: GGUFFile, fields: Fields, name: str, sizes: DecoderSizes, plain: RotaryConfig
) -> Scaling | None:
    pairs, key = plain.pairs(sizes.head), f"{name}.rope.scaling"
    kind = fields.choice(f"{key}.type", "linear", _KINDS)
    factor = fields.number(f"{key}.factor", fields.number(f"{name}.rope.scale_linear", 1.0))
    original = fields.size(f"{key}.original_context_length", sizes.context)
    attention = fields.number(f"{key}.attn_factor", 1.0)
    fields.only(f"{key}.finetuned", False, True)
    found: Scaling | None = None
    if kind == "longrope" or LONG in file.tensors or SHORT in file.tensors:
        short, long = (_divisors(file, each, pairs) for each in (SHORT, LONG))
        return LongScaling(short=short, long=long, original=original, attention=attention)
    if DIVISORS in file.tensors:
        found = _of_divisors(_divisors(file, DIVISORS, pairs), plain.theta)
    elif kind == "yarn" and factor != 1:
        found = _yarn(fields, key, factor, original, attention)
        attention = 1.0
    elif kind == "linear" and factor != 1:
        found = LinearScaling(factor=factor)
    if attention != 1:
        fields.refuse(f"{key}.attn_factor", attention, "Only 1.0 is supported here.")
    return found


def _yarn(fields: Fields, key: str, factor: float, original: int, attention: float) -> YarnScaling:
    fields.only(f"{key}.yarn_ext_factor", 1.0)
    own = fields.number(f"{key}.yarn_attn_factor", yarn_amplitude(factor) * attention)
    return YarnScaling(
        factor=factor,
        original=original,
        fast=fields.number(f"{key}.yarn_beta_fast", 32.0),
        slow=fields.number(f"{key}.yarn_beta_slow", 1.0),
        attention=None if own == yarn_amplitude(factor) else own,
    )


def _divisors(file: GGUFFile, name: str, pairs: int) -> tuple[float, ...]:
    if name not in file.tensors:
        raise HornbookError(f"{file.path}: the tensor {name} is missing.")
    found = floats(file, name)
    if found.shape != (pairs,) or not (found > 0).all():
        raise HornbookError(f"{file.path}: {name} is no list of {pairs} positive numbers.")
    return tuple(float(str(number)) for number in found)  # the shortest that mean the same


def _of_divisors(divisors: tuple[float, ...], theta: float) -> Scaling:
    """Llama 3's scaling, if these are its divisors, or their own."""
    llama3 = Llama3Scaling(factor=max(divisors), original=_ORIGINAL)
    expected = _made(llama3, RotaryConfig(theta=theta), 2 * len(divisors))
    if np.allclose(divisors, expected, rtol=1e-5, atol=0):
        return llama3
    # One list for all lengths: nothing is ever longer.
    return LongScaling(short=divisors, long=divisors, original=2**31 - 1)


def _made(scaling: Llama3Scaling, plain: RotaryConfig, head: int) -> np.ndarray:
    scaled = plain.model_copy(update={"scaling": scaling})
    divisors: np.ndarray = plain.frequencies(head) / scaled.frequencies(head)
    return divisors


def write_turning(
    rotary: RotaryConfig, head: int, name: str
) -> tuple[dict[str, Any], Mapping[str, np.ndarray]]:
    """The keys of an architecture, without its name, and the tensors.

    Raises HornbookError for what llama.cpp does not compute.
    """
    keys: dict[str, Any] = {
        "rope.dimension_count": 2 * rotary.pairs(head),
        "rope.freq_base": rotary.theta,
    }
    tensors: dict[str, np.ndarray] = {}
    plain = rotary.model_copy(update={"scaling": None})
    match rotary.scaling:
        case LinearScaling(factor=factor):
            keys |= {"rope.scaling.type": "linear", "rope.scaling.factor": factor}
        case Llama3Scaling() as scaling:
            tensors[DIVISORS] = _made(scaling, plain, head).astype(np.float32)
        case YarnScaling() as scaling:
            keys |= _yarn_keys(scaling)
        case LongScaling() as scaling:
            if scaling.short == scaling.long and scaling.attention == 1:
                tensors[DIVISORS] = np.array(scaling.short, np.float32)
            else:
                keys |= {
                    "rope.scaling.type": "longrope",
                    "rope.scaling.original_context_length": scaling.original,
                    "rope.scaling.attn_factor": scaling.attention,
                }
                tensors[LONG] = np.array(scaling.long, np.float32)
                tensors[SHORT] = np.array(scaling.short, np.float32)
    if tensors and name not in _DIVIDED:
        raise HornbookError(
            f"llama.cpp's {name} computes no positions scaled as {_kind(rotary)}; those of "
            f"{', '.join(_DIVIDED)} may be."
        )
    return keys, tensors


def _kind(rotary: RotaryConfig) -> str:
    return rotary.scaling.kind if rotary.scaling else "none"


def _yarn_keys(scaling: YarnScaling) -> dict[str, Any]:
    if (scaling.fast, scaling.slow, scaling.whole) != (32.0, 1.0, True):
        raise HornbookError(
            "llama.cpp computes YaRN with beta_fast = 32, beta_slow = 1 and whole pairs only."
        )
    # The first is what llama.cpp computes with, the second what its converter writes.
    own = {
        "rope.scaling.attn_factor": scaling.amplitude / yarn_amplitude(scaling.factor),
        "rope.scaling.yarn_attn_factor": scaling.amplitude,
    }
    return {
        "rope.scaling.type": "yarn",
        "rope.scaling.factor": scaling.factor,
        "rope.scaling.original_context_length": scaling.original,
        **({} if scaling.attention is None else own),
    }
