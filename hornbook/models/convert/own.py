"""Our own layout, for models of which the ecosystem has no twin: those with a layer that only we
have (LSTMs, for one), and classifiers of texts whose backbone or pooling no class there has.

config.json holds our config as plain data under `hornbook`, and tensors have our names.
"""

from collections.abc import Callable
from typing import Any

from hornbook.models.causal_lm import CausalLMConfig
from hornbook.models.classifier import ClassifierConfig
from hornbook.models.convert.family import Family
from hornbook.models.convert.labels import write_labels
from hornbook.models.fields import Fields
from hornbook.models.model import ModelConfig
from hornbook.models.seq2seq import Seq2SeqConfig
from hornbook.nn.contract import LayerConfig
from hornbook.nn.lstm import LSTMConfig
from hornbook.nn.residual import ResidualConfig

_KEY = "hornbook"


def _reader(kind: type[ModelConfig]) -> Callable[[Fields], ModelConfig]:
    def read(fields: Fields) -> ModelConfig:
        return kind.parse(fields.mapping(_KEY), f"{fields.where}, {_KEY}")

    return read


def layers_of(config: ModelConfig) -> list[LayerConfig]:
    """All layers of a model's pattern, without what is around them."""
    blocks = [block for stack in config.stacks().values() for block in stack.pattern]
    return [
        layer.layer if isinstance(layer, ResidualConfig) else layer
        for block in blocks
        for layer in block
    ]


def _write_lstm(config: ModelConfig) -> dict[str, Any] | None:
    """The config as it is, or None where no layer is an LSTM."""
    recurrent = any(isinstance(layer, LSTMConfig) for layer in layers_of(config))
    return {_KEY: config.plain()} if recurrent else None


def _write(config: ModelConfig) -> dict[str, Any] | None:
    """The config as it is, or None where no layer is ours alone."""
    return {_KEY: config.plain()} if any(layer.ours for layer in layers_of(config)) else None


def _write_classifier(config: ClassifierConfig) -> dict[str, Any] | None:
    """The config as it is, and its labels where others look for them; None for images."""
    if config.vocab is None:
        return None
    return {_KEY: config.plain(), **write_labels(config.labels)}


def _family(
    architecture: str,
    kind: type[ModelConfig],
    model_type: str,
    write: Callable[[Any], dict[str, Any] | None],
) -> Family:
    return Family(
        model_type=model_type,
        architecture=architecture,
        config=kind,
        read=_reader(kind),
        write=write,
        rules=(),
        base="",
    )


FAMILIES = (
    _family("HornbookCausalLM", CausalLMConfig, "hornbook_lstm", _write_lstm),
    _family("HornbookSeq2Seq", Seq2SeqConfig, "hornbook_lstm", _write_lstm),
    _family("HornbookCausalLM", CausalLMConfig, "hornbook", _write),
    _family("HornbookSeq2Seq", Seq2SeqConfig, "hornbook", _write),
    _family("HornbookClassifier", ClassifierConfig, "hornbook_classifier", _write_classifier),
)
