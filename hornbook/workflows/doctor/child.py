"""The process that is killed: it opens what is examined, begins to train, saves, and goes on.

Every socket that it opens is written down, from its first import on. What it is told is a file
`child.json` in the folder of the examination.
"""

import json
import sys
import threading
from pathlib import Path
from typing import Any

ORDER = "child.json"
SOCKETS = "sockets.jsonl"
DONE = "done"
SAVED_AT, STEPS = 2, 4
"""The step after which it saves, and those that it takes in all."""
_ASKED = ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto")


def main(folder: str) -> None:
    """Do what the order says until this process is killed, or its starter is gone."""
    work = Path(folder)
    _write_down_sockets(work / SOCKETS)
    threading.Thread(target=_end_with_starter, daemon=True).start()
    order = json.loads((work / ORDER).read_text(encoding="utf-8"))
    if order["model"] is not None:
        _use(Path(order["model"]))
    else:
        _train(work, order)
    (work / DONE).write_text("", encoding="utf-8")


def _write_down_sockets(log: Path) -> None:
    """Of every network address that Python's own code asks for."""

    def notice(event: str, arguments: tuple[Any, ...]) -> None:
        if event not in _ASKED:
            return
        by_address = event in ("socket.connect", "socket.sendto")
        asked = arguments[-1] if by_address else arguments[0]
        if by_address and isinstance(asked, str | bytes):
            return  # a socket of this machine's own
        with log.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps([event, str(asked)]) + "\n")

    sys.addaudithook(notice)


def _end_with_starter() -> None:
    import os

    sys.stdin.buffer.read()
    os._exit(1)


def _use(model: Path) -> None:
    """Open a model as a user does, and let it do what it is for."""
    from hornbook.workflows.open.load import load

    opened: Any = load(model)
    text = "The hornbook holds words."
    if "generate" in opened.abilities:
        opened.generate(text, max_tokens=4)
    elif "embed" in opened.abilities:
        opened.embed([text])
    elif "classify" in opened.abilities:
        opened.classify([text])
    elif "translate" in opened.abilities:
        opened.translate([text])


def _train(work: Path, order: dict[str, Any]) -> None:
    from hornbook.core.clock import Clock
    from hornbook.core.progress import Progress
    from hornbook.core.threads import use
    from hornbook.training.checkpoint import save_checkpoint
    from hornbook.training.loop import train
    from hornbook.training.state import TrainState
    from hornbook.workflows.doctor.subject import PREPARING, lighten
    from hornbook.workflows.projects import project_class
    from hornbook.workflows.runs import folder as layout
    from hornbook.workflows.runs.place import Place
    from hornbook.workflows.runs.prepared import prepared

    use(order["threads"])
    kind = project_class(order["kind"])
    recipe = kind.recipe.load(work)
    project = kind.reopen(recipe)
    lighten(project, order["light"])
    place = Place(work, Progress(quiet=True), Clock.start(PREPARING))
    problem = prepared(project, recipe.request, recipe.plan, recipe.machine, place)
    if problem.size != order["size"]:
        problem.resize(order["size"])

    def save(state: TrainState) -> None:
        if state.step == SAVED_AT:
            save_checkpoint(work / layout.CHECKPOINTS, state)

    loop = problem.loop.model_copy(update={"steps": STEPS})
    train(problem.begin(), problem.objective, problem.batches, loop, [save])
    threading.Event().wait()  # to be killed


if __name__ == "__main__":
    main(sys.argv[1])
