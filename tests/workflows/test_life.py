"""Every kind of run leads the same life: one contract for all of them.

A kind says in `makers` how a small one of it is made; that is all it says.
"""

import contextlib
import json
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from safetensors.numpy import load_file

from hornbook.core.clock import Clock
from hornbook.core.config import read_recipe
from hornbook.core.errors import HornbookError, UsageError
from hornbook.core.progress import Progress
from hornbook.training import loop
from hornbook.workflows.projects import kinds, project_class, resume
from hornbook.workflows.runs import folder as layout
from hornbook.workflows.runs import report as run_report
from hornbook.workflows.runs.foretell import foretell
from hornbook.workflows.runs.ledger import entries
from hornbook.workflows.runs.run import run as train
from tests.schemas import check
from tests.tiny import slow
from tests.workflows.makers import MAKERS

QUIET, MINUTES = Progress(quiet=True), 0.5
COMMON = {
    "run": str, "kind": str, "seconds": float, "steps": int, "shortened": list,
    "parameters": dict, "peak_bytes": int, "disk_bytes": int, "report": str,
}  # fmt: skip
"""Fields of every result, with their types."""


@pytest.fixture(scope="module", params=sorted(MAKERS))
def made(request, tmp_path_factory):
    """(kind, how its project is opened, values, the undisturbed run, its result)."""
    folder = tmp_path_factory.mktemp(request.param)
    data, values = MAKERS[request.param](folder)
    project = project_class(request.param)(**data)
    undisturbed = folder / "undisturbed"
    result = train(project, undisturbed, project.request(values), progress=QUIET)
    return request.param, data, values, undisturbed, result


once = pytest.mark.parametrize(
    "made", ["images", *slow(*(kind for kind in sorted(MAKERS) if kind != "images"))], indirect=True
)
"""Of what `runs` does for all kinds alike, one kind is enough every day."""


def again(made, folder, **other):
    kind, data, values, _, _ = made
    project = project_class(kind)(**data)
    return train(project, folder, project.request({**values, **other}), progress=QUIET)


def weights(run: Path):
    """All that was learned, by file and name."""
    files = [*run.glob("model/*.safetensors"), *run.glob("adapter/*.safetensors")]
    assert files
    return {(file.name, name): value for file in files for name, value in load_file(file).items()}


def rows(run, name):
    path = run / name
    found = (
        [json.loads(line) for line in path.read_text().split("\n")[:-1]] if path.exists() else []
    )
    return [{key: value for key, value in row.items() if key != "elapsed_s"} for row in found]


def test_a_kind_has_a_maker_here():
    assert sorted(MAKERS) == sorted(kinds())


def test_the_result_has_what_every_result_has(made):
    kind, _, _, folder, result = made
    assert {name: type(result[name]) for name in COMMON} == COMMON
    check("pretrain", result)
    assert result["kind"] == kind
    assert result["parameters"].keys() >= {"trained", "all"}
    assert 0 < result["parameters"]["trained"] <= result["parameters"]["all"]
    assert json.loads((folder / "result.json").read_text()) == json.loads(json.dumps(result))
    assert "</html>" in Path(result["report"]).read_text(encoding="utf-8")


def test_it_is_foretold_as_it_is_settled(made, tmp_path):
    kind, data, values, folder, _ = made
    project = project_class(kind)(**data)
    found = foretell(project, tmp_path / "new" / "run", project.request(values), progress=QUIET)
    recipe = read_recipe(folder / "recipe.yaml")
    check("dry_run", found)
    assert found["kind"] == kind and found["steps"] == recipe["loop"]["steps"]
    assert found["passes"] == pytest.approx(found["steps"] / recipe["steps_per_epoch"])
    settled = [(name, value) for name, value, _ in recipe["choices"]]
    assert [(one["name"], one["value"]) for one in found["choices"]] == settled
    assert (found["score"] is None) == (recipe["forecast"] is None)
    for name in ("prepared_s", "training_s", "ending_s", "peak_bytes", "disk_bytes"):
        assert 0 < found[name] < 1e12, name
    assert not list(tmp_path.iterdir())
    for one in found["choices"]:  # what is said to be a key of the recipe is one
        if one["key"] is not None:
            keys = dict(layout.leaves(recipe["request"]))
            assert one["key"] in keys and not isinstance(keys[one["key"]], str)


@pytest.mark.parametrize("at", [9, *slow(1)])
def test_killed_at_a_step_and_resumed_it_has_the_bits_of_an_undisturbed_run(
    made, tmp_path, monkeypatch, at
):
    """The step itself dies, after what was to be saved before it was saved, as by kill -9."""
    folder, gradient, taken = tmp_path / "run", loop.gradient, [0]

    def dies(*arguments):
        if (folder / "recipe.yaml").is_file():  # rehearsals and timings do not count
            taken[0] += 1
            if taken[0] > at:
                raise MemoryError("killed")
        return gradient(*arguments)

    with monkeypatch.context() as broken, pytest.raises(MemoryError, match="killed"):
        broken.setattr(loop, "gradient", dies)
        again(made, folder)
    assert not (folder / "result.json").exists()
    with pytest.raises(UsageError, match="unfinished run"):
        again(made, folder)
    resume(folder, QUIET)
    _, _, _, undisturbed, _ = made
    ours, theirs = weights(folder), weights(undisturbed)
    assert ours.keys() == theirs.keys()
    assert all((ours[name] == theirs[name]).all() for name in theirs)
    for name in ("metrics.jsonl", "samples.jsonl"):
        assert rows(folder, name) == rows(undisturbed, name)


