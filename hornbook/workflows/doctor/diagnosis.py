"""What a check finds, and the registry of checks: one small function each, in `checks`."""

import importlib
import pkgutil
from collections.abc import Callable
from types import ModuleType
from typing import Literal, NamedTuple

from hornbook.workflows.doctor.subject import Subject

Status = Literal["ok", "warning", "fault", "not applicable"]


class Diagnosis(NamedTuple):
    """What was found, and what to do about it, in a sentence each."""

    status: Status
    found: str
    advice: str = ""


def sound(found: str) -> Diagnosis:
    """Nothing to do."""
    return Diagnosis("ok", found)


def doubtful(found: str, advice: str) -> Diagnosis:
    """Worth a look; nothing is wrong for certain."""
    return Diagnosis("warning", found, advice)


def faulty(found: str, advice: str) -> Diagnosis:
    """Wrong: what is trained or served is not what was meant."""
    return Diagnosis("fault", found, advice)


def beside_the_point(why: str) -> Diagnosis:
    """There is nothing here that could have this fault."""
    return Diagnosis("not applicable", why)


class Check(NamedTuple):
    """name: in JSON. title: for people. needs: attributes of a subject, without which there is
    nothing to look at. turn: when it is made; what takes long comes last."""

    name: str
    title: str
    needs: tuple[str, ...]
    turn: int
    look: Callable[[Subject], Diagnosis]


CHECKS: dict[str, Check] = {}
"""By name."""


def check(
    name: str, title: str, *needs: str, turn: int = 1
) -> Callable[[Callable[[Subject], Diagnosis]], Callable[[Subject], Diagnosis]]:
    """Enter a function that looks at a subject as a check."""

    def enter(look: Callable[[Subject], Diagnosis]) -> Callable[[Subject], Diagnosis]:
        assert name not in CHECKS, name
        CHECKS[name] = Check(name, title, needs, turn, look)
        return look

    return enter


def load_all(package: ModuleType) -> None:
    """Import every module of a package, so that what is in it enters itself into its registry."""
    for module in sorted(pkgutil.iter_modules(package.__path__), key=lambda one: one.name):
        importlib.import_module(f"{package.__name__}.{module.name}")
