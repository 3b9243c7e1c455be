"""`modernbert`: a pre-norm encoder whose attention sees all tokens or near ones by turns (Warner et
al. 2024). Padding is masked, which gives what its unpadded kernels give."""

from typing import Any

from hornbook.models.classifier import ClassifierConfig, on_encoder
from hornbook.models.convert.family import ACTIVATIONS, Family, TensorRule, activation_name
from hornbook.models.convert.labels import read_labels, write_labels
from hornbook.models.encoder import EncoderConfig
from hornbook.models.encoder_presets import BertSizes, ModernBertShape, modernbert, with_words
from hornbook.models.fields import Fields
from hornbook.models.masked_lm import MaskedLMConfig, TransformConfig
from hornbook.nn.attention import AttentionConfig
from hornbook.nn.embedding import EmbeddingConfig
from hornbook.nn.mlp import GatedMLPConfig
from hornbook.nn.norm import LayerNormConfig
from hornbook.nn.pooling import DenseFirstConfig
from hornbook.nn.residual import PreNormConfig

_GLOBAL, _LOCAL = "full_attention", "sliding_attention"
_TYPES = {_GLOBAL: True, _LOCAL: False}
_THETAS = ((_GLOBAL, "global_rope_theta", 160_000.0), (_LOCAL, "local_rope_theta", 10_000.0))


def read(fields: Fields) -> EncoderConfig:
    """Its keys; what they leave out is what `transformers` assumes."""
    for key in ("norm_bias", "attention_bias", "mlp_bias", "classifier_bias"):
        fields.only(key, False)
    fields.only("position_embedding_type", "absolute", "sans_pos")
    fields.ignore("tie_word_embeddings", "decoder_bias")  # of a head that is not here
    # Training, speed, and a key that `norm_eps` says again.
    fields.ignore("initializer_cutoff_factor", "gradient_checkpointing", "layer_norm_eps")
    fields.ignore("deterministic_flash_attn", "sparse_*", "reference_compile", "repad_logits_*")
    width = fields.size("hidden_size", 768)
    heads = fields.heads("num_attention_heads", "hidden_size", width, 12)
    sizes = BertSizes(
        vocab=fields.size("vocab_size", 50_368),
        width=width,
        depth=fields.depth("num_hidden_layers", 22),
        context=fields.size("max_position_embeddings", 8192),
        heads=heads,
        hidden=fields.size("intermediate_size", 1152),
    )
    return modernbert(
        sizes,
        _shape(fields, sizes.depth),
        fields.number("norm_eps", 1e-5),
        fields.choice("hidden_activation", "gelu", ACTIVATIONS),
        fields.choice("classifier_activation", "gelu", ACTIVATIONS),
    )


def _shape(fields: Fields, depth: int) -> ModernBertShape:
    every = fields.size("global_attn_every_n_layers", 3)
    usual = [_LOCAL if block % every else _GLOBAL for block in range(depth)]
    types = fields.sequence("layer_types", usual)
    if len(types) != depth or not all(kind in _TYPES for kind in types):
        fields.refuse("layer_types", types, f"It must be a list of {depth} names of {[*_TYPES]}.")
    rotary, thetas = fields.inner("rope_parameters"), []
    for name, key, default in _THETAS:
        found = rotary.inner(name)
        thetas.append(found.number("rope_theta", fields.number(key, default)))
        found.only("rope_type", "default")
        found.finish()
    rotary.finish()
    return ModernBertShape(
        everywhere=tuple(_TYPES[kind] for kind in types),
        window=fields.size("local_attention", 128) // 2 + 1,
        thetas=(thetas[0], thetas[1]),
        mean=fields.choice("classifier_pooling", "cls", {"cls": False, "mean": True}),
    )


def read_masked_lm(fields: Fields) -> MaskedLMConfig:
    """The same keys, and a head that must be tied and have a bias."""
    fields.only("tie_word_embeddings", True)
    fields.only("decoder_bias", True)
    backbone = read(fields)
    assert isinstance(backbone.pooling, DenseFirstConfig)
    head = TransformConfig(
        activation=backbone.pooling.activation, norm=backbone.pooling.norm, bias=False
    )
    return with_words(backbone, head)


def read_classifier(fields: Fields) -> ClassifierConfig:
    """The same keys, and labels."""
    labels = read_labels(fields)
    return on_encoder(read(fields), labels)


