"""`distilbert`: BERT without types, by other names (Sanh et al. 2019)."""

from typing import Any, cast

from hornbook.models.classifier import ClassifierConfig, on_encoder
from hornbook.models.convert import bert
from hornbook.models.convert.family import ACTIVATIONS, Family, TensorRule, both
from hornbook.models.convert.labels import read_labels, write_labels
from hornbook.models.encoder import EncoderConfig
from hornbook.models.encoder_presets import BertSizes, distilbert, with_words
from hornbook.models.fields import Fields
from hornbook.models.masked_lm import MaskedLMConfig, TransformConfig
from hornbook.nn.mlp import MLPConfig
from hornbook.nn.norm import LayerNormConfig
from hornbook.nn.residual import PostNormConfig

_KEYS = {
    "vocab_size": "vocab_size",
    "dim": "hidden_size",
    "n_layers": "num_hidden_layers",
    "max_position_embeddings": "max_position_embeddings",
    "n_heads": "num_attention_heads",
    "hidden_dim": "intermediate_size",
    "activation": "hidden_act",
}
"""Its keys to BERT's."""


def read(fields: Fields) -> EncoderConfig:
    """Its keys; what they leave out is what `transformers` assumes."""
    # Training; how the position vectors began; a classifier's dropout; a head that is not here.
    fields.ignore("*dropout", "sinusoidal_pos_embds", "tie_weights_", "tie_word_embeddings")
    width = fields.size("dim", 768)
    heads = fields.heads("n_heads", "dim", width, 12)
    sizes = BertSizes(
        vocab=fields.size("vocab_size", 30522),
        width=width,
        depth=fields.depth("n_layers", 6),
        context=fields.size("max_position_embeddings", 512),
        heads=heads,
        hidden=fields.size("hidden_dim", 3072),
    )
    return distilbert(sizes, fields.choice("activation", "gelu", ACTIVATIONS))


def read_masked_lm(fields: Fields) -> MaskedLMConfig:
    """The same keys, and a head that must be tied."""
    fields.only("tie_word_embeddings", True)
    backbone = read(fields)
    mlp = cast(MLPConfig, cast(PostNormConfig, backbone.stack.pattern[0][1]).layer)
    norm = LayerNormConfig(epsilon=1e-12)
    return with_words(backbone, TransformConfig(activation=mlp.activation, norm=norm))


def read_classifier(fields: Fields) -> ClassifierConfig:
    """The same keys, and labels."""
    labels = read_labels(fields)
    return on_encoder(read(fields), labels)


def write(config: EncoderConfig | MaskedLMConfig | ClassifierConfig) -> dict[str, Any] | None:
    """Our config in its keys, or None when it is wired otherwise."""
    keys = bert.write(config)
    return keys and {own: keys[theirs] for own, theirs in _KEYS.items()}


def write_classifier(config: ClassifierConfig) -> dict[str, Any] | None:
    """The same keys, and labels."""
    keys = write(config)
    return keys and {**keys, **write_labels(config.labels)}


def _backbone(base: str) -> tuple[TensorRule, ...]:
    block, mixer, mlp = f"{base}transformer.layer.{{block}}", "stack.layers.{0}", "stack.layers.{1}"
    tables = (("word", "token"), ("position", "position"))
    projections = (("q", "query"), ("k", "key"), ("v", "value"), ("out", "output"))
    inner = [
        both(f"{block}.attention.{theirs}_lin", f"{mixer}.layer.{ours}")
        for theirs, ours in projections
    ]
    return (
        *(
            TensorRule(
                f"{base}embeddings.{theirs}_embeddings.weight", (f"embedding.{ours}.weight",)
            )
            for theirs, ours in tables
        ),
        *both(f"{base}embeddings.LayerNorm", "embedding.norm"),
        *sum(inner, ()),
        *both(f"{block}.sa_layer_norm", f"{mixer}.norm"),
        *both(f"{block}.ffn.lin1", f"{mlp}.layer.up"),
        *both(f"{block}.ffn.lin2", f"{mlp}.layer.down"),
        *both(f"{block}.output_layer_norm", f"{mlp}.norm"),
    )


_WORDS = ("vocab_*",)
_BASE = "distilbert."

FAMILIES = (
    Family(
        model_type="distilbert",
        architecture="DistilBertForMaskedLM",
        config=MaskedLMConfig,
        read=read_masked_lm,
        write=write,
        rules=(
            *_backbone(_BASE),
            *both("vocab_transform", "transform.dense"),
            *both("vocab_layer_norm", "transform.norm"),
            TensorRule("vocab_projector.bias", ("head.bias",)),
        ),
        base=_BASE,
        head=_WORDS,
        copies={"vocab_projector.weight": f"{_BASE}embeddings.word_embeddings.weight"},
        obsolete=(bert.POSITIONS,),
    ),
    Family(
        model_type="distilbert",
        architecture="DistilBertModel",
        config=EncoderConfig,
        read=read,
        write=write,
        rules=_backbone(""),
        base="",
        obsolete=(bert.POSITIONS, *_WORDS),
    ),
    Family(
        model_type="distilbert",
        architecture="DistilBertForSequenceClassification",
        config=ClassifierConfig,
        read=read_classifier,
        write=write_classifier,
        rules=(
            *_backbone(_BASE),
            *both("pre_classifier", "pooling.dense"),
            *both("classifier", "head"),
        ),
        base=_BASE,
        head=("pre_classifier.*", "classifier.*"),
        obsolete=(bert.POSITIONS, *_WORDS),
    ),
)
