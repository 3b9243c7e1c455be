"""The dial of image models: sizes from the minutes, the images and this machine's speed."""

from collections.abc import Sequence

from pydantic import PositiveInt

from hornbook.core.config import Config
from hornbook.core.errors import UsageError
from hornbook.models.classifier import ClassifierConfig
from hornbook.models.encoder_presets import ViTSizes, vit
from hornbook.training.choices import Choice, Choices


class ImagePlan(Config):
    """Sizes of the model and of a step. patch: pixels a side. rows: images a step."""

    patch: PositiveInt
    depth: PositiveInt
    width: PositiveInt
    heads: PositiveInt
    hidden: PositiveInt
    rows: PositiveInt

    def config(self, size: int, channels: int, labels: Sequence[str]) -> ClassifierConfig:
        """The model's config for square images of `size` pixels a side and `channels` colours."""
        sizes = ViTSizes(
            size=size,
            patch=self.patch,
            channels=channels,
            width=self.width,
            depth=self.depth,
            heads=self.heads,
            hidden=self.hidden,
        )
        return vit(sizes, labels)


class WantedImages(Config):
    """The sizes that the user set; the rest is derived around them."""

    patch: PositiveInt | None = None
    depth: PositiveInt | None = None
    width: PositiveInt | None = None
    heads: PositiveInt | None = None
    hidden: PositiveInt | None = None
    rows: PositiveInt | None = None


# Blocks and width, small to large; the last two are the small and the base model of the field.
_LADDER = ((4, 64), (4, 96), (6, 128), (8, 192), (12, 384), (12, 768))
_HEAD = 32
"""Channels of a head: images of a few patches need no more."""
# How many patches a parameter must get for the larger model to win (docs/log.md, "dial of images").
_PATCHES_PER_PARAMETER = 20.0
_SIDE = 8
"""Patches a side of a small image: 49 or 64 of them show what is there, and cost little."""


def choose_images(
    flops: float, shape: tuple[int, int, int], seconds: float, wanted: WantedImages
) -> tuple[ImagePlan, list[Choice]]:
    """Derive a plan for `seconds` of training at `flops` FLOP/s.

    shape: height, width and colours of the images. Raises UsageError for sizes that do not fit.
    """
    size, other, channels = shape
    choices, budget = Choices(wanted), flops * seconds
    pick = choices.pick
    best = next(p for p in range(1, size + 1) if size % p == 0 and size // p <= _SIDE)
    patch = pick("patch", best, f"{size // best} x {size // best} patches of an image")
    if size != other or size % patch:
        raise UsageError(f"Images of {size} x {other} pixels do not divide into {patch}s.")
    depth, width, reason = _shape(budget, size, channels, patch)
    pick("depth", depth, reason)
    width = pick("width", width, reason)
    heads = pick("heads", max(1, width // _HEAD), f"{_HEAD} channels each")
    if width % heads:
        raise UsageError(f"width {width} is not divided by heads {heads}.")
    pick("hidden", 2 * width, "twice the width")
    pick("rows", 128, "images a step")
    return choices.plan(ImagePlan), choices.made


def _shape(budget: float, size: int, channels: int, patch: int) -> tuple[int, int, str]:
    """The largest model of the ladder whose parameters still get enough patches."""
    best = (*_LADDER[0], "the smallest there is: the time is short")
    for depth, width in _LADDER:
        plan = ImagePlan(
            patch=patch, depth=depth, width=width, heads=width // _HEAD, hidden=2 * width, rows=1
        )
        config = plan.config(size, channels, ("one", "other"))
        weights = config.parameters()
        patches = budget / (6 * (weights + config.stack.depth * config.context * width))
        if patches >= _PATCHES_PER_PARAMETER * weights:
            images = patches / config.context
            best = (depth, width, f"{images / 1e3:,.0f} thousand images for {weights:,} weights")
    return best
