"""The command line stops and goes on: what is resumed ends with the bits of an undisturbed run.

A process that is really killed is one; where a run may stop, test_life.py tries in this one.
"""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from safetensors.numpy import load_file

from hornbook.core.metrics import MetricsLog
from tests.in_process import hornbook
from tests.tiny import sentences, slow

SENTENCE = "The {0} reads the {1} and writes of {2} until the {0} is tired of {1}s.\n"
FLAGS = [
    "--tokens", "4000", "--vocab-size", "300", "--depth", "2", "--width", "64", "--context", "32",
    "--rows", "4", "--no-compile", "--dtype", "float32", "--device", "cpu",
]  # fmt: skip


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = sentences(tmp_path_factory.mktemp("text"), SENTENCE)
    out = tmp_path_factory.mktemp("made") / "corpus"
    assert hornbook("corpus", "build", folder, "--out", out)[0] == 0
    return out


@pytest.fixture(scope="module")
def straight(corpus, tmp_path_factory):
    run = tmp_path_factory.mktemp("straight") / "run"
    code, out, err = hornbook("pretrain", "--corpus", corpus, "--out", run, *FLAGS, "--json")
    assert code == 0, err
    return run, json.loads(out.splitlines()[-1])


def rows(run, name):
    found = [json.loads(line) for line in (run / name).read_text().splitlines()]
    for row in found:
        row.pop("elapsed_s")
    return found


def assert_same(run, straight):
    ours = load_file(run / "model" / "model.safetensors")
    theirs = load_file(straight / "model" / "model.safetensors")
    assert ours.keys() == theirs.keys()
    assert all((ours[name] == theirs[name]).all() for name in ours)
    for name in ("metrics.jsonl", "samples.jsonl"):
        assert rows(run, name) == rows(straight, name)


def wait_for_a_step(run, process):
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline and process.poll() is None:
        log = run / "metrics.jsonl"
        if log.exists() and '"train"' in log.read_text():
            return
        time.sleep(0.005)
    raise AssertionError(process.communicate())


@pytest.mark.slow
def test_killed_and_resumed(corpus, straight, tmp_path):
    run = tmp_path / "run"
    command = [sys.executable, "-m", "hornbook", "pretrain", "--corpus", corpus, "--out", run]
    process = subprocess.Popen([*command, *FLAGS], stdout=-1, stderr=-1)
    wait_for_a_step(run, process)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert not (run / "result.json").exists()
    code, out, err = hornbook("pretrain", "--out", run, "--resume", "--json")
    assert code == 0, err
    assert_same(run, straight[0])
    assert json.loads(out)["bits_per_byte"] == straight[1]["bits_per_byte"]


@pytest.mark.parametrize("number", [signal.SIGTERM, *slow(signal.SIGINT)])
def test_interrupted_and_resumed(corpus, straight, tmp_path, monkeypatch, number):
    run, append = tmp_path / "run", MetricsLog.append

    def signals(self, step, **values):
        append(self, step, **values)
        if step == 10:
            os.kill(os.getpid(), number)

    with monkeypatch.context() as patch:
        patch.setattr(MetricsLog, "append", signals)
        code, _, err = hornbook("pretrain", "--corpus", corpus, "--out", run, *FLAGS)
    assert code == 128 + number
    assert "Stopped at step 10; all of it is saved" in err
    code, _, err = hornbook("pretrain", "--corpus", corpus, "--out", run, *FLAGS)
    assert (code, "continue it with --resume" in err) == (2, True)
    assert hornbook("pretrain", "--out", run, "--resume")[0] == 0
    assert_same(run, straight[0])


def test_a_finished_run_is_reused_and_another_refused(corpus, straight):
    run, result = straight
    given = ["pretrain", "--corpus", corpus, "--out", run, *FLAGS]
    code, out, err = hornbook(*given, "--json")
    assert (code, "Reused" in err) == (0, True)
    assert json.loads(out) == result
    code, _, err = hornbook(*given, "--seed", "7")
    assert code == 2
    assert "holds another run (seed was 0, now 7)" in err


def test_the_result_has_the_public_fields(straight):
    run, result = straight
    fields = {
        "run", "report", "seconds", "tokens", "tokens_per_second", "parameters", "bits_per_byte",
        "floors", "forecast",
    }  # fmt: skip
    assert fields <= result.keys()
    assert {"gzip", "xz", "ngram"} <= result["floors"].keys()
    assert {"seconds", "peak_bytes", "score", "low", "high"} <= result["forecast"].keys()
    page = (run / "report.html").read_text()
    assert f"{result['bits_per_byte']['value']:.3f}" in page
    assert "src=" not in page and 'href="http' not in page


def test_going_on_from_a_model_begins_where_it_stands(corpus, straight, tmp_path):
    base, before = straight
    options = ["--corpus", corpus, "--init", base, "--no-compile", "--tokens", "2000"]
    more = [*options, "--rows", "4", "--dtype", "float32", "--device", "cpu"]
    code, out, err = hornbook("pretrain", "--out", tmp_path / "more", *more, "--json")
    assert code == 0, err
    result = json.loads(out)
    assert result["parameters"] == before["parameters"]
    # Fresh weights are at several times that after so few tokens.
    assert result["bits_per_byte"]["value"] < 1.3 * before["bits_per_byte"]["value"]
    assert "of the model to go on from" in err
    other = ["--out", tmp_path / "other", "--depth", "3"]
    code, _, err = hornbook("pretrain", *options, *other)
    assert (code, "depth is 2 in the model to go on from" in err) == (2, True)
