"""One dial, minutes: everything else is derived from the text's size and this machine's speed.

Each choice carries its reason, and each can be overridden. Knows arithmetic per token of decoders;
knows nothing of files or tokenizers.
"""

from typing import Any, NamedTuple

import torch
from pydantic import PositiveInt

from hornbook.batches.batch import Batch
from hornbook.core.config import Config
from hornbook.core.errors import UsageError, unknown
from hornbook.core.machine import Machine, fastest
from hornbook.models.presets import PRESETS, Sizes
from hornbook.train.objective import next_token
from hornbook.train.precision import product_type


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

    def sizes(self, vocab: int) -> Sizes:
        """What the preset asks for; `vocab` is the finished tokenizer's."""
        return Sizes(
            vocab=vocab,
            width=self.width,
            depth=self.depth,
            context=self.context,
            heads=self.heads,
            kv_heads=self.heads,
            head=self.width // self.heads,
            hidden=self.hidden,
            tied=self.preset == "gpt2",
        )


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


class Choice(NamedTuple):
    """One derived value, for people."""

    name: str
    value: object
    reason: str


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

# How many training tokens a parameter must get for the larger model to win (docs/log.md, dial).
_TOKENS_PER_PARAMETER = 0.6
# English bytes a token of a small vocabulary; replaced by the measured figure once there is one.
_BYTES_PER_TOKEN = 3.6


def probe_speed(machine: Machine) -> float:
    """FLOP/s this machine reaches in real training steps of a small decoder (about 2 seconds)."""
    plan = Plan(
        preset="qwen3", vocab=4096, depth=2, width=256, heads=4, hidden=704,
        context=256, rows=8, micro_rows=8,
    )  # fmt: skip
    model = PRESETS[plan.preset](plan.sizes(plan.vocab)).build().to(machine.device)
    tokens = torch.randint(plan.vocab, (plan.rows, plan.context), device=machine.device)
    batch = Batch(tokens, tokens, torch.arange(plan.context, device=machine.device)[None])

    def step() -> None:
        with product_type(machine.device, machine.dtype):
            loss, _ = next_token(model, batch)
        loss.backward()
        float(loss.detach())  # waits for a GPU to be done

    return plan.rows * plan.context * flops_per_token(plan, plan.vocab) / fastest(step, tries=3)


def flops_per_token(plan: Plan, vocab: int) -> float:
    """Arithmetic of one training token, forward and backward (6 a weight, plus attention)."""
    attention = 4 * plan.width**2
    mlp = (2 if plan.preset == "gpt2" else 3) * plan.width * plan.hidden
    weights = plan.depth * (attention + mlp) + vocab * plan.width
    # Scores and mixing, causal: half of context keys on average, forward and twice backward.
    return 6 * weights + 6 * plan.depth * plan.width * plan.context


def choose(
    flops: float, machine: Machine, text_bytes: int, seconds: float, wanted: Wanted
) -> tuple[Plan, list[Choice]]:
    """Derive a plan for `seconds` of training at `flops` FLOP/s on `text_bytes` of text.

    Raises UsageError for an unknown preset or sizes that do not fit together.
    """
    choices: list[Choice] = []

    def pick(name: str, value: Any, reason: str) -> Any:
        given = getattr(wanted, name)
        choices.append(
            Choice(name, value, reason) if given is None else Choice(name, given, "you set it")
        )
        return choices[-1].value

    preset = pick("preset", "qwen3", "rotary positions, normalised queries and keys, SwiGLU")
    if preset not in PRESETS:
        raise unknown("preset", str(preset), PRESETS)
    budget = flops * seconds
    vocab = pick(*_vocab(text_bytes, budget))
    context = pick(*_context(seconds, flops))
    depth, width, reason = _shape(budget, vocab, context)
    depth, width = pick("depth", depth, reason), pick("width", width, reason)
    heads = pick(
        "heads", max(1, width // HEAD), f"{HEAD} channels each, which kernels are made for"
    )
    if width % heads or (width // heads) % 2:
        raise UsageError(f"width {width} does not divide into {heads} heads of an even size.")
    pick("hidden", _hidden(preset, width), "as many weights as four times the width")
    rows = pick(*_rows(budget, context))
    pick("micro_rows", min(rows, _micro_rows(machine, context)), "keeps the step's memory small")
    return Plan.parse({choice.name: choice.value for choice in choices}, "the plan"), choices


def _vocab(text_bytes: int, budget: float) -> tuple[str, int, str]:
    """A power of two: enough text for each token, and a head that does not eat the budget."""
    by_text = text_bytes / 500
    by_budget = 2048 * (budget / 1e13) ** 0.25
    vocab = max(1024, min(32768, 2 ** round(_log2(min(by_text, by_budget)))))
    return (
        "vocab",
        vocab,
        f"{text_bytes / 1e6:,.1f} MB of text is {text_bytes // vocab:,} bytes a token",
    )


def _context(seconds: float, flops: float) -> tuple[str, int, str]:
    budget = flops * seconds
    context = 256 if budget < 3e14 else 512 if budget < 2e16 else 1024
    return "context", context, f"{budget:.1e} FLOP in the time given"


def _shape(budget: float, vocab: int, context: int) -> tuple[int, int, str]:
    """The largest model of the ladder whose parameters still get enough tokens."""
    best = (*_LADDER[0], "the smallest there is: the time is short")
    for depth, width in _LADDER:
        plan = Plan(
            preset="qwen3", vocab=vocab, depth=depth, width=width, heads=1,
            hidden=_hidden("qwen3", width), context=context, rows=1, micro_rows=1,
        )  # fmt: skip
        tokens = budget / flops_per_token(plan, vocab)
        weights = depth * (4 * width**2 + 3 * width * plan.hidden)
        if tokens >= _TOKENS_PER_PARAMETER * weights:
            best = (
                depth,
                width,
                f"{tokens / 1e6:,.1f} M tokens for {weights / 1e6:,.1f} M weights",
            )
    return best


def _hidden(preset: str, width: int) -> int:
    """4 times the width for two matrices; 8/3, rounded up to 64, for three."""
    return 4 * width if preset == "gpt2" else -(-8 * width // (3 * 64)) * 64


def _rows(budget: float, context: int) -> tuple[str, int, str]:
    """Tokens a step grow slowly with the budget: more steps help first, smoother ones later."""
    tokens = 4096 if budget < 3e14 else 8192 if budget < 3e15 else 16384 * (1 + (budget > 1e17))
    return "rows", max(1, tokens // context), f"{tokens:,} tokens a step"


def _micro_rows(machine: Machine, context: int) -> int:
    return max(1, (65536 if machine.device == "cuda" else 4096) // context)


def _log2(value: float) -> float:
    return torch.tensor(max(1.0, value)).log2().item()
