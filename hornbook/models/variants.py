"""Presets of decoders that are Llama but for a few things: windows, places of norms, multipliers.

Each corresponds to a `model_type` of the Hugging Face ecosystem.
"""

from collections.abc import Collection

from hornbook.models.causal_lm import CausalLMConfig
from hornbook.models.frames import attention_of, of_blocks, transformer
from hornbook.models.sizes import DecoderSizes
from hornbook.nn.attention import AttentionConfig, Bias
from hornbook.nn.embedding import EmbeddingConfig
from hornbook.nn.frequencies import RotaryConfig
from hornbook.nn.mlp import Activation, GatedMLPConfig
from hornbook.nn.norm import RMSNormConfig
from hornbook.nn.residual import InnerNormConfig, PreNormConfig

_ROTARY, _FAR = RotaryConfig(), RotaryConfig(theta=1_000_000.0)


def mistral(
    sizes: DecoderSizes,
    window: int | None = None,
    rotary: RotaryConfig = _ROTARY,
    epsilon: float = 1e-6,
    activation: Activation = "silu",
) -> CausalLMConfig:
    """Llama whose tokens see a window (Jiang et al. 2023); None for a quarter of the context."""
    attention = attention_of(
        sizes,
        rotary=rotary,
        window=window or _quarter(sizes),
    )
    mlp = GatedMLPConfig(hidden=sizes.hidden, activation=activation)
    return transformer(sizes, RMSNormConfig(epsilon=epsilon), attention, mlp)


