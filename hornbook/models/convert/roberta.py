"""`roberta`, `xlm-roberta`, `camembert`: BERT's layers with positions that are counted from the
padding's id on (Liu et al. 2019; Conneau et al. 2020)."""

from collections.abc import Callable, Iterator
from typing import Any

from hornbook.models.classifier import ClassifierConfig, on_encoder
from hornbook.models.convert import bert
from hornbook.models.convert.family import Family, TensorRule, both
from hornbook.models.convert.labels import read_labels, write_labels
from hornbook.models.encoder import EncoderConfig
from hornbook.models.encoder_presets import roberta, with_words
from hornbook.models.fields import Fields
from hornbook.models.masked_lm import MaskedLMConfig, TransformConfig
from hornbook.nn.norm import LayerNormConfig
from hornbook.nn.pooling import DenseFirstConfig

_PAD = 1
"""The padding's id where a file does not say it."""


def read(fields: Fields) -> EncoderConfig:
    """BERT's keys, and the padding's id, from which positions are counted."""
    sizes, epsilon, activation = bert.keys(fields)
    first = 1 + fields.token("pad_token_id", sizes.vocab, _PAD)
    if sizes.context <= first:
        fields.refuse("max_position_embeddings", sizes.context, f"It must be above {first}.")
    fewer = sizes.model_copy(update={"context": sizes.context - first})
    return roberta(fewer, first, epsilon, activation)


def read_masked_lm(fields: Fields) -> MaskedLMConfig:
    """The same keys, and a head that must be tied, whose activation is always GELU."""
    fields.only("tie_word_embeddings", True)
    backbone = read(fields)
    assert isinstance(backbone.embedding.norm, LayerNormConfig)
    return with_words(backbone, TransformConfig(activation="gelu", norm=backbone.embedding.norm))


def read_classifier(fields: Fields) -> ClassifierConfig:
    """The same keys, and labels."""
    labels = read_labels(fields)
    return on_encoder(read(fields), labels)


def write(config: EncoderConfig | MaskedLMConfig | ClassifierConfig) -> dict[str, Any] | None:
    """Our config in BERT's keys, or None when it is wired otherwise."""
    keys, first = bert.write(config), getattr(config.embedding, "first", 0)
    if keys is None or not first or config.pooling != DenseFirstConfig():
        return None
    moved = {"max_position_embeddings": config.context + first, "pad_token_id": first - 1}
    return {**keys, **moved}


def write_classifier(config: ClassifierConfig) -> dict[str, Any] | None:
    """The same keys, and labels."""
    keys = write(config)
    return keys and {**keys, **write_labels(config.labels)}


def _families(model_type: str, name: str) -> Iterator[Family]:
    """The three architectures of one `model_type`, whose classes begin with `name`."""

    def family(
        ending: str,
        config: type[EncoderConfig] | type[MaskedLMConfig] | type[ClassifierConfig],
        read: Callable[[Fields], Any],
        rules: tuple[TensorRule, ...],
        write: Callable[[Any], dict[str, Any] | None] = write,
        **named: Any,
    ) -> Family:
        base = "" if ending == "Model" else "roberta."
        rules = (*bert.backbone(base), *rules)
        return Family(model_type, name + ending, config, read, write, rules, base, **named)

    yield family(
        "ForMaskedLM",
        MaskedLMConfig,
        read_masked_lm,
        (
            *both("lm_head.dense", "transform.dense"),
            *both("lm_head.layer_norm", "transform.norm"),
            TensorRule("lm_head.bias", ("head.bias",)),
        ),
        head=("lm_head.*",),
        copies={
            "lm_head.decoder.weight": "roberta.embeddings.word_embeddings.weight",
            "lm_head.decoder.bias": "lm_head.bias",
        },
        obsolete=(bert.POSITIONS, bert.POOLER),
    )
    yield family(
        "Model", EncoderConfig, read, (), obsolete=(bert.POSITIONS, bert.POOLER, "lm_head.*")
    )
    yield family(
        "ForSequenceClassification",
        ClassifierConfig,
        read_classifier,
        (*both("classifier.dense", "pooling.dense"), *both("classifier.out_proj", "head")),
        write_classifier,
        head=("classifier.*",),
        obsolete=(bert.POSITIONS, bert.POOLER, "lm_head.*"),
    )


FAMILIES = (
    *_families("roberta", "Roberta"),
    *_families("xlm-roberta", "XLMRoberta"),
    *_families("camembert", "Camembert"),
)
"""The first is written: all three compute the same."""
