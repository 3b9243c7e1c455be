"""Encoder-decoder presets: functions that read like the diagram of the architecture."""

from collections.abc import Callable

from hornbook.core.config import Config
from hornbook.models.seq2seq import Seq2SeqConfig
from hornbook.nn.attention import AttentionConfig, Bias
from hornbook.nn.contract import LayerConfig
from hornbook.nn.cross_attention import CrossAttentionConfig, SummaryConfig
from hornbook.nn.embedding import EmbeddingConfig
from hornbook.nn.lstm import LSTMConfig
from hornbook.nn.mlp import Activation, GatedMLPConfig, MLPConfig
from hornbook.nn.norm import LayerNormConfig, RMSNormConfig
from hornbook.nn.relative import RelativeBiasConfig
from hornbook.nn.residual import PostNormConfig, PreNormConfig
from hornbook.nn.stack import Block, StackConfig


class SideSizes(Config):
    """Of an encoder or decoder. hidden: channels between the matrices of an MLP."""

    depth: int
    heads: int
    hidden: int


class PairSizes(Config):
    """What every encoder-decoder preset asks for.

    vocab, width, context: tokens, channels, tokens of the longest source or target. start: the id
    before every target. dropout: the share of channels dropped while training.
    """

    vocab: int
    width: int
    context: int
    encoder: SideSizes
    decoder: SideSizes
    start: int
    dropout: float


def transformer(
    sizes: PairSizes, activation: Activation = "relu", scaled: bool = True
) -> Seq2SeqConfig:
    """Attention and MLPs, each normalised after its residual sum (Vaswani et al. 2017)."""
    norm, biases = LayerNormConfig(), Bias(inputs=True, output=True)

    def side(of: SideSizes, looks_at_memory: bool) -> StackConfig:
        head = sizes.width // of.heads
        layers: list[LayerConfig] = [
            AttentionConfig(heads=of.heads, kv_heads=of.heads, head=head, bias=biases)
        ]
        if looks_at_memory:
            layers.append(CrossAttentionConfig(heads=of.heads, head=head, bias=biases))
        layers.append(MLPConfig(hidden=of.hidden, activation=activation))
        block = tuple(
            PostNormConfig(norm=norm, layer=layer, dropout=sizes.dropout) for layer in layers
        )
        return StackConfig(pattern=(block,), depth=of.depth, norm=None)

    return Seq2SeqConfig(
        vocab=sizes.vocab,
        width=sizes.width,
        context=sizes.context,
        embedding=EmbeddingConfig(positions="sinusoidal", scaled=scaled, dropout=sizes.dropout),
        encoder=side(sizes.encoder, looks_at_memory=False),
        decoder=side(sizes.decoder, looks_at_memory=True),
        bidirectional=True,
        start=sizes.start,
    )


class T5Shape(Config):
    """head: channels of an attention's head. buckets, distance: of relative positions. gated: MLPs
    have three matrices. tied: the head is the token vectors, and what it reads is shrunk."""

    head: int
    buckets: int = 32
    distance: int = 128
    activation: Activation = "relu"
    gated: bool = False
    tied: bool = True
    epsilon: float = 1e-6


def t5(sizes: PairSizes, shape: T5Shape) -> Seq2SeqConfig:
    """Relative positions, RMSNorm before each layer, no biases, scores that are not scaled (Raffel
    et al. 2020; gated MLPs: Shazeer 2020)."""
    norm = RMSNormConfig(epsilon=shape.epsilon)

    def side(of: SideSizes, looks_at_memory: bool) -> StackConfig:
        attention = AttentionConfig(heads=of.heads, kv_heads=of.heads, head=shape.head, scale=1.0)
        cross = CrossAttentionConfig(heads=of.heads, head=shape.head, scale=1.0)
        if shape.gated:
            mixes: LayerConfig = GatedMLPConfig(hidden=of.hidden, activation=shape.activation)
        else:
            mixes = MLPConfig(hidden=of.hidden, activation=shape.activation, bias=False)
        layers = [attention, *([cross] if looks_at_memory else []), mixes]
        return StackConfig(
            pattern=(
                tuple(
                    PreNormConfig(norm=norm, layer=layer, dropout=sizes.dropout) for layer in layers
                ),
            ),
            depth=of.depth,
            norm=norm,
            relative=RelativeBiasConfig(
                heads=of.heads,
                buckets=shape.buckets,
                distance=shape.distance,
                both_ways=not looks_at_memory,
            ),
        )

    return Seq2SeqConfig(
        vocab=sizes.vocab,
        width=sizes.width,
        context=sizes.context,
        embedding=EmbeddingConfig(dropout=sizes.dropout),
        encoder=side(sizes.encoder, looks_at_memory=False),
        decoder=side(sizes.decoder, looks_at_memory=True),
        bidirectional=True,
        start=sizes.start,
        tied=shape.tied,
        bias=False,
        shrunk=shape.tied,
    )


def lstm(sizes: PairSizes) -> Seq2SeqConfig:
    """LSTMs; the decoder knows the source by one vector (Cho et al. 2014)."""
    return _recurrent(sizes, SummaryConfig())


def lstm_attention(sizes: PairSizes) -> Seq2SeqConfig:
    """LSTMs; the decoder looks at all of the source (after Bahdanau et al. 2015)."""
    heads = sizes.decoder.heads
    return _recurrent(sizes, CrossAttentionConfig(heads=heads, head=sizes.width // heads))


TRANSLATORS: dict[str, Callable[[PairSizes], Seq2SeqConfig]] = {
    "transformer": transformer,
    "lstm": lstm,
    "lstm-attention": lstm_attention,
}


def _recurrent(sizes: PairSizes, looks: LayerConfig) -> Seq2SeqConfig:
    """LSTMs in pre-norm residual blocks; the decoder's `looks` at the memory after each."""
    norm = LayerNormConfig()

    def block(*layers: LayerConfig) -> Block:
        return tuple(
            PreNormConfig(norm=norm, layer=layer, dropout=sizes.dropout) for layer in layers
        )

    return Seq2SeqConfig(
        vocab=sizes.vocab,
        width=sizes.width,
        context=sizes.context,
        embedding=EmbeddingConfig(scaled=True, dropout=sizes.dropout),
        encoder=StackConfig(pattern=(block(LSTMConfig()),), depth=sizes.encoder.depth, norm=norm),
        decoder=StackConfig(
            pattern=(block(LSTMConfig(), looks),), depth=sizes.decoder.depth, norm=norm
        ),
        bidirectional=False,
        start=sizes.start,
    )
