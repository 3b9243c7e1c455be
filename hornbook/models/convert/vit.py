"""`vit`: pre-norm encoder of image patches behind a class token (Dosovitskiy et al. 2021)."""

from typing import Any

from hornbook.models.classifier import ClassifierConfig
from hornbook.models.convert.family import ACTIVATIONS, Family, TensorRule, activation_name, both
from hornbook.models.convert.labels import read_labels, write_labels
from hornbook.models.encoder_presets import ViTSizes, vit
from hornbook.models.fields import Fields
from hornbook.nn.attention import AttentionConfig
from hornbook.nn.mlp import MLPConfig
from hornbook.nn.norm import LayerNormConfig
from hornbook.nn.patches import PatchesConfig
from hornbook.nn.residual import PreNormConfig


def read(fields: Fields) -> ClassifierConfig:
    """ViT's keys; what they leave out is what `transformers` assumes."""
    # Training; the decoder of masked images and a pooler, which belong to other heads.
    fields.ignore("*_dropout_prob", "encoder_stride", "pooler_*")
    width = fields.size("hidden_size")
    heads = fields.heads("num_attention_heads", "hidden_size", width)
    sizes = ViTSizes(
        size=fields.size("image_size", 224),
        patch=fields.size("patch_size", 16),
        channels=fields.size("num_channels", 3),
        width=width,
        depth=fields.depth("num_hidden_layers"),
        heads=heads,
        hidden=fields.size("intermediate_size"),
    )
    return vit(
        sizes,
        read_labels(fields),
        epsilon=fields.number("layer_norm_eps", 1e-12),
        activation=fields.choice("hidden_act", "gelu", ACTIVATIONS),
        biased=fields.flag("qkv_bias", True),
    )


def write(config: ClassifierConfig) -> dict[str, Any] | None:
    """Our config in ViT's keys, or None when it is wired otherwise."""
    match config.stack.pattern:
        case ((PreNormConfig(layer=AttentionConfig() as attention), PreNormConfig(layer=mlp)),):
            norm, patches = config.stack.norm, config.embedding
        case _:
            return None
    if not isinstance(norm, LayerNormConfig) or not isinstance(mlp, MLPConfig):
        return None
    if not isinstance(patches, PatchesConfig):
        return None
    return {
        "image_size": patches.size,
        "patch_size": patches.patch,
        "num_channels": patches.channels,
        "hidden_size": config.width,
        "num_hidden_layers": config.stack.depth,
        "num_attention_heads": attention.heads,
        "intermediate_size": mlp.hidden,
        "hidden_act": activation_name(mlp.activation),
        "layer_norm_eps": norm.epsilon,
        "qkv_bias": attention.bias.inputs,
        **write_labels(config.labels),
    }


_BLOCK = "vit.encoder.layer.{block}"
_MIXER, _MLP = "stack.layers.{0}", "stack.layers.{1}"
RULES = (
    TensorRule("vit.embeddings.cls_token", ("embedding.first",)),
    TensorRule("vit.embeddings.position_embeddings", ("embedding.position",)),
    *both("vit.embeddings.patch_embeddings.projection", "embedding.projection"),
    *both(f"{_BLOCK}.layernorm_before", f"{_MIXER}.norm"),
    *both(f"{_BLOCK}.attention.attention.query", f"{_MIXER}.layer.query"),
    *both(f"{_BLOCK}.attention.attention.key", f"{_MIXER}.layer.key"),
    *both(f"{_BLOCK}.attention.attention.value", f"{_MIXER}.layer.value"),
    *both(f"{_BLOCK}.attention.output.dense", f"{_MIXER}.layer.output"),
    *both(f"{_BLOCK}.layernorm_after", f"{_MLP}.norm"),
    *both(f"{_BLOCK}.intermediate.dense", f"{_MLP}.layer.up"),
    *both(f"{_BLOCK}.output.dense", f"{_MLP}.layer.down"),
    *both("vit.layernorm", "stack.norm"),
    *both("classifier", "head"),
)

FAMILY = Family(
    model_type="vit",
    architecture="ViTForImageClassification",
    config=ClassifierConfig,
    read=read,
    write=write,
    rules=RULES,
    base="vit.",
    head=("classifier.*",),
)
