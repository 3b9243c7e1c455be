"""`python -m tests.fuzz.child MODULE NAME FOLDER SEED`: opens mutants, one a line of stdin.

A line is a mutant's number, or {"file", "from"}: a file's place and where other bytes for it lie.
Answers are lines of JSON on what was stdout; what the program prints goes nowhere.
"""

import json
import os
import resource
import sys
import traceback
from pathlib import Path

from hornbook.core.errors import HornbookError
from tests.fuzz.hunt import MEMORY, Format, files_of, format_of


def main() -> None:
    module, name, folder, seed = sys.argv[1:]
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    form, inputs = format_of(module, name), Path(folder)
    files = files_of(inputs)
    for file in files:
        found = _verdict(form, file)
        if found["verdict"] != "opened":
            answers.write(json.dumps(found) + "\n")
            return
    _limit_memory()
    outside = _watch(inputs)
    answers.write(json.dumps({"ready": True}) + "\n")
    for line in sys.stdin:
        asked = json.loads(line)
        if isinstance(asked, int):
            file, _, data = form.mutant(files, int(seed), asked)
        else:
            file, data = inputs / asked["file"], Path(asked["from"]).read_bytes()
        whole = file.read_bytes()
        file.write_bytes(data)
        found = _verdict(form, file)
        if outside:
            found = {"verdict": "outside", "detail": f"{outside[0][0]} {outside[0][1]}"[:200]}
            outside.clear()
        file.write_bytes(whole)
        answers.write(json.dumps(found) + "\n")


def _verdict(form: Format, file: Path) -> dict[str, str]:
    try:
        form.use(file)
    except HornbookError as error:
        return {"verdict": "refused", "detail": str(error)[:2000]}
    except BaseException as error:  # panics of libraries are no Exception
        frames = traceback.extract_tb(error.__traceback__)
        ours = [frame for frame in frames if "/hornbook/" in frame.filename] or frames
        at = f"{Path(ours[-1].filename).name}:{ours[-1].lineno}"
        return {
            "verdict": "traceback",
            "where": f"{type(error).__name__} at {at}",
            "detail": traceback.format_exc()[-3000:],
        }
    return {"verdict": "opened", "detail": ""}


_CHANGES = {
    **dict.fromkeys(("os.mkdir", "os.remove", "os.rmdir"), 1),
    **dict.fromkeys(("os.rename", "os.link", "os.symlink"), 2),
}
"""Audit events, and how many of their first arguments are paths. Their last one is the descriptor
of a folder that the path is in, which was opened itself, or -1."""
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


def _watch(folder: Path) -> list[tuple[str, str]]:
    """What is written, made or deleted outside of a folder, by event and path, as it happens."""
    outside: list[tuple[str, str]] = []
    inside = os.path.realpath(folder)

    def hook(event: str, given: tuple[object, ...]) -> None:
        if event == "open":
            writes = isinstance(given[2], int) and given[2] & _WRITING
            paths = given[:1] if writes else ()
        else:
            paths = given[: _CHANGES.get(event, 0)] if given[-1:] == (-1,) else ()
        for path in paths:
            if isinstance(path, str | bytes | os.PathLike):
                real = os.path.realpath(os.fsdecode(path))
                if real != os.devnull and not real.startswith(f"{inside}{os.sep}"):
                    outside.append((event, real))

    sys.addaudithook(hook)
    return outside


def _limit_memory() -> None:
    """So much more than is taken now."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * os.sysconf("SC_PAGE_SIZE") + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


if __name__ == "__main__":
    main()
