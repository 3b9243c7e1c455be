"""A real process, really killed: what is resumed ends with the bits of an undisturbed run."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from safetensors.numpy import load_file

SENTENCES = "The {0} reads the {1} and writes of {2} until the {0} is tired of {1}s.\n"
NOUNS = ["tablet", "child", "letter", "teacher", "morning", "page", "bird", "river"]
FLAGS = [
    "--tokens", "16000", "--vocab-size", "300", "--depth", "2", "--width", "64", "--context", "64",
    "--rows", "4", "--no-compile", "--dtype", "float32", "--device", "cpu",
]  # fmt: skip


def hornbook(*arguments, **options):
    command = [sys.executable, "-m", "hornbook", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)


def finish(process):
    out, err = process.communicate(timeout=600)
    return process.returncode, out.decode(), err.decode()


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("text")
    for i in range(30):
        names = [NOUNS[(i + j * k) % 8] for j, k in ((0, 1), (1, 3), (2, 5))]
        (folder / f"{i}.txt").write_text(SENTENCES.format(*names) * (3 + i % 5) + f"The end {i}.")
    out = tmp_path_factory.mktemp("made") / "corpus"
    assert finish(hornbook("corpus", "build", folder, "--out", out))[0] == 0
    return out


@pytest.fixture(scope="module")
def straight(corpus, tmp_path_factory):
    run = tmp_path_factory.mktemp("straight") / "run"
    code, out, err = finish(
        hornbook("pretrain", "--corpus", corpus, "--out", run, *FLAGS, "--json")
    )
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


def wait_for_steps(run, steps, process):
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline and process.poll() is None:
        log = run / "metrics.jsonl"
        if log.exists() and log.read_text().count('"train"') >= steps:
            return
        time.sleep(0.005)
    raise AssertionError(finish(process))


@pytest.mark.parametrize("steps", [1, 40])
def test_killed_and_resumed(corpus, straight, tmp_path, steps):
    run = tmp_path / "run"
    process = hornbook("pretrain", "--corpus", corpus, "--out", run, *FLAGS)
    wait_for_steps(run, steps, process)
    os.kill(process.pid, signal.SIGKILL)
    finish(process)
    assert not (run / "result.json").exists()
    code, out, err = finish(hornbook("pretrain", "--out", run, "--resume", "--json"))
    assert code == 0, err
    assert_same(run, straight[0])
    assert json.loads(out)["bits_per_byte"] == straight[1]["bits_per_byte"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_and_resumed(corpus, straight, tmp_path, number):
    run = tmp_path / "run"
    process = hornbook("pretrain", "--corpus", corpus, "--out", run, *FLAGS)
    wait_for_steps(run, 10, process)
    process.send_signal(number)
    code, _, err = finish(process)
    assert code == 128 + number
    assert "all of it is saved" in err
    code, _, err = finish(hornbook("pretrain", "--corpus", corpus, "--out", run, *FLAGS))
    assert (code, "continue it with --resume" in err) == (2, True)
    assert finish(hornbook("pretrain", "--out", run, "--resume"))[0] == 0
    assert_same(run, straight[0])


def test_a_finished_run_is_reused_and_another_refused(corpus, straight):
    run, result = straight
    code, out, err = finish(
        hornbook("pretrain", "--corpus", corpus, "--out", run, *FLAGS, "--json")
    )
    assert (code, "Reused" in err) == (0, True)
    assert json.loads(out) == result
    code, _, err = finish(
        hornbook("pretrain", "--corpus", corpus, "--out", run, *FLAGS, "--seed", "7")
    )
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
    code, out, err = finish(hornbook("pretrain", "--out", tmp_path / "more", *more, "--json"))
    assert code == 0, err
    result = json.loads(out)
    assert result["parameters"] == before["parameters"]
    # Fresh weights are at several times that after so few tokens.
    assert result["bits_per_byte"]["value"] < 1.3 * before["bits_per_byte"]["value"]
    assert "of the model to go on from" in err
    other = ["--out", tmp_path / "other", "--depth", "3"]
    code, _, err = finish(hornbook("pretrain", *options, *other))
    assert (code, "depth is 2 in the model to go on from" in err) == (2, True)
