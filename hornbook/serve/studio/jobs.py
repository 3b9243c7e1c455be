"""Commands that the studio begins: each a process of its own, which goes on without the studio.

All that is known of one lies in a folder: what was begun, what it says, and a lock that it holds as
long as it lives, however it ends. So a studio that starts anew knows as much as the one before.
"""

import contextlib
import datetime
import hashlib
import re
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode

from hornbook.core.errors import HornbookError, UsageError
from hornbook.core.files import place_errors, read_object, write_json
from hornbook.core.isolation import python, start_apart
from hornbook.core.json_text import parse_json
from hornbook.core.language import Language
from hornbook.serve.studio.alive import end_process, lock_of

HIDDEN = ".studio"
DRY_RUN = "--dry-run"
_NAME = re.compile(r"[^\W_][\w.-]{0,63}")
_LOG, _LOCK, _FACTS, _ANSWER = "log.txt", "lock", "job.json", "answer.json"
COMMANDS = "commands"
"""In the work folder, where what is begun by the form of a command writes its page."""
_RUNS = ("quickstart", "pretrain", "finetune")
_PAGES = {
    "index": "/ask?index={}", "pull": "/models", "export": "/models", "doctor": "/models",
    "compare": "/comparison?id={}", "corpus": "/corpora", "explain": "/understood?id={}",
    "biography": "/understood?id={}", "memorization": "/understood?id={}",
    "claims": "/understand/claims",
}  # fmt: skip
"""By the command's first word; that of any other is a run's."""
_OWN = {("index",), ("compare",), ("corpus", "build"), *((name,) for name in _RUNS)}
"""Commands that are followed by the place that they write, whoever began them."""
_TAIL = 32 * 2**10
"""Bytes of a log that are shown."""


def checked_name(name: str) -> str:
    """A name that is one folder's, whatever a form sends. Raises UsageError for any other."""
    if not _NAME.fullmatch(name) or name.endswith("."):
        raise UsageError(
            f"{name[:80]!r} is no name for a folder: take letters, digits, '-', '_' and '.', 64 at "
            "most, a letter or digit first."
        )
    return name


class BegunCommand(NamedTuple):
    """A command that was begun. out: the place in the work folder that it writes to. pid: of its
    process; started: when, ISO 8601; alive: whether it still runs."""

    name: str
    out: str
    command: list[str]
    pid: int
    started: str
    alive: bool

    def makes(self, place: str) -> bool:
        """Whether it writes to a place in the work folder."""
        return not self.foretells and (place == self.out or place.startswith(f"{self.out}/"))

    @property
    def foretells(self) -> bool:
        """Whether it only says what a run would be."""
        return DRY_RUN in self.command

    def memory(self) -> tuple[float, float] | None:
        """Bytes that its process takes now, and took at most; None where that is not told."""
        if not self.alive:
            return None
        try:
            lines = Path(f"/proc/{self.pid}/status").read_text().split("\n")
        except OSError:  # it has just ended, or the system has no such files
            return None
        found = dict(line.split(":", 1) for line in lines if line.startswith(("VmRSS", "VmHWM")))
        sizes = [
            1024.0 * int(found[name].split()[0]) for name in ("VmRSS", "VmHWM") if name in found
        ]
        return (sizes[0], sizes[1]) if len(sizes) == 2 else None


