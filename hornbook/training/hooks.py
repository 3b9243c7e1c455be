"""What happens once in a while in training: log, evaluate, sample, checkpoint, stop on request.

Each hook is called after every step and decides for itself.
"""

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from hornbook.core.errors import Interrupted
from hornbook.core.metrics import MetricsLog
from hornbook.core.ranks import world
from hornbook.core.signals import STOPPING
from hornbook.training.loop import Hook
from hornbook.training.schedule import last_step
from hornbook.training.state import TrainState


def every(steps: int, last: int, work: Hook) -> Hook:
    """Do `work` after each `steps` steps and after step `last`, or where the run was cut to end."""

    def hook(state: TrainState) -> None:
        if state.step % steps == 0 or state.step == last_step(last, state.cuts):
            work(state)

    return hook


def log_to(metrics: MetricsLog) -> Hook:
    """Write one row of training figures."""

    def hook(state: TrainState) -> None:
        metrics.append(
            state.step,
            kind="train",
            tokens=state.tokens,
            loss=state.loss,
            gradient_norm=state.gradient_norm,
            elapsed_s=round(state.elapsed_s, 3),
        )

    return hook


def record(
    metrics: MetricsLog, kind: str, measure: Callable[[TrainState], dict[str, Any] | None]
) -> Hook:
    """Write what `measure` finds as one row of `kind`; nothing where it finds None."""

    def hook(state: TrainState) -> None:
        if (found := measure(state)) is not None:
            elapsed_s = round(state.elapsed_s, 3)
            metrics.append(state.step, kind=kind, tokens=state.tokens, **found, elapsed_s=elapsed_s)

    return hook


def remarked(show: Callable[[], dict[str, Any] | None]) -> dict[str, Any] | None:
    """What shows a model at work, or a remark why it could not: no training ends because of it."""
    try:
        return show()
    except Exception as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        return {"prompt": "", "text": "", "remark": f"no sample: {reason[:200]}"}


_PASSED_ON_S = 2.0
"""Within which a launcher passes on what the terminal has sent already."""


class StopRequest:
    """Set by Ctrl-C (SIGINT) or SIGTERM; read between steps."""

    def __init__(self) -> None:
        self.signal: int | None = None
        self._at = 0.0

    @contextmanager
    def listening(self) -> Iterator["StopRequest"]:
        """While inside, a first signal asks to stop and a second one stops at once."""
        if threading.current_thread() is not threading.main_thread():
            yield self
            return
        before = {kind: signal.signal(kind, self._note) for kind in STOPPING}
        try:
            yield self
        finally:
            for kind, handler in before.items():
                signal.signal(kind, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if self.signal is None:
            self.signal, self._at = number, now
        elif world() == 1 or now - self._at > _PASSED_ON_S:
            raise KeyboardInterrupt


def stop_when(request: StopRequest, save: Hook, resume: str) -> Hook:
    """On request, save and leave. resume: the command that goes on, for the message."""

    def hook(state: TrainState) -> None:
        if request.signal is not None:
            save(state)
            raise Interrupted(
                f"Stopped at step {state.step}; all of it is saved. Go on with: {resume}",
                request.signal,
            )

    return hook
