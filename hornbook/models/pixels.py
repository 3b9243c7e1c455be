"""How a model wants its images: side, mean and deviation, in the file that `transformers` reads."""

from pathlib import Path
from typing import Any

from hornbook.core.config import Config
from hornbook.core.errors import HornbookError
from hornbook.core.files import read_json

PREPROCESSOR = "preprocessor_config.json"
_BILINEAR = 2  # Pillow's number


class PixelsConfig(Config):
    """Images are stretched to `size` pixels a side, and each colour is (x / 255 - mean) / std."""

    size: int
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def to_hf(self) -> dict[str, Any]:
        """The file's content; goes `beside` a model that is saved."""
        return {
            "image_processor_type": "ViTImageProcessor",
            "do_resize": True,
            "size": {"height": self.size, "width": self.size},
            "resample": _BILINEAR,
            "do_rescale": True,
            "rescale_factor": 1 / 255,
            "do_normalize": True,
            "image_mean": list(self.mean),
            "image_std": list(self.std),
        }


def load_pixels(folder: Path) -> PixelsConfig:
    """Read the file in a model folder; raises HornbookError for what we would do otherwise."""
    path = folder / PREPROCESSOR
    values = read_json(path)
    try:
        side = values["size"]
        height, width = (side, side) if isinstance(side, int) else (side["height"], side["width"])
        mean, std = tuple(values["image_mean"]), tuple(values["image_std"])
        steps = [values.get(f"do_{step}", True) for step in ("resize", "rescale", "normalize")]
        plain = steps == [True] * 3 and not values.get("do_center_crop")
        scale = values.get("rescale_factor", 1 / 255)
    except (AttributeError, KeyError, TypeError) as error:
        raise HornbookError(f"{path} does not say how images are prepared: {error!r}.") from None
    if not plain or height != width or abs(scale * 255 - 1) > 1e-6 or len(mean) != len(std):
        raise HornbookError(
            f"{path} prepares images otherwise than by stretching to a square, dividing by 255 "
            "and normalising each colour."
        )
    return PixelsConfig(size=height, mean=mean, std=std)
