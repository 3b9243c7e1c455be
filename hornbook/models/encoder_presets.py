"""Presets of what is read as a whole: functions that read like the diagram of the architecture.

Each corresponds to a `model_type` of the Hugging Face ecosystem.
"""

from collections.abc import Sequence

from hornbook.core.config import Config
from hornbook.models.classifier import ClassifierConfig
from hornbook.models.encoder import EncoderConfig
from hornbook.models.masked_lm import MaskedLMConfig, TransformConfig
from hornbook.nn.attention import AttentionConfig, Bias
from hornbook.nn.embedding import EmbeddingConfig
from hornbook.nn.frequencies import RotaryConfig
from hornbook.nn.mlp import Activation, GatedMLPConfig, MLPConfig
from hornbook.nn.norm import LayerNormConfig, NoNormConfig
from hornbook.nn.patches import PatchesConfig
from hornbook.nn.pooling import DenseFirstConfig, FirstConfig
from hornbook.nn.residual import PostNormConfig, PreNormConfig
from hornbook.nn.stack import StackConfig


class BertSizes(Config):
    """vocab, width, depth, context: tokens, channels, blocks, tokens.

    heads: of width / heads channels each. hidden: channels between the matrices of an MLP. types:
    segment vectors; BERT was trained on pairs of texts, which are two.
    """

    vocab: int
    width: int
    depth: int
    context: int
    heads: int
    hidden: int
    types: int = 2


def bert(
    sizes: BertSizes, epsilon: float = 1e-12, activation: Activation = "gelu"
) -> EncoderConfig:
    """Learned positions and types, post-norm attention and MLP, biases (Devlin et al. 2019)."""
    norm = LayerNormConfig(epsilon=epsilon)
    attention = AttentionConfig(
        heads=sizes.heads,
        kv_heads=sizes.heads,
        head=sizes.width // sizes.heads,
        bias=Bias(inputs=True, output=True),
    )
    mlp = MLPConfig(hidden=sizes.hidden, activation=activation)
    block = (PostNormConfig(norm=norm, layer=attention), PostNormConfig(norm=norm, layer=mlp))
    return EncoderConfig(
        vocab=sizes.vocab,
        width=sizes.width,
        context=sizes.context,
        embedding=EmbeddingConfig(positions=sizes.context, types=sizes.types, norm=norm),
        stack=StackConfig(pattern=(block,), depth=sizes.depth, norm=None),
    )


def bert_masked_lm(
    sizes: BertSizes, epsilon: float = 1e-12, activation: Activation = "gelu"
) -> MaskedLMConfig:
    """BERT with the head that fills in words."""
    norm = LayerNormConfig(epsilon=epsilon)
    backbone = bert(sizes, epsilon, activation)
    return with_words(backbone, TransformConfig(activation=activation, norm=norm))


def roberta(
    sizes: BertSizes, first: int = 2, epsilon: float = 1e-5, activation: Activation = "gelu"
) -> EncoderConfig:
    """BERT whose positions are counted from `first` on (Liu et al. 2019; Conneau et al. 2020)."""
    backbone = bert(sizes, epsilon, activation)
    moved = {"positions": sizes.context + first, "first": first}
    return backbone.model_copy(update={"embedding": backbone.embedding.model_copy(update=moved)})


def distilbert(sizes: BertSizes, activation: Activation = "gelu") -> EncoderConfig:
    """BERT without types, whose classifier's pooler is rectified (Sanh et al. 2019)."""
    backbone = bert(sizes.model_copy(update={"types": 0}), 1e-12, activation)
    return backbone.model_copy(update={"pooling": DenseFirstConfig(activation="relu")})


class ModernBertShape(Config):
    """everywhere: of each block, whether its tokens see all others or those near them. window: a
    token that is so far away is no longer near. thetas: the bases of the rotary wavelengths of
    both kinds. mean: whether classifiers pool all tokens, not the first."""

    everywhere: tuple[bool, ...]
    window: int = 65
    thetas: tuple[float, float] = (160_000.0, 10_000.0)
    mean: bool = False


def modernbert(
    sizes: BertSizes,
    shape: ModernBertShape,
    epsilon: float = 1e-5,
    activation: Activation = "gelu",
    head: Activation = "gelu",
) -> EncoderConfig:
    """Rotary attention, near and everywhere by turns, and gated MLPs, pre-norm, without biases
    (Warner et al. 2024)."""
    norm = LayerNormConfig(epsilon=epsilon, bias=False)
    attention = [
        AttentionConfig(
            heads=sizes.heads,
            kv_heads=sizes.heads,
            head=sizes.width // sizes.heads,
            rotary=RotaryConfig(theta=theta),
            window=window,
        )
        for theta, window in zip(shape.thetas, (None, shape.window), strict=True)
    ]
    mlp = PreNormConfig(norm=norm, layer=GatedMLPConfig(hidden=sizes.hidden, activation=activation))
    # The embedding is normed, so that the first attention reads it as it is.
    blocks = tuple(
        (PreNormConfig(norm=norm if i else NoNormConfig(), layer=attention[not everywhere]), mlp)
        for i, everywhere in enumerate(shape.everywhere)
    )
    return EncoderConfig(
        vocab=sizes.vocab,
        width=sizes.width,
        context=sizes.context,
        embedding=EmbeddingConfig(norm=norm),
        stack=StackConfig(pattern=blocks, depth=sizes.depth, norm=norm),
        pooling=DenseFirstConfig(activation=head, bias=False, norm=norm, mean=shape.mean),
    )


def with_words(backbone: EncoderConfig, transform: TransformConfig) -> MaskedLMConfig:
    """The backbone with the head that fills in words."""
    return MaskedLMConfig(
        vocab=backbone.vocab,
        width=backbone.width,
        context=backbone.context,
        embedding=backbone.embedding,
        stack=backbone.stack,
        transform=transform,
        pooling=backbone.pooling,
    )


class ViTSizes(Config):
    """size, patch, channels: of square images, in pixels a side and colours.

    width, depth: channels, blocks. heads: of width / heads channels each. hidden: channels between
    the matrices of an MLP.
    """

    size: int
    patch: int
    channels: int
    width: int
    depth: int
    heads: int
    hidden: int


def vit(
    sizes: ViTSizes,
    labels: Sequence[str],
    epsilon: float = 1e-12,
    activation: Activation = "gelu",
    biased: bool = True,
) -> ClassifierConfig:
    """Patches and a class token, pre-norm attention and MLP (Dosovitskiy et al. 2021).

    biased: queries, keys and values have biases.
    """
    norm = LayerNormConfig(epsilon=epsilon)
    attention = AttentionConfig(
        heads=sizes.heads,
        kv_heads=sizes.heads,
        head=sizes.width // sizes.heads,
        bias=Bias(inputs=biased, output=True),
    )
    mlp = MLPConfig(hidden=sizes.hidden, activation=activation)
    block = (PreNormConfig(norm=norm, layer=attention), PreNormConfig(norm=norm, layer=mlp))
    patches = PatchesConfig(size=sizes.size, patch=sizes.patch, channels=sizes.channels)
    return ClassifierConfig(
        width=sizes.width,
        context=patches.tokens,
        vocab=None,
        embedding=patches,
        stack=StackConfig(pattern=(block,), depth=sizes.depth, norm=norm),
        causal=False,
        pooling=FirstConfig(),
        bias=True,
        labels=tuple(labels),
    )
