"""The names of classes in a `config.json`, and the classifiers of decoder families."""

from collections.abc import Sequence
from typing import Any

from hornbook.models.causal_lm import CausalLMConfig
from hornbook.models.classifier import ClassifierConfig, on_decoder
from hornbook.models.convert.family import Family, TensorRule
from hornbook.models.fields import Fields
from hornbook.nn.embedding import EmbeddingConfig

_LABELS = 1_000_000


def read_labels(fields: Fields) -> tuple[str, ...]:
    """The labels in the order of the logits; a file without names has `num_labels`, or two."""
    if not fields.has("id2label"):
        return tuple(f"LABEL_{i}" for i in range(fields.size("num_labels", 2, most=_LABELS)))
    names = fields.mapping("id2label")
    expected = [str(i) for i in range(len(names))]
    if sorted(names) != sorted(expected) or not all(isinstance(n, str) for n in names.values()):
        fields.refuse("id2label", names, "It must name the classes 0, 1 and so on.")
    fields.only("num_labels", len(names))
    return tuple(names[i] for i in expected)


def write_labels(labels: Sequence[str]) -> dict[str, Any]:
    """Both directions, as `transformers` has them."""
    return {
        "id2label": {str(i): name for i, name in enumerate(labels)},
        "label2id": {name: i for i, name in enumerate(labels)},
    }


def decoder_classifier(family: Family, architecture: str) -> Family:
    """The classifier of a decoder family: the same backbone, and `score` in the head's place."""

    def read(fields: Fields) -> ClassifierConfig:
        labels = read_labels(fields)
        backbone = family.read(fields)
        assert isinstance(backbone, CausalLMConfig)
        return on_decoder(backbone, labels)

    def write(config: ClassifierConfig) -> dict[str, Any] | None:
        backbone = _decoder(config)
        keys = family.write(backbone) if backbone else None
        return keys and {**keys, **write_labels(config.labels)}

    heads = ("head.weight",)
    rules = tuple(rule for rule in family.rules if rule.ours != heads)
    return Family(
        model_type=family.model_type,
        architecture=architecture,
        config=ClassifierConfig,
        read=read,
        write=write,
        rules=(*rules, TensorRule("score.weight", heads)),
        base=family.base,
        head=("score.weight",),
        obsolete=family.obsolete,
    )


def _decoder(config: ClassifierConfig) -> CausalLMConfig | None:
    """The decoder whose backbone this is, if there is one. `tied` says nothing without its head."""
    if config.vocab is None or not isinstance(config.embedding, EmbeddingConfig):
        return None
    return CausalLMConfig(
        vocab=config.vocab,
        width=config.width,
        context=config.context,
        embedding=config.embedding,
        stack=config.stack,
        tied=True,
    )
