"""Our own layout, for models of which the ecosystem has no twin: LSTMs.

config.json holds our config as plain data under `hornbook`, and tensors have our names.
"""

from collections.abc import Callable
from typing import Any

from hornbook.models.causal_lm import CausalLMConfig
from hornbook.models.convert.family import Family
from hornbook.models.convert.fields import Fields
from hornbook.models.model import ModelConfig
from hornbook.models.seq2seq import Seq2SeqConfig
from hornbook.nn.lstm import LSTMConfig
from hornbook.nn.residual import PostNormConfig, PreNormConfig

_KEY = "hornbook"


def _reader(kind: type[ModelConfig]) -> Callable[[Fields], ModelConfig]:
    def read(fields: Fields) -> ModelConfig:
        return kind.parse(fields.mapping(_KEY), f"{fields.where}, {_KEY}")

    return read


def _write(config: ModelConfig) -> dict[str, Any] | None:
    """The config as it is, or None where no layer is an LSTM: others have a twin, or no place."""
    stacks = config.stacks().values()
    layers = [layer for stack in stacks for block in stack.pattern for layer in block]
    inner = [
        layer.layer if isinstance(layer, PreNormConfig | PostNormConfig) else layer
        for layer in layers
    ]
    recurrent = any(isinstance(layer, LSTMConfig) for layer in inner)
    return {_KEY: config.plain()} if recurrent else None


def _family(architecture: str, kind: type[ModelConfig]) -> Family:
    return Family(
        model_type="hornbook_lstm",
        architecture=architecture,
        config=kind,
        read=_reader(kind),
        write=_write,
        rules=(),
        base="",
    )


FAMILIES = (
    _family("HornbookCausalLM", CausalLMConfig),
    _family("HornbookSeq2Seq", Seq2SeqConfig),
)
