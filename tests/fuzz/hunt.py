"""Mutants of valid files, opened in processes of their own: each must open or be refused.

A format is a `Format` in a dictionary `FORMATS` of a test module in this folder. To add one, write
`tests/fuzz/test_<kind>.py` as `test_models.py` is written: `prepare` writes small valid files,
`mutators` name what is done to their bytes (`mutate.py` has the common ones), `use` does what a
user does with the file, and one test calls `hunt` for each of `FORMATS`. Nothing else has to know
of it.

A child gets the numbers of mutants, one at a time; a mutant follows from (seed, number) alone. What
is neither success nor a `HornbookError` is a finding: a traceback, a crash, more than `DEADLINE_S`
of processor time (or, by the clock, no end after twelve times that), more than `MEMORY`, a
file written or left outside the child's folder. Findings are kept in `findings/` with the mutated
bytes; `test_findings.py`, in the fast set, opens them all again.

    make test-fuzz                          all formats, as many mutants as each says
    HORNBOOK_FUZZ_MUTANTS=500 HORNBOOK_FUZZ_SEED=7 make test-fuzz

With HORNBOOK_FUZZ_RECORD=FILE each format adds a line of JSON to the file when it is through: how
many mutants were opened, refused and found, by seed.
"""

import contextlib
import dataclasses
import hashlib
import importlib
import json
import os
import random
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

DEADLINE_S = 10
"""Of processor time, that of the processes that it reads in included: load decides nothing."""
MEMORY = 2**31
"""Bytes that a mutant may take beside what the program takes anyway."""
ROOT = Path(__file__).parents[2]
FINDINGS = Path(__file__).parent / "findings"
_ALIKE = 3
"""Findings of one kind that are kept."""
_LARGEST = 2**20
"""Bytes of a finding that is kept."""
_START_S = 120
_LIST, _STDERR, _TEMPORARY = "FILES", "STDERR", "TEMPORARY"
_TICKS = os.sysconf("SC_CLK_TCK")

Mutator = Callable[[bytes, random.Random], bytes]


@dataclasses.dataclass(frozen=True)
class Format:
    """prepare: writes valid inputs into an empty folder, and returns the files to mutate; what
    stands beside them stays as it is. use: what a user does with a mutated file. mutants: how many
    a whole hunt tries. guided: `use` in the process itself, where coverage is seen, if it is not.
    """

    prepare: Callable[[Path], list[Path]]
    mutators: Mapping[str, Mutator]
    use: Callable[[Path], object]
    mutants: int = 5000
    guided: Callable[[Path], object] | None = None

    def mutant(self, files: list[Path], seed: int, number: int) -> tuple[Path, str, bytes]:
        """The file it takes the place of, the mutator's name, and its bytes."""
        rng = random.Random(f"{seed} {number}")
        file, name = rng.choice(files), rng.choice(sorted(self.mutators))
        return file, name, self.mutators[name](file.read_bytes(), rng)


