"""The dial of translators: sizes from the minutes, the pairs and this machine's speed."""

import math

from pydantic import Field, PositiveInt

from hornbook.core.config import Config
from hornbook.core.errors import UsageError
from hornbook.models.seq2seq import Seq2SeqConfig
from hornbook.models.translators import TRANSLATORS, PairSizes, SideSizes
from hornbook.training.choices import Choice, Choices
from hornbook.training.dial import HEAD
from hornbook.training.vocabulary import TextSize, for_script


class PairPlan(Config):
    """Sizes of the model, of its tokenizer and of a step.

    vocab: tokens of the tokenizer; the model has one more, which starts a target. depth: of the
    encoder and of the decoder. tokens: of a step, both sides and their padding. dropout, smoothing:
    shares of channels and of targets.
    """

    vocab: PositiveInt
    depth: PositiveInt
    width: PositiveInt
    heads: PositiveInt
    hidden: PositiveInt
    context: PositiveInt
    tokens: PositiveInt
    dropout: float = Field(ge=0.0, lt=1.0)
    smoothing: float = Field(ge=0.0, lt=1.0)

    def config(self, family: str, vocab: int) -> Seq2SeqConfig:
        """The model's config; `vocab` is the finished tokenizer's."""
        side = SideSizes(depth=self.depth, heads=self.heads, hidden=self.hidden)
        sizes = PairSizes(
            vocab=vocab + 1,
            width=self.width,
            context=self.context,
            encoder=side,
            decoder=side,
            start=vocab,
            dropout=self.dropout,
        )
        return TRANSLATORS[family](sizes)


class WantedPairs(Config):
    """The sizes that the user set; the rest is derived around them."""

    vocab: PositiveInt | None = None
    depth: PositiveInt | None = None
    width: PositiveInt | None = None
    heads: PositiveInt | None = None
    hidden: PositiveInt | None = None
    context: PositiveInt | None = None
    tokens: PositiveInt | None = None
    dropout: float | None = Field(default=None, ge=0.0, lt=1.0)
    smoothing: float | None = Field(default=None, ge=0.0, lt=1.0)


# Blocks a side and width, small to large; the last is the base model of Vaswani et al. 2017.
_LADDER = ((2, 128), (2, 192), (3, 256), (4, 384), (6, 512))
# How many tokens a parameter must get, and how many bytes of text there must be for it
# (docs/log.md, "dial of translators").
_TOKENS_PER_PARAMETER, _BYTES_PER_PARAMETER = 1.5, 0.7


def choose_pairs(
    family: str, flops: float, text: TextSize, seconds: float, wanted: WantedPairs
) -> tuple[PairPlan, list[Choice]]:
    """Derive a plan for `seconds` of training at `flops` FLOP/s.

    text: both sides of the pairs. Raises UsageError for sizes that do not fit together.
    """
    choices, budget = Choices(wanted), flops * seconds
    pick = choices.pick
    vocab = pick("vocab", *_vocab(text))
    depth, width, reason = _shape(family, budget, text.bytes, vocab)
    pick("depth", depth, reason)
    width = pick("width", width, reason)
    heads = pick("heads", max(1, width // HEAD), f"{HEAD} channels each")
    if width % heads:
        raise UsageError(f"width {width} is not divided by heads {heads}.")
    pick("hidden", 2 * width, "twice the width: enough for text of this size")
    pick("context", 128, "sentences, not documents")
    tokens = 4096 if budget < _SHORT else 8192
    pick("tokens", tokens, "of a step: a short run needs many small ones first")
    pick("dropout", 0.15, "pairs are few and seen many times")
    pick("smoothing", 0.1, "as Vaswani et al. 2017")
    return choices.plan(PairPlan), choices.made


_SHORT = 1e14
"""FLOP below which a run is short."""


def _vocab(text: TextSize) -> tuple[int, str]:
    """Tokens that are seen often enough, one less than a power of two: a start comes to them."""
    vocab = max(1024, min(32768, 2 ** round(math.log2(max(text.bytes / 1000, 1.0)))))
    vocab, reason = for_script(text, vocab, f"{text.bytes / 1e6:,.1f} MB of text, both sides")
    return vocab - 1, reason


def _shape(family: str, budget: float, text_bytes: int, vocab: int) -> tuple[int, int, str]:
    """The largest model of the ladder that gets enough tokens and has enough text."""
    best = (*_LADDER[0], "the smallest there is: time or text is short")
    for depth, width in _LADDER:
        plan = PairPlan(
            vocab=vocab, depth=depth, width=width, heads=max(1, width // HEAD), hidden=2 * width,
            context=128, tokens=4096, dropout=0.0, smoothing=0.0,
        )  # fmt: skip
        weights = plan.config(family, vocab).parameters()
        # A token is of one side, and meets about half of the weights: forward and backward.
        tokens = budget / (6 * weights / 2)
        enough = tokens >= _TOKENS_PER_PARAMETER * weights
        if enough and text_bytes >= _BYTES_PER_PARAMETER * weights:
            best = (
                depth,
                width,
                f"{tokens / 1e6:,.1f} M tokens and {text_bytes / 1e6:,.1f} MB for "
                f"{weights / 1e6:,.1f} M weights",
            )
    return best
