"""Every preset goes through the whole of pretraining, and what comes out opens."""

import json

import pytest

from hornbook.corpus.build import build
from hornbook.models.folder import load_model
from hornbook.models.presets import FAMILIES, PRESETS, preset_of
from hornbook.workflows.projects.text.project import Text
from hornbook.workflows.runs.run import run as train
from tests.tiny import QUIET, model_type, sentences, slow

SENTENCE = "The {0} reads the {1} and writes of {2} until the {0} is tired. 春眠不覺曉，{0}。\n"


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = tmp_path_factory.mktemp("families")
    text = sentences(folder / "text", SENTENCE)
    return Text(build([text], folder / "corpus", progress=QUIET))


def test_every_preset_has_a_family():
    assert sorted(name for names in FAMILIES.values() for name in names) == sorted(PRESETS)
    assert preset_of("mamba2", None) == "mamba2"


EACH_WAY = ("qwen3-moe", "bert")
"""A decoder, of which a part of the weights is used, and one that fills in words. How others learn
and are stored, the golden curves and the tests of model folders say."""
ALIKE = [name for name in PRESETS if name not in EACH_WAY]


@pytest.mark.parametrize("preset", [*EACH_WAY, *slow(*ALIKE)])
def test_trained_measured_saved_and_reported(project, preset, tmp_path):
    plan = {
        "preset": preset, "vocab": 300, "depth": 2, "width": 32, "heads": 2, "hidden": 32,
        "context": 32, "rows": 4,
    }  # fmt: skip
    values = {
        "tokens": 1300, "plan": plan, "compiled": False, "dtype": "float32", "device": "cpu",
    }  # fmt: skip
    run = tmp_path / "run"
    result = train(project, run, project.request(values), progress=QUIET)
    bits = result["bits_per_byte"]
    assert 0 < bits["low"] <= bits["value"] <= bits["high"] < 9
    assert result["floors"].keys() in ({"unigram"}, {"gzip", "xz", "xz_given", "ngram"})
    model = load_model(run)
    assert sum(w.numel() for w in model.parameters()) == result["parameters"]["all"]
    met = result["parameters"]["active"]
    assert (met < result["parameters"]["all"]) == (preset == "qwen3-moe") and met > 0
    kind = json.loads((run / "model" / "config.json").read_text())["model_type"]
    assert kind.removeprefix("hornbook_") == model_type(preset)
    assert f"{bits['value']:.3f}" in (run / "report.html").read_text()
    samples = (run / "samples.jsonl").read_text().splitlines()
    assert len(samples) >= 2
    assert all(json.loads(line).keys() >= {"step", "prompt", "text"} for line in samples)
