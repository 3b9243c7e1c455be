"""Our models as `model_type`s of the Hugging Face ecosystem, and theirs as ours.

A `model_type` is one file, and each of its architectures an entry here. Knows configs and tensor
names; knows nothing of files.
"""

from collections.abc import Mapping
from typing import Any

import pydantic

from hornbook.core.errors import HornbookError, nearest
from hornbook.models.convert import (
    bert,
    distilbert,
    gemma,
    gpt2,
    granite,
    lfm2,
    llama,
    mamba2,
    marian,
    mistral,
    modernbert,
    olmo2,
    own,
    phi3,
    qwen2,
    qwen3,
    qwen3_5,
    qwen3_moe,
    roberta,
    smollm3,
    t5,
    vit,
)
from hornbook.models.convert.family import Family
from hornbook.models.fields import WITHOUT_EFFECT, Fields
from hornbook.models.model import ModelConfig

FAMILIES: tuple[Family, ...] = (
    qwen3.FAMILY,
    qwen3.CLASSIFIER,
    llama.FAMILY,
    llama.CLASSIFIER,
    qwen2.FAMILY,
    qwen2.CLASSIFIER,
    mistral.FAMILY,
    mistral.CLASSIFIER,
    phi3.FAMILY,
    phi3.CLASSIFIER,
    gemma.GEMMA2,
    gemma.GEMMA3,
    gemma.WITH_IMAGES,
    *gemma.CLASSIFIERS,
    olmo2.FAMILY,
    olmo2.CLASSIFIER,
    smollm3.FAMILY,
    smollm3.CLASSIFIER,
    granite.FAMILY,
    gpt2.FAMILY,
    gpt2.CLASSIFIER,
    mamba2.FAMILY,
    lfm2.FAMILY,
    qwen3_moe.FAMILY,
    qwen3_moe.CLASSIFIER,
    qwen3_5.FAMILY,
    qwen3_5.CLASSIFIER,
    qwen3_5.WITH_IMAGES,
    bert.MASKED_LM,
    bert.BODY,
    bert.CLASSIFIER,
    *roberta.FAMILIES,
    *distilbert.FAMILIES,
    *modernbert.FAMILIES,
    vit.FAMILY,
    marian.FAMILY,
    t5.FAMILY,
    t5.MT5,
    *own.FAMILIES,
)
"""The first architecture of a `model_type` is meant where a file names none."""

MODEL_TYPES = tuple(dict.fromkeys(family.model_type for family in FAMILIES))


def from_hf(values: Mapping[str, Any], where: str) -> tuple[Family, ModelConfig]:
    """The family and our config for a `config.json` read at `where`.

    Raises HornbookError naming `where`, key and value for whatever we would compute otherwise
    than `transformers` does.
    """
    family, fields = _family(values, where), Fields(values, where)
    try:
        config = family.read(fields)
    except pydantic.ValidationError as error:
        raise HornbookError(f"{where}: {error.errors()[0]['msg']}.") from None
    fields.ignore(*WITHOUT_EFFECT)
    fields.finish()
    return family, config


def _family(values: Mapping[str, Any], where: str) -> Family:
    kind, named = values.get("model_type"), values.get("architectures")
    found = [family for family in FAMILIES if family.model_type == kind]
    if not found:
        raise HornbookError(
            f"{where}: model_type = {kind!r} cannot be opened. {nearest(str(kind), MODEL_TYPES)}"
        )
    names = [str(name) for name in named] if isinstance(named, list) else []
    for family in found:
        if family.architecture in names:
            return family
    # What `AutoModel` saves is called a model and has no head; some heads are tied and can be
    # made again, the others will be missed by name.
    if names and not any(name.endswith("Model") for name in names):
        known = ", ".join(family.architecture for family in found)
        raise HornbookError(f"{where}: architectures = {names}. Only {known} can be opened.")
    return found[0]


def to_hf(config: ModelConfig) -> tuple[Family, dict[str, Any]]:
    """The family that computes what `config` computes, and its `config.json` without token ids.

    What is written is read back and must be `config` again. Raises HornbookError when no family
    fits; ask before long work, not after.
    """
    reasons = []
    for family in FAMILIES:
        keys = family.write(config) if isinstance(config, family.config) else None
        if keys is None:
            continue
        values = {"model_type": family.model_type, "architectures": [family.architecture], **keys}
        try:
            if from_hf(values, f"As {family.model_type}")[1] == config:
                return family, values
        except HornbookError as error:
            reasons.append(str(error))
    nothing = f"No model type of {', '.join(MODEL_TYPES)} computes what this model does."
    raise HornbookError(" ".join((nothing, *reasons)))
