"""What runs are measured by, for people."""

from typing import NamedTuple


class Measure(NamedTuple):
    """Names in English and Chinese, and how a value is written."""

    en: str
    zh: str
    style: str

    def text(self, value: float) -> str:
        return self.style.format(value)


MEASURES = {
    "bits_per_byte": Measure("bits per byte", "比特/字节", "{:.3f}"),
    "nats_per_token": Measure("nats a target token", "奈特/目标词元", "{:.3f}"),
    "error": Measure("share of images named wrongly", "认错图像的比例", "{:.1%}"),
}
"""By the names that forecasts and logs use. Lower is better in all."""
