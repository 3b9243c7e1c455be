"""Rotary positions in a `config.json`: their base, what part of a head turns, what stretches them.

`transformers` 4 has the base at the top and the rest in `rope_scaling`, version 5 all in
`rope_parameters`; files have them in either, or in both. Knows keys; knows no family.
"""

import math
from collections.abc import Mapping
from typing import Any

from hornbook.models.fields import Fields
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

_TOP = ("rope_theta", "partial_rotary_factor", "original_max_position_embeddings")
_OLD = {"type": "rope_type"}
_KINDS = {
    name: name for name in ("default", "linear", "dynamic", "llama3", "yarn", "longrope", "su")
}


def read_rotary(
    fields: Fields, sizes: DecoderSizes, default: float = 10_000.0, partly: bool = False
) -> RotaryConfig:
    """The rotary positions of a model. default: their base where the file has none.

    partly: whether the family knows heads of which a part turns.
    """
    found = together(fields, "rope_scaling", "rope_parameters")
    rotary = read_parameters(found, sizes, default, partly)
    found.finish()
    return rotary


def together(fields: Fields, *objects: str, top: Mapping[str, Any] | None = None) -> Fields:
    """What objects say and what stands beside them, as if they were one place.

    top: what stands beside them, if not under its usual keys. Refuses what two places say
    otherwise.
    """
    values: dict[str, Any] = {}
    top = fields.taken(*_TOP) if top is None else top
    for part in (top, *(fields.inner(key).taken() for key in objects)):
        for key, value in part.items():
            name = _OLD.get(key, key)
            if values.setdefault(name, value) != value:
                fields.refuse(name, value, f"The file also says {values[name]}.")
    return Fields(values, fields.where)


def read_parameters(
    found: Fields, sizes: DecoderSizes, default: float, partly: bool = False
) -> RotaryConfig:
    """What `rope_parameters` holds, with the keys of other places put into it."""
    channels = None
    if partly:
        share = found.number("partial_rotary_factor", 1.0)
        if (turning := int(sizes.head * share)) != sizes.head:
            channels = turning
    else:
        found.only("partial_rotary_factor", 1.0)
    kind = found.choice("rope_type", "default", _KINDS)
    theta = found.number("rope_theta", default)
    if kind in ("default", "dynamic"):
        # Dynamic scaling begins beyond the context, which is as far as we read.
        if kind == "dynamic":
            found.number("factor")
        found.ignore("original_max_position_embeddings")
        return RotaryConfig(theta=theta, channels=channels)
    pairs = RotaryConfig(channels=channels).pairs(sizes.head)
    scaling = _SCALINGS[kind](found, sizes.context, pairs)
    return RotaryConfig(theta=theta, channels=channels, scaling=scaling)


def _linear(found: Fields, context: int, pairs: int) -> Scaling:
    found.ignore("original_max_position_embeddings")
    return LinearScaling(factor=found.number("factor"))


def _llama3(found: Fields, context: int, pairs: int) -> Scaling:
    return Llama3Scaling(
        factor=found.number("factor"),
        low=found.number("low_freq_factor"),
        high=found.number("high_freq_factor"),
        original=found.size("original_max_position_embeddings", context),
    )


def _yarn(found: Fields, context: int, pairs: int) -> Scaling:
    original = found.size("original_max_position_embeddings", context)
    factor = found.number("factor", context / original)
    scaling = YarnScaling(
        factor=factor,
        original=original,
        fast=found.number("beta_fast", 32.0),
        slow=found.number("beta_slow", 1.0),
        whole=found.flag("truncate", True),
    )
    attention = None
    if found.has("mscale") and found.has("mscale_all_dim"):
        one, all_channels = found.number("mscale"), found.number("mscale_all_dim")
        attention = yarn_amplitude(factor, one) / yarn_amplitude(factor, all_channels)
    found.ignore("mscale", "mscale_all_dim")  # one alone changes nothing
    if found.has("attention_factor"):
        attention = found.number("attention_factor")
    return scaling.model_copy(update={"attention": attention})


def _long(found: Fields, context: int, pairs: int) -> Scaling:
    original = found.size("original_max_position_embeddings", context)
    factor = found.number("factor", context / original)
    return LongScaling(
        short=found.divisors("short_factor", pairs),
        long=found.divisors("long_factor", pairs),
        original=original,
        attention=found.number("attention_factor", long_amplitude(factor, original)),
    )


def long_amplitude(factor: float, original: int) -> float:
    """The amplitude of LongRoPE where a file has none (Ding et al. 2024)."""
    return math.sqrt(1 + math.log(factor) / math.log(original)) if factor > 1 else 1.0


_SCALINGS = {"linear": _linear, "llama3": _llama3, "yarn": _yarn, "longrope": _long, "su": _long}


def write_rotary(rotary: RotaryConfig, head: int) -> dict[str, Any]:
    """The keys of both versions of `transformers`."""
    own = parameters(rotary, head)
    scaling = {key: value for key, value in own.items() if key != "rope_theta"}
    return {
        "rope_theta": rotary.theta,
        "rope_parameters": own,
        **({"rope_scaling": scaling} if rotary.scaling else {}),
    }


def parameters(rotary: RotaryConfig, head: int) -> dict[str, Any]:
    """`rope_parameters` as version 5 has it."""
    found: dict[str, Any] = {**_written(rotary.scaling), "rope_theta": rotary.theta}
    if rotary.channels is not None:
        found["partial_rotary_factor"] = rotary.channels / head
    return found


def _written(scaling: Scaling | None) -> dict[str, Any]:
    match scaling:
        case None:
            return {"rope_type": "default"}
        case LinearScaling(factor=factor):
            return {"rope_type": "linear", "factor": factor}
        case Llama3Scaling():
            return {
                "rope_type": "llama3",
                "factor": scaling.factor,
                "low_freq_factor": scaling.low,
                "high_freq_factor": scaling.high,
                "original_max_position_embeddings": scaling.original,
            }
        case YarnScaling():
            attention = scaling.attention
            return {
                "rope_type": "yarn",
                "factor": scaling.factor,
                "original_max_position_embeddings": scaling.original,
                "beta_fast": scaling.fast,
                "beta_slow": scaling.slow,
                "truncate": scaling.whole,
                **({} if attention is None else {"attention_factor": attention}),
            }
        case LongScaling():
            return {
                "rope_type": "longrope",
                "short_factor": list(scaling.short),
                "long_factor": list(scaling.long),
                "original_max_position_embeddings": scaling.original,
                "attention_factor": scaling.attention,
            }
