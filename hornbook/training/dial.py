"""One dial, minutes: everything else is derived from the text's size and this machine's speed.

Each choice carries its reason, and each can be overridden.
"""

import torch
from pydantic import PositiveInt

from hornbook.batches.batch import Batch
from hornbook.batches.masking import SHARE
from hornbook.core.config import Config
from hornbook.core.errors import UsageError, unknown
from hornbook.core.machine import Machine, sustained
from hornbook.models.model import ModelConfig
from hornbook.models.presets import MASKED_PRESETS, PRESETS
from hornbook.models.sizes import DecoderSizes
from hornbook.nn.attention import AttentionConfig
from hornbook.nn.contract import LayerConfig
from hornbook.nn.mlp import GatedMLPConfig, MLPConfig
from hornbook.nn.residual import ResidualConfig
from hornbook.training.choices import Choice, Choices
from hornbook.training.objective import next_token
from hornbook.training.precision import product_type
from hornbook.training.vocabulary import TextSize, for_script


class Plan(Config):
    """What a run is made of. rows: sequences a step. micro_rows: computed at once."""

    preset: str
    vocab: PositiveInt
    depth: PositiveInt
    width: PositiveInt
    heads: PositiveInt
    hidden: PositiveInt
    context: PositiveInt
    rows: PositiveInt
    micro_rows: PositiveInt

    def config(self, vocab: int) -> ModelConfig:
        """The model's config; `vocab` is the finished tokenizer's."""
        sizes = DecoderSizes(
            vocab=vocab,
            width=self.width,
            depth=self.depth,
            context=self.context,
            heads=self.heads,
            kv_heads=self.heads,
            head=self.width // self.heads,
            hidden=self.hidden,
            tied=PRESETS[self.preset].tied,
        )
        return PRESETS[self.preset](sizes)


class Wanted(Config):
    """The sizes that the user set; the rest is derived around them."""

    preset: str | None = None
    vocab: PositiveInt | None = None
    depth: PositiveInt | None = None
    width: PositiveInt | None = None
    heads: PositiveInt | None = None
    hidden: PositiveInt | None = None
    context: PositiveInt | None = None
    rows: PositiveInt | None = None
    micro_rows: PositiveInt | None = None


def sizes_of(config: ModelConfig, name: str) -> Wanted:
    """The sizes of a model that is there already, for `choose`; name: of its kind."""
    stacks = list(config.stacks().values())
    layers = [_inner(layer) for block in stacks[0].pattern for layer in block]
    heads = [layer.heads for layer in layers if isinstance(layer, AttentionConfig)]
    hidden = [layer.hidden for layer in layers if isinstance(layer, MLPConfig | GatedMLPConfig)]
    return Wanted(
        preset=name,
        vocab=config.vocab,
        depth=stacks[0].depth,
        width=config.width,
        heads=heads[0] if heads else 1,
        hidden=hidden[0] if hidden else config.width,
    )


# Depth and width of the models to choose from, small to large: width grows with depth, as the
# published families' small members do.
_LADDER = (
    (2, 128),
    (3, 192),
    (4, 256),
    (6, 320),
    (6, 384),
    (8, 448),
    (8, 512),
    (10, 640),
    (12, 768),
    (16, 1024),
    (20, 1280),
    (24, 1536),
)
HEAD = 64
"""Channels of a head, which the field's kernels are made for."""

# How many targets a parameter must get for the larger model to win (docs/log.md, dial).
_TARGETS_PER_PARAMETER = 0.6


def probe_speed(machine: Machine) -> float:
    """FLOP/s this machine reaches in real training steps of a small decoder (about 2 seconds)."""
    plan = Plan(
        preset="qwen3", vocab=4096, depth=2, width=256, heads=4, hidden=704,
        context=256, rows=8, micro_rows=8,
    )  # fmt: skip
    config = plan.config(plan.vocab)
    model = config.build().to(machine.device)
    tokens = torch.randint(plan.vocab, (plan.rows, plan.context), device=machine.device)
    batch = Batch(tokens, tokens, torch.arange(plan.context, device=machine.device)[None])

    def step() -> None:
        with product_type(machine.device, machine.dtype):
            loss, _ = next_token(model, batch)
        loss.backward()
        float(loss.detach())  # waits for a GPU to be done

    return plan.rows * plan.context * flops_per_token(config) / sustained(step)


def flops_per_token(config: ModelConfig) -> float:
    """Arithmetic of one training token: two a multiply-add, forward and twice backward.

    Counted are the weights that a token meets, and what its layers do between positions.
    """
    stacks = config.stacks().values()
    met = sum(stack.active(config.width) + stack.mixing(config.context) for stack in stacks)
    return 6 * (met + (config.vocab or 0) * config.width)


def _inner(layer: LayerConfig) -> LayerConfig:
    """The layer inside its residual rule."""
    return layer.layer if isinstance(layer, ResidualConfig) else layer


