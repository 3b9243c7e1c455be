"""What a check finds, and the registry of checks: one small function each, in `checks`."""

from collections.abc import Callable
from typing import Literal, NamedTuple

from hornbook.workflows.doctor.subject import Subject

Status = Literal["ok", "warning", "fault", "not applicable"]


class Finding(NamedTuple):
    """What was found, and what to do about it, in a sentence each."""

    status: Status
    found: str
    advice: str = ""


def sound(found: str) -> Finding:
    """Nothing to do."""
    return Finding("ok", found)


def doubtful(found: str, advice: str) -> Finding:
    """Worth a look; nothing is wrong for certain."""
    return Finding("warning", found, advice)


def faulty(found: str, advice: str) -> Finding:
    """Wrong: what is trained or served is not what was meant."""
    return Finding("fault", found, advice)


def beside_the_point(why: str) -> Finding:
    """There is nothing here that could have this fault."""
    return Finding("not applicable", why)


class Check(NamedTuple):
    """name: in JSON. title: for people. needs: attributes of a subject, without which there is
    nothing to look at. turn: when it is made; what takes long comes last."""

    name: str
    title: str
    needs: tuple[str, ...]
    turn: int
    look: Callable[[Subject], Finding]


CHECKS: dict[str, Check] = {}
"""By name."""


def check(
    name: str, title: str, *needs: str, turn: int = 1
) -> Callable[[Callable[[Subject], Finding]], Callable[[Subject], Finding]]:
    """Enter a function that looks at a subject as a check."""

    def enter(look: Callable[[Subject], Finding]) -> Callable[[Subject], Finding]:
        assert name not in CHECKS, name
        CHECKS[name] = Check(name, title, needs, turn, look)
        return look

    return enter