def phi3(
    sizes: DecoderSizes,
    window: int | None = None,
    rotary: RotaryConfig | None = None,
    epsilon: float = 1e-5,
    activation: Activation = "silu",
) -> CausalLMConfig:
    """Llama whose heads may turn in part (Phi-3 report, 2024; Phi-4-mini report, 2025).

    rotary: None for three quarters of each head.
    """
    attention = attention_of(
        sizes,
        rotary=rotary or RotaryConfig(channels=max(2, sizes.head * 3 // 8 * 2)),
        window=window,
    )
    mlp = GatedMLPConfig(hidden=sizes.hidden, activation=activation)
    return transformer(sizes, RMSNormConfig(epsilon=epsilon), attention, mlp)


def gemma2(
    sizes: DecoderSizes,
    window: int | None = None,
    whole: Collection[int] | None = None,
    rotary: RotaryConfig = _ROTARY,
    epsilon: float = 1e-6,
    *,
    scale: float | None = None,
    cap: float | None = 50.0,
    logit_cap: float | None = 30.0,
) -> CausalLMConfig:
    """Norms on both sides of each layer, caps on scores and logits, every second block with a
    window (Gemma 2 report, 2024).

    window: None for a quarter of the context. whole: the blocks that see all tokens. scale: of the
    scores, None for 1 / sqrt(head). cap, logit_cap: of scores and logits.
    """
    attention = attention_of(
        sizes,
        rotary=rotary,
        scale=scale or sizes.head**-0.5,
        cap=cap,
    )
    near = attention.model_copy(update={"window": window or _quarter(sizes)})
    places = range(1, sizes.depth, 2) if whole is None else whole
    attentions = [attention if i in places else near for i in range(sizes.depth)]
    return _gemma(sizes, attentions, epsilon, logit_cap)


def gemma3(
    sizes: DecoderSizes,
    window: int | None = None,
    whole: Collection[int] | None = None,
    rotary: RotaryConfig = _FAR,
    epsilon: float = 1e-6,
    *,
    near: RotaryConfig = _ROTARY,
    scale: float | None = None,
    logit_cap: float | None = None,
) -> CausalLMConfig:
    """Gemma 2 with normalised queries and keys for caps, and a window in five of six blocks, where
    wavelengths are shorter (Gemma 3 report, 2025).

    near: the rotary positions of blocks with a window. The others are those of `gemma2`.
    """
    attention = attention_of(
        sizes,
        rotary=rotary,
        qk_norm=RMSNormConfig(epsilon=epsilon, centred=True),
        scale=scale or sizes.head**-0.5,
    )
    local = attention.model_copy(update={"window": window or _quarter(sizes), "rotary": near})
    places = range(5, sizes.depth, 6) if whole is None else whole
    attentions = [attention if i in places else local for i in range(sizes.depth)]
    return _gemma(sizes, attentions, epsilon, logit_cap)


def olmo2(
    sizes: DecoderSizes,
    rotary: RotaryConfig = _ROTARY,
    epsilon: float = 1e-5,
    biased: bool = False,
    activation: Activation = "silu",
) -> CausalLMConfig:
    """Norms behind attention and MLP, and of queries and keys over all heads (OLMo 2, 2025)."""
    norm = RMSNormConfig(epsilon=epsilon)
    attention = attention_of(
        sizes,
        rotary=rotary,
        qk_norm=norm,
        qk_norm_whole=True,
        bias=Bias(inputs=biased, output=biased),
    )
    mlp = GatedMLPConfig(hidden=sizes.hidden, activation=activation)
    block = tuple(InnerNormConfig(before=None, after=norm, layer=each) for each in (attention, mlp))
    return of_blocks(sizes, (block,), norm)


def smollm3(
    sizes: DecoderSizes,
    without: Collection[int] | None = None,
    rotary: RotaryConfig = _FAR,
    epsilon: float = 1e-6,
    biased: bool = False,
    activation: Activation = "silu",
) -> CausalLMConfig:
    """Llama with blocks that know no positions (SmolLM3, 2025; Yang et al. 2025, arXiv 2501.18795).

    without: these blocks; None for every fourth.
    """
    norm = RMSNormConfig(epsilon=epsilon)
    turned = attention_of(
        sizes,
        rotary=rotary,
        bias=Bias(inputs=biased, output=biased),
    )
    still = turned.model_copy(update={"rotary": None})
    places = range(3, sizes.depth, 4) if without is None else without
    mlp = GatedMLPConfig(hidden=sizes.hidden, activation=activation)
    blocks = tuple(
        tuple(PreNormConfig(norm=norm, layer=each) for each in (mixer, mlp))
        for mixer in (still if i in places else turned for i in range(sizes.depth))
    )
    return of_blocks(sizes, blocks, norm)


def granite(
    sizes: DecoderSizes,
    rotary: RotaryConfig = _ROTARY,
    epsilon: float = 1e-6,
    *,
    biased: bool = False,
    embedding: float = 1.0,
    residual: float = 1.0,
    scale: float | None = None,
    logits: float = 1.0,
) -> CausalLMConfig:
    """Llama with multipliers (Granite 3, 2024), as maximal update parametrisation has them.

    embedding, residual, logits: of token vectors, of what layers add, and what logits are divided
    by. scale: of the scores, None for 1 / sqrt(head).
    """
    norm = RMSNormConfig(epsilon=epsilon)
    attention = attention_of(
        sizes,
        rotary=rotary,
        bias=Bias(inputs=biased, output=biased),
        scale=scale or sizes.head**-0.5,
    )
    mlp = GatedMLPConfig(hidden=sizes.hidden)
    block = tuple(
        PreNormConfig(norm=norm, layer=each, multiplier=residual) for each in (attention, mlp)
    )
    found = of_blocks(sizes, (block,), norm)
    scaled = EmbeddingConfig(multiplier=embedding)
    return found.model_copy(update={"embedding": scaled, "multiplier": 1 / logits})


def _gemma(
    sizes: DecoderSizes,
    attentions: list[AttentionConfig],
    epsilon: float,
    logit_cap: float | None,
) -> CausalLMConfig:
    norm = RMSNormConfig(epsilon=epsilon, centred=True)
    mlp = GatedMLPConfig(hidden=sizes.hidden, activation="gelu_tanh")
    blocks = tuple(
        tuple(InnerNormConfig(before=norm, after=norm, layer=each) for each in (attention, mlp))
        for attention in attentions
    )
    found = of_blocks(sizes, blocks, norm)
    return found.model_copy(update={"embedding": EmbeddingConfig(scaled=True), "cap": logit_cap})


def _quarter(sizes: DecoderSizes) -> int:
    """A window of a quarter of the context."""
    return max(1, sizes.context // 4)
