"""Labelled images to a model that `transformers` opens; stopped and resumed to the same bits."""

import numpy as np
import pytest
import transformers
from safetensors.numpy import load_file

from hornbook.core.errors import UsageError
from hornbook.workflows.projects import resume
from hornbook.workflows.projects.images import project as module
from hornbook.workflows.projects.images.project import Images
from hornbook.workflows.runs.run import run as train
from tests.tiny import QUIET

PLAN = {"patch": 4, "width": 16, "depth": 1, "heads": 2, "hidden": 16, "rows": 8}


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """Bright upper halves and bright lower halves."""
    image = pytest.importorskip("PIL.Image")
    folder, draw = tmp_path_factory.mktemp("images"), np.random.default_rng(0)
    for part, count in (("train", 40), ("test", 10)):
        for label in ("above", "below"):
            (folder / part / label).mkdir(parents=True)
            for i in range(count):
                pixels = draw.integers(0, 80, (8, 8), np.uint8)
                half = slice(0, 4) if label == "above" else slice(4, 8)
                pixels[half] += 120
                image.fromarray(pixels).save(folder / part / label / f"{i}.png")
    return folder


def made(images, run, **values):
    values = {
        "steps": 30, "size": 8, "channels": 1, "plan": PLAN, "compiled": False,
        "dtype": "float32", **values,
    }  # fmt: skip
    project = Images(images)
    return train(project, run, project.request(values), progress=QUIET)


def test_it_learns_and_transformers_opens_it(images, tmp_path):
    result = made(images, tmp_path / "run")
    assert result["accuracy"]["value"] > 0.9
    assert result["test_images"] == 20
    assert [sum(kind["named"]) for kind in result["classes"]] == [10, 10]
    forecast = result["forecast"]
    assert forecast["measure"] == "error" and forecast["targets"] == result["images"] == 30 * 8
    report = (tmp_path / "run/report.html").read_text()
    assert f"{result['accuracy']['value']:.1%}".replace("%", " %") in report
    assert "below" in report and "http" not in report
    theirs = transformers.AutoModelForImageClassification.from_pretrained(tmp_path / "run/model")
    assert theirs.config.id2label == {0: "above", 1: "below"}


def test_stopped_and_resumed_is_undisturbed(images, tmp_path, monkeypatch):
    straight, stopped = tmp_path / "straight", tmp_path / "stopped"
    made(images, straight)

    def fail(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as broken, pytest.raises(KeyboardInterrupt):
        broken.setattr(module, "finish", fail)
        made(images, stopped)
    newest = sorted((stopped / "checkpoints").iterdir())[-1]
    for file in newest.iterdir():
        file.unlink()
    newest.rmdir()  # the one before it is where it goes on
    resume(stopped, QUIET)
    one, other = (load_file(run / "model" / "model.safetensors") for run in (straight, stopped))
    assert all((one[name] == other[name]).all() for name in one)


def test_what_does_not_fit_is_refused_before_work(images, tmp_path):
    with pytest.raises(UsageError, match="8 x 8 pixels do not divide into 3s"):
        made(images, tmp_path / "run", plan={**PLAN, "patch": 3})
    with pytest.raises(UsageError, match="shift = -1"):
        made(images, tmp_path / "run", augment={"shift": -1})
    with pytest.raises(UsageError, match=r"unknown key 'plan.widht'. Did you mean 'width'"):
        made(images, tmp_path / "run", plan={"widht": 3})
    with pytest.raises(UsageError, match="either --minutes or --steps"):
        made(images, tmp_path / "run", minutes=1.0)
    assert not (tmp_path / "run").exists()