def write(config: EncoderConfig | MaskedLMConfig | ClassifierConfig) -> dict[str, Any] | None:
    """Our config in its keys, or None when it is wired otherwise."""
    blocks, norm, pooling = config.stack.blocks(), config.stack.norm, config.pooling
    pairs = [_block(block) for block in blocks]
    if not all(pairs) or not isinstance(pooling, DenseFirstConfig):
        return None
    if not isinstance(norm, LayerNormConfig) or not isinstance(config.embedding, EmbeddingConfig):
        return None
    attention = [pair[0] for pair in pairs if pair]
    mlp = next(pair[1] for pair in pairs if pair)
    everywhere = [layer.window is None for layer in attention]
    near = next((layer for layer in attention if layer.window is not None), attention[0])
    far = next((layer for layer in attention if layer.window is None), attention[0])
    thetas = [layer.rotary.theta if layer.rotary else 1.0 for layer in (far, near)]
    named = dict(zip((_GLOBAL, _LOCAL), thetas, strict=True))
    return {
        "vocab_size": config.vocab,
        "hidden_size": config.width,
        "num_hidden_layers": config.stack.depth,
        "num_attention_heads": near.heads,
        "intermediate_size": mlp.hidden,
        "max_position_embeddings": config.context,
        "hidden_activation": activation_name(mlp.activation),
        "norm_eps": norm.epsilon,
        "layer_types": [_GLOBAL if each else _LOCAL for each in everywhere],
        "local_attention": 2 * ((near.window or 65) - 1),
        "global_rope_theta": thetas[0],
        "local_rope_theta": thetas[1],
        "rope_parameters": {
            name: {"rope_type": "default", "rope_theta": theta} for name, theta in named.items()
        },
        "classifier_pooling": "mean" if pooling.mean else "cls",
        "classifier_activation": activation_name(pooling.activation),
    }


def _block(block: tuple[Any, ...]) -> tuple[AttentionConfig, GatedMLPConfig] | None:
    match block:
        case (
            PreNormConfig(layer=AttentionConfig() as attention),
            PreNormConfig(layer=GatedMLPConfig() as mlp),
        ):
            return attention, mlp
    return None


def write_classifier(config: ClassifierConfig) -> dict[str, Any] | None:
    """The same keys, and labels."""
    keys = write(config)
    return keys and {**keys, **write_labels(config.labels)}


def _backbone(base: str) -> tuple[TensorRule, ...]:
    block, mixer, mlp = f"{base}layers.{{block}}", "stack.layers.{0}", "stack.layers.{1}"
    return (
        _weight(f"{base}embeddings.tok_embeddings", "embedding.token"),
        _weight(f"{base}embeddings.norm", "embedding.norm"),
        _weight(f"{block}.attn_norm", f"{mixer}.norm"),
        _weight(f"{block}.attn.Wqkv", *(f"{mixer}.layer.{n}" for n in ("query", "key", "value"))),
        _weight(f"{block}.attn.Wo", f"{mixer}.layer.output"),
        _weight(f"{block}.mlp_norm", f"{mlp}.norm"),
        _weight(f"{block}.mlp.Wi", f"{mlp}.layer.gate", f"{mlp}.layer.up"),
        _weight(f"{block}.mlp.Wo", f"{mlp}.layer.down"),
        _weight(f"{base}final_norm", "stack.norm"),
    )


def _weight(theirs: str, *ours: str) -> TensorRule:
    return TensorRule(f"{theirs}.weight", tuple(f"{name}.weight" for name in ours))


_BASE, _HEADS = "model.", ("head.*", "decoder.*", "classifier.*")

FAMILIES = (
    Family(
        model_type="modernbert",
        architecture="ModernBertForMaskedLM",
        config=MaskedLMConfig,
        read=read_masked_lm,
        write=write,
        rules=(
            *_backbone(_BASE),
            _weight("head.dense", "transform.dense"),
            _weight("head.norm", "transform.norm"),
            TensorRule("decoder.bias", ("head.bias",)),
        ),
        base=_BASE,
        head=_HEADS,
        copies={"decoder.weight": f"{_BASE}embeddings.tok_embeddings.weight"},
    ),
    Family(
        model_type="modernbert",
        architecture="ModernBertModel",
        config=EncoderConfig,
        read=read,
        write=write,
        rules=_backbone(""),
        base="",
        obsolete=_HEADS,
    ),
    Family(
        model_type="modernbert",
        architecture="ModernBertForSequenceClassification",
        config=ClassifierConfig,
        read=read_classifier,
        write=write_classifier,
        rules=(
            *_backbone(_BASE),
            _weight("head.dense", "pooling.dense"),
            _weight("head.norm", "pooling.norm"),
            TensorRule("classifier.weight", ("head.weight",)),
            TensorRule("classifier.bias", ("head.bias",)),
        ),
        base=_BASE,
        head=_HEADS,
        obsolete=("decoder.*",),
    ),
)
