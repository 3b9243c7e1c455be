"""`python -m tests.fuzz.guided MODULE NAME RUNS`: mutants of a format that coverage chooses.

Atheris (where it installs: `pip install hornbook[fuzz]`) watches which lines of Hornbook a mutant
reaches, and makes the next ones of those that reached new ones; half of them by the format's own
mutators. All is done in this process, readers too. Findings are kept as `hunt.py` keeps them; the
last line is a record of how many mutants there were. MODULE: as `test_models`.
"""

import contextlib
import json
import os
import random
import resource
import sys
import tempfile
import traceback
from pathlib import Path

from hornbook.core.errors import HornbookError
from tests.fuzz.hunt import MEMORY, files_of, format_of, keep, prepared

_LONGEST = 2**17
"""Bytes of a mutant."""
_EVERY = 500
"""Mutants after which the record is written anew: the library ends the process by itself."""


class Guided:
    """What is done to each mutant, and what came of it."""

    def __init__(self, module: str, name: str, folder: Path) -> None:
        self.module, self.name = module, name
        self.form = format_of(module, name)
        self.inputs = prepared(self.form, folder)
        self.file = files_of(self.inputs)[0]
        self.whole = self.file.read_bytes()
        self.counts: dict[str, int] = {}
        self.tried = 0

    def use(self) -> None:
        """The file as it is now, as a user does."""
        (self.form.guided or self.form.use)(self.file)

    def __call__(self, data: bytes) -> None:
        self.file.write_bytes(data)
        try:
            self.use()
        except HornbookError:
            kind = "refused"
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:
            kind = f"traceback {type(error).__name__} at {_place(error)}"
            if kind not in self.counts:
                at = self.file.relative_to(self.inputs)
                keep(self.module, self.name, at, data, kind)
        else:
            kind = "opened"
        self.counts[kind] = self.counts.get(kind, 0) + 1
        self.tried += 1
        if self.tried % _EVERY == 0:
            self.record()

    def mutated(self, data: bytes, most: int, seed: int) -> bytes:
        """By a mutator of the format's own, or by the library's."""
        import atheris

        rng = random.Random(seed)
        if data and rng.random() < 0.5:
            with contextlib.suppress(Exception):  # it may need a valid file
                return self.form.mutators[rng.choice(sorted(self.form.mutators))](data, rng)[:most]
        found: bytes = atheris.Mutate(data, most)
        return found

    def record(self) -> None:
        line = {"format": self.name, "guided": True, "mutants": self.tried, "found": self.counts}
        place = os.environ.get("HORNBOOK_FUZZ_RECORD")
        if place:
            Path(f"{place}.{self.name}").write_text(json.dumps(line) + "\n", encoding="utf-8")


def _place(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "/hornbook/" in frame.filename] or frames
    return f"{Path(ours[-1].filename).name}:{ours[-1].lineno}"


def main() -> None:
    import atheris

    module, name, runs = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "deep" / "down"
        with atheris.instrument_imports(include=["hornbook"]):
            guided = Guided(f"tests.fuzz.{module}", name, place)
            guided.use()  # what it needs is imported by now
        (place / "corpus").mkdir()
        (place / "corpus" / "whole").write_bytes(guided.whole)
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        most = pages * os.sysconf("SC_PAGE_SIZE") + MEMORY
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
        options = [f"-runs={runs}", f"-max_len={_LONGEST}", "-timeout=120", "-rss_limit_mb=0"]
        options += ["-print_final_stats=1", "-verbosity=0", f"-artifact_prefix={place}/"]
        atheris.Setup(
            [sys.argv[0], *options, str(place / "corpus")],
            guided,
            custom_mutator=guided.mutated,
        )
        atheris.Fuzz()


if __name__ == "__main__":
    main()
