"""Decoder presets: functions that read like the diagram of the architecture.

Each corresponds to a `model_type` of the Hugging Face ecosystem.
"""

from collections.abc import Callable

from hornbook.core.config import Config
from hornbook.core.errors import unknown
from hornbook.models.causal_lm import CausalLMConfig
from hornbook.nn.attention import AttentionConfig, Bias
from hornbook.nn.embedding import EmbeddingConfig
from hornbook.nn.mlp import Activation, GatedMLPConfig, MLPConfig
from hornbook.nn.norm import LayerNormConfig, RMSNormConfig
from hornbook.nn.residual import PreNormConfig
from hornbook.nn.rotary import RotaryConfig
from hornbook.nn.stack import StackConfig


class Sizes(Config):
    """What every decoder preset asks for.

    vocab, width, depth, context: tokens, channels, blocks, tokens. heads query heads of `head`
    channels share kv_heads key/value heads. hidden: channels between the matrices of an MLP.
    tied: the head is the token embedding transposed.
    """

    vocab: int
    width: int
    depth: int
    context: int
    heads: int
    kv_heads: int
    head: int
    hidden: int
    tied: bool


def qwen3(
    sizes: Sizes,
    theta: float = 10_000.0,
    epsilon: float = 1e-6,
    biased: bool = False,
    activation: Activation = "silu",
) -> CausalLMConfig:
    """RMSNorm, rotary attention with normalised queries and keys, SwiGLU (Qwen3 report, 2025)."""
    norm = RMSNormConfig(epsilon=epsilon)
    attention = AttentionConfig(
        heads=sizes.heads,
        kv_heads=sizes.kv_heads,
        head=sizes.head,
        rotary=RotaryConfig(theta=theta),
        qk_norm=norm,
        bias=Bias(inputs=biased, output=biased),
    )
    mlp = GatedMLPConfig(hidden=sizes.hidden, activation=activation)
    return _decoder(sizes, norm, attention, mlp)


def llama(
    sizes: Sizes,
    theta: float = 10_000.0,
    epsilon: float = 1e-6,
    biased: bool = False,
    activation: Activation = "silu",
) -> CausalLMConfig:
    """RMSNorm, rotary attention, SwiGLU (Touvron et al. 2023)."""
    attention = AttentionConfig(
        heads=sizes.heads,
        kv_heads=sizes.kv_heads,
        head=sizes.head,
        rotary=RotaryConfig(theta=theta),
        bias=Bias(inputs=biased, output=biased),
    )
    mlp = GatedMLPConfig(hidden=sizes.hidden, activation=activation)
    return _decoder(sizes, RMSNormConfig(epsilon=epsilon), attention, mlp)


def gpt2(
    sizes: Sizes, epsilon: float = 1e-5, activation: Activation = "gelu_tanh"
) -> CausalLMConfig:
    """LayerNorm, learned positions, attention and a GELU MLP with biases (Radford et al. 2019)."""
    attention = AttentionConfig(
        heads=sizes.heads,
        kv_heads=sizes.kv_heads,
        head=sizes.head,
        bias=Bias(inputs=True, output=True),
    )
    mlp = MLPConfig(hidden=sizes.hidden, activation=activation)
    norm = LayerNormConfig(epsilon=epsilon)
    return _decoder(sizes, norm, attention, mlp, positions=sizes.context)


PRESETS: dict[str, Callable[[Sizes], CausalLMConfig]] = {
    "qwen3": qwen3,
    "llama": llama,
    "gpt2": gpt2,
}

FAMILIES: dict[str, tuple[str, ...]] = {"gpt": ("qwen3", "llama", "gpt2")}
"""The presets of each family that `pretrain --family` knows; the first is meant by default."""


def preset_of(family: str | None, preset: str | None) -> str | None:
    """The preset that a family and a preset mean together, None for the default of all.

    Raises UsageError for a name that is not there or a preset of another family.
    """
    if family is None:
        return preset
    if family not in FAMILIES:
        raise unknown("family", family, FAMILIES)
    if preset is not None and preset not in FAMILIES[family]:
        raise unknown(f"preset of {family}", preset, FAMILIES[family])
    return preset or FAMILIES[family][0]


def _decoder(
    sizes: Sizes,
    norm: RMSNormConfig | LayerNormConfig,
    attention: AttentionConfig,
    mlp: MLPConfig | GatedMLPConfig,
    positions: int | None = None,
) -> CausalLMConfig:
    """The frame that all three share: pre-norm attention and MLP, block after block."""
    block = (PreNormConfig(norm=norm, layer=attention), PreNormConfig(norm=norm, layer=mlp))
    return CausalLMConfig(
        vocab=sizes.vocab,
        width=sizes.width,
        context=sizes.context,
        embedding=EmbeddingConfig(positions=positions),
        stack=StackConfig(pattern=(block,), depth=sizes.depth, norm=norm),
        tied=sizes.tied,
    )
