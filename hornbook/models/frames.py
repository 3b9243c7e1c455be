"""What decoder presets share: the frame around their blocks, and their heads."""

from typing import Any

from hornbook.models.causal_lm import CausalLMConfig
from hornbook.models.sizes import DecoderSizes
from hornbook.nn.attention import AttentionConfig
from hornbook.nn.embedding import EmbeddingConfig
from hornbook.nn.mlp import GatedMLPConfig, MLPConfig
from hornbook.nn.norm import LayerNormConfig, NormConfig, RMSNormConfig
from hornbook.nn.residual import PreNormConfig
from hornbook.nn.stack import Block, StackConfig


def decoder(
    *,
    vocab: int,
    width: int,
    context: int,
    blocks: tuple[Block, ...],
    depth: int,
    norm: NormConfig,
    tied: bool,
    positions: int | None = None,
) -> CausalLMConfig:
    """The frame that all decoders share: `depth` blocks, the pattern over and over."""
    return CausalLMConfig(
        vocab=vocab,
        width=width,
        context=context,
        embedding=EmbeddingConfig(positions=positions),
        stack=StackConfig(pattern=blocks, depth=depth, norm=norm),
        tied=tied,
    )


def of_blocks(
    sizes: DecoderSizes, blocks: tuple[Block, ...], norm: NormConfig, positions: int | None = None
) -> CausalLMConfig:
    """`decoder` of some sizes."""
    return decoder(
        vocab=sizes.vocab,
        width=sizes.width,
        context=sizes.context,
        blocks=blocks,
        depth=sizes.depth,
        norm=norm,
        tied=sizes.tied,
        positions=positions,
    )


def attention_of(sizes: DecoderSizes, **options: Any) -> AttentionConfig:
    """Attention with the heads of some sizes; options: what else it is."""
    return AttentionConfig(heads=sizes.heads, kv_heads=sizes.kv_heads, head=sizes.head, **options)


def transformer(
    sizes: DecoderSizes,
    norm: RMSNormConfig | LayerNormConfig,
    attention: AttentionConfig,
    mlp: MLPConfig | GatedMLPConfig,
    positions: int | None = None,
) -> CausalLMConfig:
    """Pre-norm attention and MLP, block after block."""
    block = (PreNormConfig(norm=norm, layer=attention), PreNormConfig(norm=norm, layer=mlp))
    return of_blocks(sizes, (block,), norm, positions)