def test_what_was_foretold_and_what_came_of_it_stand_in_the_ledger(made):
    _, _, _, folder, result = made
    found = [entry for entry in entries() if entry.run == str(folder)]
    assert len(found) == (result["forecast"] is not None)
    for entry in found:
        assert entry.foretold == result["forecast"]
        assert entry.reached["steps"] == result["steps"]
        assert entry.reached["score"] > 0
        assert entry.data


def test_a_finished_run_is_reused_and_another_request_refused(made):
    _, _, _, folder, result = made
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}
    assert again(made, folder) == json.loads(json.dumps(result))
    with pytest.raises(UsageError, match=r"holds another run \(seed was 0, now 7\)"):
        again(made, folder, seed=7)
    assert before == {path: path.stat().st_mtime_ns for path in before}


@pytest.mark.slow
@pytest.mark.parametrize("busy", [0, 3])
def test_minutes_are_all_of_a_run(made, tmp_path, busy):
    """Preparation, tuning, measuring included: within a tenth, a quarter beside busy programs."""
    kind, data, values, _, _ = made
    lengths = {"tokens", "steps", "epochs", "plan"}
    asked = {name: value for name, value in values.items() if name not in lengths}
    with busy_loops(busy):
        began, project = time.monotonic(), project_class(kind)(**data)
        request = project.request({**asked, "minutes": MINUTES})
        clock = Clock.start(MINUTES, began)
        train(project, tmp_path / "run", request, progress=QUIET, clock=clock)
        used = (time.monotonic() - began) / 60 / MINUTES
    assert used < (1.25 if busy else 1.1), f"{used:.2f} of its minutes"


@contextlib.contextmanager
def busy_loops(count):
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for one in loops:
            one.kill()
            one.wait()


def test_two_lengths_are_refused_before_work(made, tmp_path):
    kind, data, values, _, _ = made
    if not project_class(kind)(**data).request(values).length:
        pytest.skip("each of this kind's lengths is the most there may be")
    with pytest.raises(UsageError, match="Say how long to train"):
        again(made, tmp_path / "run", minutes=3)
    assert not (tmp_path / "run").exists()


def copied(made, tmp_path):
    """A copy of the finished run, as if it had been stopped before its result was written."""
    folder = tmp_path / "run"
    shutil.copytree(made[3], folder)
    (folder / "result.json").unlink()
    return folder


@once
def test_a_run_without_its_report_is_not_finished(made, tmp_path, monkeypatch):
    """Killed while the report is written, it is written after a resume."""
    folder = copied(made, tmp_path)
    (folder / "report.html").unlink()
    with monkeypatch.context() as broken, pytest.raises(MemoryError, match="killed"):
        broken.setattr(run_report, "render", no_memory)
        resume(folder, QUIET)
    assert not (folder / "result.json").exists()
    resume(folder, QUIET)
    assert (folder / "report.html").is_file()
    assert (folder / "result.json").is_file()


def no_memory(*_, **__):
    raise MemoryError("killed")


@once
@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("recipe.yaml", r"^  threads: \d+", "  threads: 0", r"machine.threads = 0"),
        ("recipe.yaml", r"^evaluations: \d+", "evaluations: 0", r"evaluations = 0"),
        ("recipe.yaml", r"^places:\n(  .*\n)+", "places: {}\n", "places does not say where"),
        ("recipe.yaml", r"^  device: cpu", "  device: abacus", "Unknown device 'abacus'"),
        ("metrics.jsonl", r"\A", "[1]\n", "metrics.jsonl, line 1 is no row of figures"),
    ],
)
def test_what_somebody_changed_in_a_stopped_run_is_told(made, tmp_path, file, old, new, said):
    folder = copied(made, tmp_path)
    text = (folder / file).read_text()
    changed = re.sub(old, new, text, count=1, flags=re.MULTILINE)
    assert changed != text
    (folder / file).write_text(changed)
    with pytest.raises(HornbookError, match=said):
        resume(folder, QUIET)


@once
def test_a_result_that_is_no_object_is_told(made, tmp_path):
    folder = copied(made, tmp_path)
    (folder / "result.json").write_text("[1]")
    with pytest.raises(HornbookError, match=r"result\.json holds a list"):
        again(made, folder)


@once
def test_a_name_that_no_disk_can_hold_is_told(made, tmp_path):
    with pytest.raises(HornbookError, match="too long for this disk"):
        again(made, tmp_path / ("run" * 100))


@once
def test_two_processes_do_not_train_in_one_folder(made, tmp_path):
    folder = copied(made, tmp_path)
    with layout.alone(folder), pytest.raises(UsageError, match="trained by another process"):
        resume(folder, QUIET)
    resume(folder, QUIET)  # when it is gone, all is well


@once
def test_a_place_that_cannot_be_is_told_before_the_work(made, tmp_path):
    (tmp_path / "file").write_text("mine")
    kind, data, values, _, _ = made
    project = project_class(kind)(**data)
    with pytest.raises(HornbookError, match="a file, not a folder"):
        begun(project, tmp_path / "file" / "run", project.request(values))
    assert (tmp_path / "file").read_text() == "mine"


def begun(project, folder, request):
    """Train, where nothing may be planned."""
    project.plan = no_memory
    return train(project, folder, request, progress=QUIET)


@once
def test_a_new_folder_in_which_nothing_was_written_does_not_stay(made, tmp_path):
    kind, data, values, _, _ = made
    project = project_class(kind)(**data)
    with pytest.raises(MemoryError):
        begun(project, tmp_path / "run", project.request(values))
    assert not (tmp_path / "run").exists()