def choose(
    flops: float,
    machine: Machine,
    text: TextSize,
    seconds: float,
    wanted: Wanted,
    there: Wanted | None = None,
    longest: int | None = None,
    vocab: int | None = None,
) -> tuple[Plan, list[Choice]]:
    """Derive a plan for `seconds` of training at `flops` FLOP/s on a text.

    there, longest: sizes and context of a model that training goes on from. vocab: of a tokenizer
    that is given. Raises UsageError for an unknown preset, sizes that do not fit together, or a
    wish for other sizes than those that are there.
    """
    choices = Choices(wanted, there)
    pick = choices.pick
    preset = pick("preset", "qwen3", "rotary positions, normalised queries and keys, SwiGLU")
    if preset not in PRESETS and there is None:
        raise unknown("preset", str(preset), PRESETS)
    budget = flops * seconds
    if vocab is None:
        vocab = int(pick(*_vocab(text, budget)))
    else:
        choices.fix("vocab", vocab, "in the tokenizer that is given")
    context = pick(*_context(budget, longest, preset in MASKED_PRESETS))
    if longest is not None and context > longest:
        raise UsageError(f"The model to go on from sees {longest} tokens; {context} is too long.")
    shape = _shape(budget, preset, vocab, context) if there is None else (1, 1, "")
    pick("depth", shape[0], shape[2])
    width = pick("width", shape[1], shape[2])
    heads = pick(
        "heads", max(1, width // HEAD), f"{HEAD} channels each, which kernels are made for"
    )
    if there is None and (width % heads or (width // heads) % 2):
        raise UsageError(f"width {width} does not divide into {heads} heads of an even size.")
    pick("hidden", _hidden(preset, width), "as many weights as four times the width")
    rows = pick(*_rows(budget, context))
    pick("micro_rows", min(rows, _micro_rows(machine, context)), "keeps the step's memory small")
    return choices.plan(Plan), choices.made


def _vocab(text: TextSize, budget: float) -> tuple[str, int, str]:
    """A power of two: enough text for each token, a head that does not eat the budget, and a token
    for each character that the text is full of.
    """
    by_text = text.bytes / 500
    by_budget = 2048 * (budget / 1e13) ** 0.25
    vocab = max(1024, min(32768, 2 ** round(_log2(min(by_text, by_budget)))))
    reason = f"{text.bytes / 1e6:,.1f} MB of text is {text.bytes // vocab:,} bytes a token"
    return "vocab", *for_script(text, vocab, reason)


def _context(budget: float, longest: int | None, masked: bool) -> tuple[str, int, str]:
    context = 256 if budget < 3e14 else 512 if budget < 2e16 else 1024
    if masked and budget < 2e16:
        return (
            "context",
            min(128, longest or 128),
            "with short windows it learns to look around sooner",
        )
    if longest is not None and longest < context:
        return "context", longest, "the model to go on from sees no more"
    return "context", context, f"{budget:.1e} FLOP in the time given"


def _shape(budget: float, preset: str, vocab: int, context: int) -> tuple[int, int, str]:
    """The largest model of the ladder whose parameters still get enough targets to learn from."""
    best = (*_LADDER[0], "the smallest there is: the time is short")
    for depth, width in _LADDER:
        plan = Plan(
            preset=preset, vocab=vocab, depth=depth, width=width, heads=max(1, width // HEAD),
            hidden=_hidden(preset, width), context=context, rows=1, micro_rows=1,
        )  # fmt: skip
        config = plan.config(vocab)
        targets = budget / flops_per_token(config)
        if preset in MASKED_PRESETS:
            targets *= SHARE
        weights = sum(stack.active(width) for stack in config.stacks().values())
        if targets >= _TARGETS_PER_PARAMETER * weights:
            best = (
                depth,
                width,
                f"{targets / 1e6:,.1f} M targets for {weights / 1e6:,.1f} M weights that a token "
                "meets in its blocks",
            )
    return best


def _hidden(preset: str, width: int) -> int:
    """4 times the width for two matrices; 8/3, rounded up to 64, for three."""
    gated = preset not in PRESETS or PRESETS[preset].gated
    return -(-8 * width // (3 * 64)) * 64 if gated else 4 * width


def _rows(budget: float, context: int) -> tuple[str, int, str]:
    """Tokens a step grow slowly with the budget: more steps help first, smoother ones later."""
    tokens = 4096 if budget < 3e14 else 8192 if budget < 3e15 else 16384 * (1 + (budget > 1e17))
    return "rows", max(1, tokens // context), f"{tokens:,} tokens a step"


def _micro_rows(machine: Machine, context: int) -> int:
    return max(1, (65536 if machine.device == "cuda" else 4096) // context)


def _log2(value: float) -> float:
    return torch.tensor(max(1.0, value)).log2().item()
