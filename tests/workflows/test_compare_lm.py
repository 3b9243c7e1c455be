"""Text of the domain against other text: three models of one size, scored on both."""

import random
import time

import pytest

from hornbook.core.errors import HornbookError
from hornbook.core.files import read_json
from hornbook.core.progress import Progress
from hornbook.models.folder import load_model
from hornbook.workflows.compare.domain import compare_text
from hornbook.workflows.projects.text.request import TextRecipe
from tests.schemas import check

pytestmark = pytest.mark.slow

LAW = "the court may order that a party shall pay costs of an appeal under this act"
SEA = "grey waves broke over rocks while gulls cried above cold salt wind and rain"


MINUTES = 0.75
RUNS = ("general", "domain", "general_half", "general_then_domain")


def write(folder, words, seed, count=120):
    """Documents of sentences that only these words make."""
    draw = random.Random(seed)
    folder.mkdir()
    for number in range(count):
        sentences = [" ".join(draw.choices(words, k=9)).capitalize() + "." for _ in range(24)]
        (folder / f"{number}.txt").write_text("\n".join(sentences))
    return str(folder)


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lm")
    law, sea = LAW.split(), SEA.split()
    domain, general = write(folder / "law", law, 0), write(folder / "sea", sea, 1, 300)
    began = time.monotonic()
    found = compare_text([domain], [general], MINUTES, folder / "out", 0, Progress(True))
    return folder / "out", found, time.monotonic() - began


def test_each_text_is_read_best_by_who_learned_it(compared):
    _, found, _ = compared
    check("compare", found)
    rows = {row["name"]: row for row in found["rows"]}
    assert set(rows) == {"domain", "general", "general_then_domain"}
    assert rows["domain"]["domain"]["high"] < rows["general"]["domain"]["low"]
    assert rows["general"]["general"]["high"] < rows["domain"]["general"]["low"]
    assert rows["general_then_domain"]["domain"]["high"] < rows["general"]["domain"]["low"]
    for row in rows.values():
        for side in ("domain", "general"):
            assert row[side]["low"] <= row[side]["value"] <= row[side]["high"]


def test_all_have_one_size_and_saw_as_many_tokens(compared):
    out, found, _ = compared
    assert found["bytes"]["domain"] == pytest.approx(found["bytes"]["general"], rel=0.001)
    (note,) = found["notes"]
    assert note.startswith("Of the general text")
    runs = [TextRecipe.load(out / "runs" / name) for name in RUNS]
    assert len({(run.plan.rows, run.plan.context, run.plan.width) for run in runs}) == 1
    for row in found["rows"]:  # two halves have a step each, at least
        least = len(row["seen"]) * runs[0].plan.rows * runs[0].plan.context
        assert row["tokens"] == max(found["tokens"], least)
    sizes = {
        name: load_model(out / "runs" / name).config.parameters()
        for name in ("domain", "general", "general_then_domain")
    }
    assert len(set(sizes.values())) == 1
    assert read_json(out / "result.json") == found


def test_the_same_command_again_trains_nothing(compared):
    out, found, _ = compared
    folders = [str(out.parent / name) for name in ("law", "sea")]
    marks = {file: file.stat().st_mtime_ns for file in out.rglob("model.safetensors")}
    again = compare_text([folders[0]], [folders[1]], MINUTES, out, 0, Progress(True))
    assert again == found
    assert marks == {file: file.stat().st_mtime_ns for file in out.rglob("model.safetensors")}


def test_all_of_it_is_within_the_minutes(compared):
    _, found, seconds = compared
    assert seconds < 1.25 * 60 * MINUTES
    assert found["tokens"] > 0


def test_text_that_is_not_there_is_named(tmp_path):
    with pytest.raises(HornbookError, match="nowhere"):
        compare_text([str(tmp_path / "nowhere")], [str(tmp_path)], 1, tmp_path / "o", 0, Progress())
