"""The main job on a real text, as a user starts it: half a minute, its JSON, and a second time."""

import json
import subprocess
import sys

import pytest

pytestmark = pytest.mark.data

FIELDS = {
    "run", "report", "seconds", "tokens", "tokens_per_second", "parameters", "bits_per_byte",
    "floors", "forecast",
}  # fmt: skip


def quickstart(*arguments):
    command = [sys.executable, "-m", "hornbook", "quickstart", "--json", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n") == 1, "one JSON object and nothing else"
    return json.loads(done.stdout), done.stderr


def test_quickstart_on_a_german_law(data, tmp_path):
    command = ["--text", data / "text_legal_de" / "gg.md.gz", "--minutes", 0.5]
    command += ["--out", tmp_path / "out"]
    found, _ = quickstart(*command)
    assert found.keys() >= FIELDS
    assert found["floors"].keys() >= {"gzip", "xz", "ngram"}
    assert found["forecast"].keys() >= {"seconds", "peak_bytes", "score", "low", "high"}
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "Würde" in page or "ä" in page
    again, said = quickstart(*command)
    assert again == found
    assert said.count("Reused") >= 2
