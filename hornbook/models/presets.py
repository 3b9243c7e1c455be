"""Decoder presets: functions that read like the diagram of the architecture.

Each corresponds to a `model_type` of the Hugging Face ecosystem, if that has all of its layers.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar

from hornbook.core.errors import unknown
from hornbook.models import variants
from hornbook.models.causal_lm import CausalLMConfig
from hornbook.models.encoder_presets import BertSizes, bert_masked_lm
from hornbook.models.frames import attention_of, decoder, of_blocks, transformer
from hornbook.models.masked_lm import MaskedLMConfig
from hornbook.models.model import ModelConfig
from hornbook.models.sizes import DecoderSizes
from hornbook.nn.attention import Bias
from hornbook.nn.delta import GatedDeltaConfig
from hornbook.nn.frequencies import RotaryConfig
from hornbook.nn.lstm import LSTMConfig
from hornbook.nn.mamba2 import Mamba2Config
from hornbook.nn.mixture import MixtureConfig
from hornbook.nn.mlp import Activation, GatedMLPConfig, MLPConfig
from hornbook.nn.norm import LayerNormConfig, RMSNormConfig
from hornbook.nn.residual import PreNormConfig
from hornbook.nn.short_conv import ShortConvConfig


class Preset(NamedTuple):
    """A function from sizes to a config, and what those who choose the sizes have to know of it.

    family: that `pretrain --family` knows. masked: it fills in words, and its tokenizer needs a
    token for them. tied: its model type is read with the head tied to the embedding everywhere.
    gated: its MLPs have three matrices and not two.
    """

    build: Callable[..., ModelConfig]
    family: str
    masked: bool = False
    tied: bool = False
    gated: bool = True

    def __call__(self, sizes: DecoderSizes, **options: Any) -> ModelConfig:
        """options: that the function has besides."""
        return self.build(sizes, **options)


PRESETS: dict[str, Preset] = {}
"""By their names; the first of a family is meant by default."""

_Function = TypeVar("_Function", bound=Callable[..., ModelConfig])


def preset(name: str, family: str, **facts: bool) -> Callable[[_Function], _Function]:
    """Decorates a preset; facts: those of `Preset`."""

    def enter(build: _Function) -> _Function:
        assert name not in PRESETS, f"two presets are called {name}"
        PRESETS[name] = Preset(build, family, **facts)
        return build

    return enter


_ROTARY, _FAR = RotaryConfig(), RotaryConfig(theta=1_000_000.0)


@preset("qwen3", family="gpt")
def qwen3(
    sizes: DecoderSizes,
    rotary: RotaryConfig = _ROTARY,
    epsilon: float = 1e-6,
    biased: bool = False,
    activation: Activation = "silu",
) -> CausalLMConfig:
    """RMSNorm, rotary attention with normalised queries and keys, SwiGLU (Qwen3 report, 2025)."""
    norm = RMSNormConfig(epsilon=epsilon)
    attention = attention_of(
        sizes,
        rotary=rotary,
        qk_norm=norm,
        bias=Bias(inputs=biased, output=biased),
    )
    mlp = GatedMLPConfig(hidden=sizes.hidden, activation=activation)
    return transformer(sizes, norm, attention, mlp)


@preset("qwen3-moe", family="moe")
def qwen3_moe(
    sizes: DecoderSizes,
    mixture: MixtureConfig | None = None,
    rotary: RotaryConfig = _ROTARY,
    epsilon: float = 1e-6,
    biased: bool = False,
) -> CausalLMConfig:
    """Qwen3 with a mixture of experts in the MLP's place (Qwen3 report, 2025).

    mixture: None for eight experts of half the MLP's channels, of which a token meets two: it
    meets as many weights as in Qwen3, of four times as many.
    """
    dense = qwen3(sizes, rotary, epsilon, biased)
    ((attention, mlp),) = dense.stack.pattern
    assert isinstance(mlp, PreNormConfig)
    mixture = mixture or MixtureConfig(experts=8, chosen=2, hidden=sizes.hidden // 2)
    block = (attention, mlp.model_copy(update={"layer": mixture}))
    stack = dense.stack.model_copy(update={"pattern": (block,)})
    return dense.model_copy(update={"stack": stack})


@preset("llama", family="gpt")
def llama(
    sizes: DecoderSizes,
    rotary: RotaryConfig = _ROTARY,
    epsilon: float = 1e-6,
    biased: bool = False,
    activation: Activation = "silu",
) -> CausalLMConfig:
    """RMSNorm, rotary attention, SwiGLU (Touvron et al. 2023)."""
    attention = attention_of(
        sizes,
        rotary=rotary,
        bias=Bias(inputs=biased, output=biased),
    )
    mlp = GatedMLPConfig(hidden=sizes.hidden, activation=activation)
    return transformer(sizes, RMSNormConfig(epsilon=epsilon), attention, mlp)


@preset("qwen2", family="gpt")
def qwen2(
    sizes: DecoderSizes,
    rotary: RotaryConfig = _ROTARY,
    epsilon: float = 1e-6,
    activation: Activation = "silu",
) -> CausalLMConfig:
    """Llama with biases on queries, keys and values only (Qwen2 report, 2024)."""
    attention = attention_of(
        sizes,
        rotary=rotary,
        bias=Bias(inputs=True),
    )
    mlp = GatedMLPConfig(hidden=sizes.hidden, activation=activation)
    return transformer(sizes, RMSNormConfig(epsilon=epsilon), attention, mlp)


@preset("gpt2", family="gpt", tied=True, gated=False)
def gpt2(
    sizes: DecoderSizes, epsilon: float = 1e-5, activation: Activation = "gelu_tanh"
) -> CausalLMConfig:
    """LayerNorm, learned positions, attention and a GELU MLP with biases (Radford et al. 2019)."""
    attention = attention_of(
        sizes,
        bias=Bias(inputs=True, output=True),
    )
    mlp = MLPConfig(hidden=sizes.hidden, activation=activation)
    norm = LayerNormConfig(epsilon=epsilon)
    return transformer(sizes, norm, attention, mlp, positions=sizes.context)


@preset("mamba2", family="mamba2")
def mamba2(sizes: DecoderSizes, epsilon: float = 1e-5) -> CausalLMConfig:
    """RMSNorm and the Mamba-2 mixer, nothing else (Dao & Gu 2024); twice as wide inside.

    Its heads are of `head` channels, as many as fill twice the width. What an attention and an MLP
    of a block hold together, two such blocks hold.
    """
    norm = RMSNormConfig(epsilon=epsilon)
    mixer = Mamba2Config(
        heads=2 * sizes.width // sizes.head, head=sizes.head, state=64, epsilon=epsilon
    )
    block = (PreNormConfig(norm=norm, layer=mixer),)
    return decoder(
        vocab=sizes.vocab,
        width=sizes.width,
        context=sizes.context,
        blocks=(block,),
        depth=2 * sizes.depth,
        norm=norm,
        tied=sizes.tied,
    )


@preset("lfm2", family="lfm2")
def lfm2(
    sizes: DecoderSizes,
    attention: Sequence[int] | None = None,
    rotary: RotaryConfig = _FAR,
    epsilon: float = 1e-5,
    kernel: int = 3,
    biased: bool = False,
) -> CausalLMConfig:
    """Gated short convolutions and SwiGLU, with attention in some blocks (Liquid AI 2025).

    attention: the blocks that have it; None for every third.
    """
    norm = RMSNormConfig(epsilon=epsilon)
    places = range(2, sizes.depth, 3) if attention is None else attention
    mixers = {
        True: attention_of(
            sizes,
            rotary=rotary,
            qk_norm=norm,
        ),
        False: ShortConvConfig(kernel=kernel, bias=biased),
    }
    mlp = PreNormConfig(norm=norm, layer=GatedMLPConfig(hidden=sizes.hidden))
    blocks = tuple(
        (PreNormConfig(norm=norm, layer=mixers[i in places]), mlp) for i in range(sizes.depth)
    )
    return of_blocks(sizes, blocks, norm)


@preset("lfm2-conv", family="lfm2")
def lfm2_conv(sizes: DecoderSizes) -> CausalLMConfig:
    """LFM2 without attention: it sees a few tokens back a block, and nothing further."""
    return lfm2(sizes, attention=())


@preset("qwen3.5", family="qwen3.5")
def qwen3_5(
    sizes: DecoderSizes,
    attention: Sequence[int] | None = None,
    mixer: GatedDeltaConfig | None = None,
    rotary: RotaryConfig | None = None,
    epsilon: float = 1e-6,
    biased: bool = False,
) -> CausalLMConfig:
    """The gated delta rule and SwiGLU, with gated attention in some blocks (Qwen3.5, 2026).

    attention: the blocks that have it; None for every fourth, or the last of fewer. mixer: of the
    others; None for as many heads, those of keys half of it, with as many weights as an attention.
    rotary: None for a quarter of each head.
    """
    norm = RMSNormConfig(epsilon=epsilon, centred=True)
    places = range(3, sizes.depth, 4) or (sizes.depth - 1,) if attention is None else attention
    mixers = {
        True: attention_of(
            sizes,
            rotary=rotary or RotaryConfig(channels=max(2, sizes.head // 8 * 2)),
            qk_norm=norm,
            bias=Bias(inputs=biased, output=biased),
            gated=True,
        ),
        False: mixer
        or GatedDeltaConfig(
            heads=sizes.heads,
            head=sizes.head,
            key_heads=sizes.heads // (2 - sizes.heads % 2),
            key=sizes.head,
            epsilon=epsilon,
        ),
    }
    mlp = PreNormConfig(norm=norm, layer=GatedMLPConfig(hidden=sizes.hidden))
    blocks = tuple(
        (PreNormConfig(norm=norm, layer=mixers[i in places]), mlp) for i in range(sizes.depth)
    )
    return of_blocks(sizes, blocks, norm)


@preset("lstm", family="lstm")
def lstm(sizes: DecoderSizes) -> CausalLMConfig:
    """Long short-term memory, block after block, each added to the stream (Jozefowicz et al. 2016).

    A block holds eight times the square of the width, two thirds of a Transformer's.
    """
    norm = RMSNormConfig()
    return of_blocks(sizes, ((PreNormConfig(norm=norm, layer=LSTMConfig()),),), norm)


@preset("lstm-attention", family="lstm")
def lstm_attention(sizes: DecoderSizes) -> CausalLMConfig:
    """An LSTM that looks back at what it read before, block after block (Cheng et al. 2016, with
    today's attention); the order of what is there is the LSTM's business."""
    norm = RMSNormConfig()
    attention = attention_of(sizes)
    layers = (LSTMConfig(), attention)
    block = tuple(PreNormConfig(norm=norm, layer=layer) for layer in layers)
    return of_blocks(sizes, (block,), norm)


@preset("bert", family="bert", masked=True, gated=False)
def bert(sizes: DecoderSizes) -> MaskedLMConfig:
    """BERT with the head that fills in words; its head is always the embedding transposed."""
    own = BertSizes(
        vocab=sizes.vocab,
        width=sizes.width,
        depth=sizes.depth,
        context=sizes.context,
        heads=sizes.heads,
        hidden=sizes.hidden,
    )
    return bert_masked_lm(own)


for _variant in (
    variants.mistral,
    variants.phi3,
    variants.gemma2,
    variants.gemma3,
    variants.olmo2,
    variants.smollm3,
    variants.granite,
):
    preset(_variant.__name__, family="gpt")(_variant)

FAMILIES = {
    family: [name for name, one in PRESETS.items() if one.family == family]
    for family in dict.fromkeys(one.family for one in PRESETS.values())
}
"""The presets of each family."""

MASKED_PRESETS = [name for name, one in PRESETS.items() if one.masked]


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
