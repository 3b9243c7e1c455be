"""Drills: what breaks is broken here on purpose, on made-up material, to see what is lost.

Each drill is a check whose subject is the folder that it may use. What it says is ok where the work
was gone on with, or stopped with its reason, and nothing was lost that had been said to be saved.
"""

from collections.abc import Callable

from hornbook.workflows.doctor.diagnosis import Check, Diagnosis
from hornbook.workflows.doctor.subject import Subject

DRILLS: dict[str, Check] = {}
"""By name."""


def drill(
    name: str, title: str
) -> Callable[[Callable[[Subject], Diagnosis]], Callable[[Subject], Diagnosis]]:
    """Enter a function that breaks something and looks what was lost as a drill."""

    def enter(look: Callable[[Subject], Diagnosis]) -> Callable[[Subject], Diagnosis]:
        assert name not in DRILLS, name
        DRILLS[name] = Check(name, title, (), 1, look)
        return look

    return enter
