"""`mamba2`: RMSNorm and the Mamba-2 mixer, block after block (Dao & Gu 2024).

The file knows no longest sequence; ours is kept under the key that other families use for it.
"""

import math
from typing import Any

from hornbook.models.causal_lm import CausalLMConfig
from hornbook.models.convert.family import Family, TensorRule
from hornbook.models.fields import Fields
from hornbook.models.frames import decoder
from hornbook.nn.mamba2 import Mamba2Config
from hornbook.nn.norm import RMSNormConfig
from hornbook.nn.residual import PreNormConfig

_LONGEST = 2**20
"""A recurrence has no longest sequence; where the file names none, this is as good as none."""


def read(fields: Fields) -> CausalLMConfig:
    """Mamba-2's keys; what they leave out is what `transformers` assumes."""
    fields.only("hidden_act", "silu")
    # What is left of training, and of speed.
    fields.ignore("time_step_rank", "time_step_min", "time_step_max", "time_step_floor")
    fields.ignore("rescale_prenorm_residual", "residual_in_fp32")
    width, epsilon = fields.size("hidden_size"), fields.number("layer_norm_epsilon", 1e-5)
    heads, head = fields.size("num_heads", 128), fields.size("head_dim", 64)
    expand = fields.size("expand", 2)
    if expand * width != heads * head:
        fields.refuse("expand", expand, f"{heads} heads of {head} are not so many times {width}.")
    limit = fields.pair("time_step_limit", (0.0, math.inf))
    mixer = Mamba2Config(
        heads=heads,
        head=head,
        state=fields.size("state_size", 128),
        groups=fields.size("n_groups", 8),
        kernel=fields.size("conv_kernel", 4),
        chunk=fields.size("chunk_size", 256),
        step_limit=None if limit == (0.0, math.inf) else limit,
        bias=fields.flag("use_bias", False),
        conv_bias=fields.flag("use_conv_bias", True),
        epsilon=epsilon,
    )
    norm = RMSNormConfig(epsilon=epsilon)
    return decoder(
        vocab=fields.size("vocab_size"),
        width=width,
        context=fields.size("max_position_embeddings", _LONGEST),
        blocks=((PreNormConfig(norm=norm, layer=mixer),),),
        depth=fields.depth("num_hidden_layers"),
        norm=norm,
        tied=fields.flag("tie_word_embeddings", False),
    )


def write(config: CausalLMConfig) -> dict[str, Any] | None:
    """Our config in Mamba-2's keys, or None when it is wired otherwise."""
    match config.stack.pattern:
        case ((PreNormConfig(layer=Mamba2Config() as mixer),),):
            pass
        case _:
            return None
    if mixer.inner % config.width:
        return None
    return {
        "vocab_size": config.vocab,
        "hidden_size": config.width,
        "num_hidden_layers": config.stack.depth,
        "max_position_embeddings": config.context,
        "num_heads": mixer.heads,
        "head_dim": mixer.head,
        "expand": mixer.inner // config.width,
        "state_size": mixer.state,
        "n_groups": mixer.groups,
        "conv_kernel": mixer.kernel,
        "chunk_size": mixer.chunk,
        "time_step_limit": list(mixer.step_limit or (0.0, math.inf)),
        "use_bias": mixer.bias,
        "use_conv_bias": mixer.conv_bias,
        "layer_norm_epsilon": mixer.epsilon,
        "hidden_act": "silu",
        "tie_word_embeddings": config.tied,
    }


_BLOCK, _LAYER = "backbone.layers.{block}", "stack.layers.{0}"
RULES = (
    TensorRule("backbone.embeddings.weight", ("embedding.token.weight",)),
    TensorRule(f"{_BLOCK}.norm.weight", (f"{_LAYER}.norm.weight",)),
    *(
        TensorRule(f"{_BLOCK}.mixer.{theirs}", (f"{_LAYER}.layer.{ours}",))
        for theirs, ours in (
            ("in_proj.weight", "input.weight"),
            ("in_proj.bias", "input.bias"),
            ("conv1d.weight", "conv.weight"),
            ("conv1d.bias", "conv.bias"),
            ("dt_bias", "step_bias"),
            ("A_log", "decay_log"),
            ("D", "skip"),
            ("norm.weight", "norm.weight"),
            ("out_proj.weight", "output.weight"),
            ("out_proj.bias", "output.bias"),
        )
    ),
    TensorRule("backbone.norm_f.weight", ("stack.norm.weight",)),
    TensorRule("lm_head.weight", ("head.weight",)),
)

FAMILY = Family(
    model_type="mamba2",
    architecture="Mamba2ForCausalLM",
    config=CausalLMConfig,
    read=read,
    write=write,
    rules=RULES,
    base="backbone.",
    copies={"lm_head.weight": "backbone.embeddings.weight"},
)
