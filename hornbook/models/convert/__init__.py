"""Our decoders as `model_type`s of the Hugging Face ecosystem, and theirs as ours.

A family is one file and one entry here. Knows configs and tensor names; knows nothing of files.
"""

from collections.abc import Mapping
from typing import Any

import pydantic

from hornbook.core.errors import HornbookError, nearest
from hornbook.models.causal_lm import CausalLMConfig
from hornbook.models.convert import gpt2, llama, qwen3
from hornbook.models.convert.family import Family
from hornbook.models.convert.fields import WITHOUT_EFFECT, Fields

FAMILIES = {family.model_type: family for family in (qwen3.FAMILY, llama.FAMILY, gpt2.FAMILY)}


def from_hf(values: Mapping[str, Any], where: str) -> tuple[Family, CausalLMConfig]:
    """The family and our config for a `config.json` read at `where`.

    Raises HornbookError naming `where`, key and value for whatever we would compute otherwise
    than `transformers` does.
    """
    kind = values.get("model_type")
    if kind not in FAMILIES:
        raise HornbookError(
            f"{where}: model_type = {kind!r} cannot be opened. {nearest(str(kind), FAMILIES)}"
        )
    family, fields = FAMILIES[kind], Fields(values, where)
    try:
        config = family.read(fields)
    except pydantic.ValidationError as error:
        raise HornbookError(f"{where}: {error.errors()[0]['msg']}.") from None
    fields.ignore(*WITHOUT_EFFECT)
    fields.finish()
    return family, config


def to_hf(config: CausalLMConfig) -> tuple[Family, dict[str, Any]]:
    """The family that computes what `config` computes, and its `config.json` without token ids.

    What is written is read back and must be `config` again. Raises HornbookError when no family
    fits; ask before long work, not after.
    """
    reasons = []
    for family in FAMILIES.values():
        keys = family.write(config)
        if keys is None:
            continue
        values = {"model_type": family.model_type, "architectures": [family.architecture], **keys}
        try:
            if from_hf(values, f"As {family.model_type}")[1] == config:
                return family, values
        except HornbookError as error:
            reasons.append(str(error))
    nothing = f"No model type of {', '.join(FAMILIES)} computes what this model does."
    raise HornbookError(" ".join((nothing, *reasons)))
