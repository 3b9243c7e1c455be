"""A run from Python: the same request as the command's, the same folder, nothing left behind."""

import contextlib
import io
import json
import os
import shutil
import threading

import numpy as np
import pytest
import torch

import hornbook as hb
from hornbook.core.clock import Clock
from hornbook.core.progress import Progress
from hornbook.workflows.projects.text.request import TextRequest
from hornbook.workflows.runs.place import Place
from tests.in_process import hornbook as command

WISHES = {
    "steps": 2, "size": 8, "channels": 1, "depth": 1, "width": 16, "heads": 2, "rows": 4,
    "plan": {"patch": 4}, "compiled": False, "dtype": "float32", "device": "cpu",
}  # fmt: skip


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    image = pytest.importorskip("PIL.Image")
    folder, draw = tmp_path_factory.mktemp("images"), np.random.default_rng(0)
    for part in ("train", "test"):
        for label, light in (("dark", 0), ("light", 150)):
            (folder / part / label).mkdir(parents=True)
            for i in range(8):
                pixels = draw.integers(light, light + 100, (8, 8), np.uint8)
                image.fromarray(pixels).save(folder / part / label / f"{i}.png")
    return folder


def state():
    """What of the process must not be changed; draws random numbers."""
    # Torch says there where its compiler's cache is.
    environment = {name: os.environ[name] for name in os.environ if not name.startswith("TORCH")}
    threads = [one for one in threading.enumerate() if not one.daemon]  # one keeps a reader's time
    return environment, threads, torch.get_num_threads(), torch.rand(1).item()


@pytest.fixture(scope="module")
def run(images, tmp_path_factory):
    """Trained in a thread, as a notebook's or a server's may be; the process is left as it was."""
    folder, found, said = tmp_path_factory.mktemp("run") / "r", [], io.StringIO()

    def work():
        found.append(hb.train(hb.Images(str(images)), str(folder), **WISHES))

    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        torch.manual_seed(5)
        before = state()
        torch.manual_seed(5)
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
            worker = threading.Thread(target=work)
            worker.start()
            worker.join()
        assert state() == before and said.getvalue() == ""
    finally:
        torch.set_num_threads(threads)
    return found[0]


def test_a_run_has_what_came_of_it(run):
    assert run.finished and "finished" in repr(run)
    assert run.result["kind"] == run.recipe["kind"] == "images"
    assert run.recipe["request"]["plan"]["width"] == run.recipe["plan"]["width"] == 16
    assert [row["step"] for row in run.metrics if row["kind"] == "train"] == [1, 2]
    assert run.report.is_file()
    again = hb.Run(run.folder)
    assert again.result == run.result
    with pytest.raises(hb.UsageError, match="labels images, not texts"):
        run.model()


def test_a_finished_run_is_reused_and_another_refused(run, images, monkeypatch):
    monkeypatch.setattr("hornbook.workflows.runs.run.train_run", lambda *a: pytest.fail("trained"))
    assert hb.train(hb.Images(images), run.folder, **WISHES).result == run.result
    assert run.resume().result == run.result
    with pytest.raises(hb.UsageError, match=r"holds another run .*steps was 2, now 3"):
        hb.train(hb.Images(images), run.folder, **{**WISHES, "steps": 3})


def test_the_command_asks_for_the_same(run, images, capfd):
    options = [
        "--set",
        "steps=2",
        "--set",
        "size=8",
        "--set",
        "channels=1",
        "--set",
        "plan.patch=4",
    ]
    sizes = [f"--{name}={WISHES[name]}" for name in ("depth", "width", "heads", "rows", "device")]
    start = ["pretrain", "--images", images, "--out", run.folder, "--no-compile"]
    code, _, err = command(*start, *options, *sizes, "--dtype", "float32")
    assert code == 0 and "already holds this run" in err, err


def test_mistakes_come_before_work(images, tmp_path):
    def refused(message, **values):
        with pytest.raises(hb.UsageError, match=message):
            hb.train(hb.Images(images), tmp_path / "r", **values)
        assert not (tmp_path / "r").exists()

    refused("unknown key 'minute'. Did you mean 'minutes'", minute=3)
    refused("either --minutes or --steps")
    refused("unknown key 'hieght'|depht", depht=3, steps=2)
    refused("plan = 3 holds a value", plan=3)
    with pytest.raises(hb.UsageError, match="whose folders are classes"):
        hb.train(hb.Images(images), images / "train" / "r", **WISHES)
    with pytest.raises(hb.UsageError, match=r"holds no run: there is no recipe.yaml"):
        hb.Run(tmp_path)
    with pytest.raises(hb.HornbookError, match="is not a corpus made by"):
        hb.Text(tmp_path / "none")


@pytest.mark.parametrize("other", [{}, {"minutes": 1}, {"tokens": 100}])
def test_text_knows_no_steps(other):
    """They would be passed over where minutes are given too."""
    with pytest.raises(hb.UsageError, match=r"not for a number of steps|Say how long"):
        TextRequest.parse({"steps": 3, **other}, "pretrain").check()


def test_a_run_is_found_wherever_the_program_goes(run, monkeypatch, tmp_path):
    monkeypatch.chdir(run.folder.parent)
    found = hb.Run(run.folder.name)
    monkeypatch.chdir(tmp_path)
    assert found.finished and found.result == run.result and found.report.is_file()


def test_images_of_one_class_are_refused(images, tmp_path):
    for part in ("train", "test"):
        shutil.copytree(images / part / "dark", tmp_path / part / "dark")
    with pytest.raises(hb.UsageError, match="one class only, 'dark'"):
        hb.train(hb.Images(tmp_path), tmp_path.with_name("run of one"), **WISHES)


def test_a_project_reads_again_what_another_request_is_about(tmp_path):
    """Else a recipe would name data, or columns, that the run never saw."""
    rows = [f"{'ab'[i % 2]},{'cd'[i % 2]},text {i}\n" for i in range(40)]
    (tmp_path / "rows.csv").write_text("first,second,text\n" + "".join(rows))
    project = hb.Labels(tmp_path / "rows.csv", "lstm")

    def classes(column):
        return project.splits(project.request({"label_column": column})).labels

    assert [classes("first"), classes("second")] == [["a", "b"], ["c", "d"]]
    (tmp_path / "rows.csv").write_text("first,second,text\n" + "".join(rows).replace("a,", "e,"))
    assert classes("first") == ["b", "e"]


def test_pairs_are_read_again_for_other_columns(tmp_path):
    rows = [{"one": f"Ich {i}", "two": f"I {i}", "three": f"Je {i}"} for i in range(20)]
    for name in ("train", "validation", "test"):
        lines = (json.dumps({key: f"{text} {name}" for key, text in row.items()}) for row in rows)
        (tmp_path / f"{name}.jsonl").write_text("\n".join(lines) + "\n")
    names = ("train", "validation", "test")
    project = hb.Pairs(*(tmp_path / f"{name}.jsonl" for name in names))
    place = Place(tmp_path, Progress(quiet=True), Clock.start(None))

    def first(*columns):
        request = project.request({"steps": 1, "columns": columns})
        return project._splits(request, place)["train"].pairs[0]

    assert first("one", "two") != first("one", "three")
