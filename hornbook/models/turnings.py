"""Rotary positions as the kernels read them; imports no torch."""

from hornbook.kernels.quantised import Turning
from hornbook.nn.frequencies import RotaryConfig


def turning(rotary: RotaryConfig, head: int) -> Turning:
    """Of heads of `head` channels."""
    near = rotary.switches_at()
    if near is None:
        return Turning(rotary.frequencies(head), rotary.amplitude)
    far = rotary.frequencies(head, near + 1)
    return Turning(rotary.frequencies(head), rotary.amplitude, far, near)