class Child:
    """A process that tries mutants one at a time, on a copy of the valid files."""

    def __init__(self, module: str, name: str, inputs: Path, seed: int) -> None:
        self.work = inputs.with_name(f"{inputs.name}-{os.getpid()}-{id(self)}")
        shutil.copytree(inputs, self.work)
        (self.work / _TEMPORARY).mkdir()
        self.alive = True
        command = [sys.executable, "-m", "tests.fuzz.child", module, name, self.work, seed]
        with (self.work / _STDERR).open("wb") as stderr:
            self._process = subprocess.Popen(
                list(map(str, command)),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
                bufsize=1,
                cwd=ROOT,
                env=os.environ
                | {
                    "PYTHONPATH": str(ROOT),  # safe paths leave the folder out
                    "PYTHONDONTWRITEBYTECODE": "1",
                    "TMPDIR": str(self.work / _TEMPORARY),
                },
            )
        started = self._answer(_START_S)
        assert started == {"ready": True}, f"the valid files of {name} are not opened: {started}"

    def ask(self, question: object, seconds: float = DEADLINE_S) -> dict[str, str]:
        """The verdict on a mutant, by its number or by {"file", "bytes"}; dead after a crash."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        return self._answer(seconds)

    def end(self) -> None:
        if not self.alive:
            return
        self.alive = False
        self._process.kill()
        with contextlib.suppress(BrokenPipeError):
            self._process.communicate()
        shutil.rmtree(self.work, ignore_errors=True)

    def _answer(self, seconds: float) -> dict[str, str]:
        stdout = self._process.stdout
        assert stdout is not None
        began, until = processor_s(self._process.pid), time.monotonic() + 12 * seconds
        while not select.select([stdout], [], [], seconds)[0]:
            used = processor_s(self._process.pid) - began
            if used > seconds or time.monotonic() > until:
                self.end()
                return {"verdict": "hang", "detail": f"no end after {seconds} s"}
        line = stdout.readline()
        if not line:
            code, said = self._process.wait(), (self.work / _STDERR).read_text(errors="replace")
            self.end()
            last = next(reversed(said.strip().splitlines()), "")
            return {"verdict": "crash", "detail": f"exit code {code} {last[:200]}"}
        return json.loads(line)


def processor_s(process: int) -> float:
    """Seconds that a process and those that it started have computed until now, each of those that
    have ended included."""
    total = 0.0
    with contextlib.suppress(OSError):
        stat = Path(f"/proc/{process}/stat").read_text("ascii", errors="replace")
        total = sum(map(int, stat.rpartition(")")[2].split()[11:15])) / _TICKS
        for task in Path(f"/proc/{process}/task").iterdir():
            children = (task / "children").read_text("ascii").split()
            total += sum(map(processor_s, map(int, children)))
    return total


def verdicts(
    module: str, name: str, inputs: Path, seed: int, numbers: Iterator[int] | range
) -> Iterator[tuple[int, dict[str, str]]]:
    """The verdict on each mutant; a child that dies is replaced."""
    child = Child(module, name, inputs, seed)
    try:
        for number in numbers:
            found = child.ask(number)
            if found["verdict"] == "hang":
                child = Child(module, name, inputs, seed)
                found = child.ask(number)
            if not child.alive:
                child = Child(module, name, inputs, seed)
            yield number, found
    finally:
        child.end()


def hunt(module: str, name: str, folder: Path) -> list[str]:
    """Try the mutants of a format; a line for each finding, which is kept."""
    module = f"tests.fuzz.{module.rpartition('.')[2]}"  # pytest knows it by its last name
    form = format_of(module, name)
    seed = int(os.environ.get("HORNBOOK_FUZZ_SEED", "1"))
    mutants = int(os.environ.get("HORNBOOK_FUZZ_MUTANTS", form.mutants))
    inputs = prepared(form, folder / "deep" / "down")  # `../..` leads to where it is seen
    files, there = files_of(inputs), set(folder.rglob("*"))
    counts: dict[str, int] = {}
    said = []
    for number, found in verdicts(module, name, inputs, seed, range(mutants)):
        if found["verdict"] in ("opened", "refused"):
            counts[found["verdict"]] = counts.get(found["verdict"], 0) + 1
            continue
        kind = f"{found['verdict']} {found.get('where', found['detail'])}"
        counts[kind] = counts.get(kind, 0) + 1
        if counts[kind] <= _ALIKE:
            file, mutator, data = form.mutant(files, seed, number)
            kept = keep(module, name, file.relative_to(inputs), data, kind)
            said.append(f"{name} seed {seed} number {number} ({mutator}): {kind}, kept as {kept}")
    said += [f"{name} seed {seed} left {path.name}" for path in set(folder.rglob("*")) - there]
    _record({"format": name, "seed": seed, "mutants": mutants, "found": counts})
    return said


def _record(line: dict[str, object]) -> None:
    print(line)
    if place := os.environ.get("HORNBOOK_FUZZ_RECORD"):
        with Path(place).open("a", encoding="utf-8") as lines:
            lines.write(json.dumps(line) + "\n")


def prepared(form: Format, folder: Path) -> Path:
    """A folder with the valid files of a format, and a list of those to mutate."""
    inputs = folder / "inputs"
    inputs.mkdir(parents=True)
    files = form.prepare(inputs)
    (inputs / _LIST).write_text("\n".join(str(file.relative_to(inputs)) for file in files))
    return inputs


def files_of(inputs: Path) -> list[Path]:
    """The files to mutate in a prepared folder."""
    return [inputs / line for line in (inputs / _LIST).read_text().splitlines()]


def format_of(module: str, name: str) -> Format:
    found: Format = importlib.import_module(module).FORMATS[name]
    return found


def keep(module: str, name: str, file: Path, data: bytes, kind: str) -> str:
    """Write a finding where `test_findings.py` looks for it, unless it is too large for that."""
    FINDINGS.mkdir(exist_ok=True)
    own = hashlib.sha256(data).hexdigest()[:12]
    if len(data) > _LARGEST:
        return f"{own} nowhere, as it has {len(data):,} bytes"
    (FINDINGS / f"{name}-{own}.bytes").write_bytes(data)
    facts = {"module": module, "format": name, "file": str(file), "found": kind}
    (FINDINGS / f"{name}-{own}.json").write_text(json.dumps(facts, indent=2) + "\n")
    return own
