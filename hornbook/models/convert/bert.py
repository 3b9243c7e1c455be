"""`bert`: post-norm encoder with learned positions and types (Devlin et al. 2019).

Three architectures: the backbone alone, the head that fills in words, and the classifier. Files
often hold more than their architecture needs, because BERT was trained with two heads at once; what
belongs to the other heads has no effect and is left behind.
"""

from typing import Any

from hornbook.models.classifier import ClassifierConfig, on_encoder
from hornbook.models.convert.family import ACTIVATIONS, Family, TensorRule, activation_name, both
from hornbook.models.convert.labels import read_labels, write_labels
from hornbook.models.encoder import EncoderConfig
from hornbook.models.encoder_presets import BertSizes, bert, bert_masked_lm
from hornbook.models.fields import Fields
from hornbook.models.masked_lm import MaskedLMConfig
from hornbook.nn.attention import AttentionConfig
from hornbook.nn.embedding import EmbeddingConfig
from hornbook.nn.mlp import Activation, MLPConfig
from hornbook.nn.norm import LayerNormConfig
from hornbook.nn.residual import PostNormConfig


def read(fields: Fields) -> EncoderConfig:
    """BERT's keys; what they leave out is what `transformers` assumes."""
    return bert(*keys(fields))


def read_masked_lm(fields: Fields) -> MaskedLMConfig:
    """The same keys, and a head that must be tied."""
    fields.only("tie_word_embeddings", True)
    return bert_masked_lm(*keys(fields))


def read_classifier(fields: Fields) -> ClassifierConfig:
    """The same keys, and labels."""
    labels = read_labels(fields)
    return on_encoder(read(fields), labels)


def keys(fields: Fields) -> tuple[BertSizes, float, Activation]:
    """What the presets take."""
    fields.only("is_decoder", False)
    fields.only("add_cross_attention", False)
    fields.only("position_embedding_type", "absolute")
    # Training; a pooler's sizes that no program ever read; whether a head is tied that is not here.
    fields.ignore("*_dropout_prob", "gradient_checkpointing", "pooler_*", "directionality")
    fields.ignore("tie_word_embeddings")
    width = fields.size("hidden_size")
    heads = fields.heads("num_attention_heads", "hidden_size", width)
    sizes = BertSizes(
        vocab=fields.size("vocab_size"),
        width=width,
        depth=fields.depth("num_hidden_layers"),
        context=fields.size("max_position_embeddings"),
        heads=heads,
        hidden=fields.size("intermediate_size"),
        types=fields.size("type_vocab_size", 2),
    )
    epsilon = fields.number("layer_norm_eps", 1e-12)
    return sizes, epsilon, fields.choice("hidden_act", "gelu", ACTIVATIONS)


def write(config: EncoderConfig | MaskedLMConfig | ClassifierConfig) -> dict[str, Any] | None:
    """Our config in BERT's keys, or None when it is wired otherwise."""
    match config.stack.pattern:
        case ((PostNormConfig(layer=AttentionConfig() as attention), PostNormConfig(layer=mlp)),):
            embedding = config.embedding
        case _:
            return None
    if not isinstance(embedding, EmbeddingConfig) or not isinstance(mlp, MLPConfig):
        return None
    if not isinstance(embedding.norm, LayerNormConfig):
        return None
    return {
        "vocab_size": config.vocab,
        "hidden_size": config.width,
        "num_hidden_layers": config.stack.depth,
        "max_position_embeddings": config.context,
        "num_attention_heads": attention.heads,
        "intermediate_size": mlp.hidden,
        "type_vocab_size": embedding.types,
        "hidden_act": activation_name(mlp.activation),
        "layer_norm_eps": embedding.norm.epsilon,
    }


def write_classifier(config: ClassifierConfig) -> dict[str, Any] | None:
    """The same keys, and labels."""
    keys = write(config)
    return keys and {**keys, **write_labels(config.labels)}


def backbone(base: str) -> tuple[TensorRule, ...]:
    """The tensors of the backbone, behind the prefix `base`."""
    block, mixer, mlp = f"{base}encoder.layer.{{block}}", "stack.layers.{0}", "stack.layers.{1}"
    return (
        *(
            TensorRule(
                f"{base}embeddings.{theirs}_embeddings.weight", (f"embedding.{ours}.weight",)
            )
            for theirs, ours in (
                ("word", "token"),
                ("position", "position"),
                ("token_type", "segment"),
            )
        ),
        *both(f"{base}embeddings.LayerNorm", "embedding.norm"),
        *both(f"{block}.attention.self.query", f"{mixer}.layer.query"),
        *both(f"{block}.attention.self.key", f"{mixer}.layer.key"),
        *both(f"{block}.attention.self.value", f"{mixer}.layer.value"),
        *both(f"{block}.attention.output.dense", f"{mixer}.layer.output"),
        *both(f"{block}.attention.output.LayerNorm", f"{mixer}.norm"),
        *both(f"{block}.intermediate.dense", f"{mlp}.layer.up"),
        *both(f"{block}.output.dense", f"{mlp}.layer.down"),
        *both(f"{block}.output.LayerNorm", f"{mlp}.norm"),
    )


POSITIONS = "*embeddings.position_ids"  # 0, 1, 2 and so on, which old versions stored
POOLER, HEADS = "*pooler.dense.*", "cls.*"
_RENAMED = {"LayerNorm.gamma": "LayerNorm.weight", "LayerNorm.beta": "LayerNorm.bias"}
"""What files call them that were made from the first release."""

MASKED_LM = Family(
    model_type="bert",
    architecture="BertForMaskedLM",
    config=MaskedLMConfig,
    read=read_masked_lm,
    write=write,
    rules=(
        *backbone("bert."),
        *both("cls.predictions.transform.dense", "transform.dense"),
        *both("cls.predictions.transform.LayerNorm", "transform.norm"),
        TensorRule("cls.predictions.bias", ("head.bias",)),
    ),
    base="bert.",
    head=("cls.*",),
    copies={
        "cls.predictions.decoder.weight": "bert.embeddings.word_embeddings.weight",
        "cls.predictions.decoder.bias": "cls.predictions.bias",
    },
    obsolete=(POSITIONS, POOLER, "cls.seq_relationship.*"),
    renamed=_RENAMED,
)

# `AutoModel` makes up a pooler for this one and says so; the features do not depend on it.
BODY = Family(
    model_type="bert",
    architecture="BertModel",
    config=EncoderConfig,
    read=read,
    write=write,
    rules=backbone(""),
    base="",
    obsolete=(POSITIONS, POOLER, HEADS),
    renamed=_RENAMED,
)

CLASSIFIER = Family(
    model_type="bert",
    architecture="BertForSequenceClassification",
    config=ClassifierConfig,
    read=read_classifier,
    write=write_classifier,
    rules=(
        *backbone("bert."),
        *both("bert.pooler.dense", "pooling.dense"),
        *both("classifier", "head"),
    ),
    base="bert.",
    head=("classifier.*",),
    obsolete=(POSITIONS, HEADS),
    renamed=_RENAMED,
)