def _job_name(out: str) -> str:
    """What a command is known by that writes to a place, whoever made and named that."""
    name = out.replace("/", ".")
    if _NAME.fullmatch(name) and not name.endswith("."):
        return name
    mark = hashlib.sha256(out.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    return f"place-{mark}"


def makes_run(job: BegunCommand) -> bool:
    """Whether what a command makes is a run."""
    return not job.command or job.command[0] in _RUNS


def own_page(words: Sequence[str]) -> bool:
    """Whether a command is followed on a page of its own, by the place that it writes."""
    return tuple(words) in _OWN


def page_of(job: BegunCommand) -> str:
    """The page on which a command is followed."""
    if job.out.startswith(f"{COMMANDS}/"):
        return f"/command?{urlencode({'id': job.out})}"
    pattern = _PAGES.get(job.command[0] if job.command else "", "/run?id={}")
    return pattern.format(urlencode({"": job.out})[1:])


class Jobs:
    """The commands begun for one work folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / HIDDEN
        self._one = threading.Lock()
        self._ended: dict[str, tuple[int, BegunCommand]] = {}

    def begin(
        self, out: str, command: Sequence[str], language: Language = "en", answers: bool = False
    ) -> BegunCommand:
        """Start `hornbook` with a command. out: the place in the work folder that it writes to.
        answers: the command has `--json`, and what it prints is kept for `answer`.

        Raises UsageError where the last one of this place still runs.
        """
        name = _job_name(out)
        place = self._folder / name
        with contextlib.ExitStack() as stack:
            stack.enter_context(place_errors(place))
            place.mkdir(parents=True, exist_ok=True)
            lock = stack.enter_context(self._lock(place))
            if lock is None:
                raise UsageError(f"{out} is still being made; stop that first.")
            with (
                (place / _LOG).open("wb") as log,
                (place / _ANSWER).open("wb") as answer,
            ):
                full = python("hornbook", "--language", language, *command)
                pid = start_apart(full, log, lock, answer if answers else None)
            started = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
            facts = {"out": out, "command": [*command], "pid": pid, "started": started}
            try:
                write_json(place / _FACTS, facts)
            except BaseException:  # as of a full disk: nobody would know of the process
                end_process(pid, at_once=True)
                raise
        return BegunCommand(name, out, [*command], pid, started, True)

    def find(self, name: str) -> BegunCommand | None:
        """The last command of a name."""
        place = self._folder / name
        if not _NAME.fullmatch(name):
            return None
        try:
            changed = (place / _FACTS).stat().st_mtime_ns
            before = self._ended.get(name)
            if before and before[0] == changed:  # what has ended begins only with other facts
                return before[1]
            facts = read_object(place / _FACTS)
            with self._lock(place) as lock:
                alive = lock is None
            found = BegunCommand(
                name, facts["out"], facts["command"], facts["pid"], facts["started"], alive
            )
        except (HornbookError, KeyError, OSError):
            return None
        if not alive:
            self._ended[name] = changed, found
        return found

    def all(self) -> list[BegunCommand]:
        """Of every name."""
        try:
            names = sorted(place.name for place in self._folder.iterdir())
        except OSError:  # nothing was begun, or all of it was deleted
            return []
        return [job for name in names if (job := self.find(name)) is not None]

    def making(self, place: str) -> BegunCommand | None:
        """The command that makes a place, or made it last."""
        found = [job for job in self.all() if job.makes(place)]
        return max(found, key=lambda job: (job.alive, job.started), default=None)

    def stop(self, name: str) -> bool:
        """Ask one to save and end. False where none runs."""
        job = self.find(name)
        if job is None or not job.alive:
            return False
        end_process(job.pid)
        return True

    def end(self, name: str, most_s: float) -> None:
        """Stop one and wait for its end. Raises UsageError where it takes longer than `most_s`."""
        until = time.monotonic() + most_s
        while self.stop(name):
            if time.monotonic() > until:
                raise UsageError(f"{name} is still ending; ask again.")
            time.sleep(0.1)

    def said(self, name: str) -> list[str]:
        """The last lines that it said."""
        path = self._folder / name / _LOG
        if not path.is_file():
            return []
        with path.open("rb") as log:
            log.seek(max(0, path.stat().st_size - _TAIL))
            text = log.read().decode("utf-8", "replace")
        return [line.rstrip() for line in text.split("\n") if line.strip()]

    def answer(self, name: str) -> dict[str, Any] | None:
        """The object that one printed at its end, or None: {error, exit_code} where it failed."""
        try:
            printed = (self._folder / name / _ANSWER).read_text(encoding="utf-8").strip()
            found = parse_json(printed.rpartition("\n")[2])
        except (OSError, ValueError):
            return None
        return found if isinstance(found, dict) else None

    def mark(self, name: str) -> int:
        """Changes whenever something new was said."""
        try:
            return (self._folder / name / _LOG).stat().st_size
        except OSError:
            return 0

    @contextlib.contextmanager
    def _lock(self, place: Path) -> Iterator[int | None]:
        """As `lock_of`, of the command that was begun last."""
        noted = _noted(place)
        with (
            self._one,
            lock_of(place / _LOCK, noted) as lock,
        ):  # or two threads would see each other
            yield lock


def _noted(place: Path) -> dict[str, Any]:
    try:
        return read_object(place / _FACTS)
    except HornbookError:
        return {}
