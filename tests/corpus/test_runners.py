"""Where work is done changes nothing: the same bytes here and on Ray, errors come through."""

import importlib.util
import json
import random

import pytest

from hornbook.core.errors import HornbookError, UsageError
from hornbook.core.pool import Local, Ray, runner_of
from hornbook.corpus import ingest
from hornbook.corpus.build import build
from hornbook.corpus.recipe import CorpusRecipe, ParagraphConfig, recipe_of
from tests.tiny import QUIET, contents

WORDS = ["the", "river", "of", "boat", "to", "morning", "and", "that", "letter", "have", "with"]
needs_ray = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None, reason="ray is not installed"
)


@pytest.fixture
def source(tmp_path):
    draw = random.Random(0)
    for name in "abcdef":
        rows = [" ".join(draw.choice(WORDS) for _ in range(80)) for _ in range(40)]
        rows += [rows[3], rows[4] + " indeed", f"{rows[5][:80]} and more of this"]
        lines = [json.dumps({"text": row}) + "\n" for row in rows]
        (tmp_path / "in").mkdir(exist_ok=True)
        (tmp_path / "in" / f"{name}.jsonl").write_text("".join(lines) + "{broken\n")
    (tmp_path / "e.json").write_text(json.dumps(rows[9:12]))
    return tmp_path / "in"


@pytest.fixture(scope="module")
def ray_of_two():
    import ray

    ray.init(num_cpus=2, log_to_driver=False, configure_logging=False, include_dashboard=False)
    yield Ray()
    ray.shutdown()


def double(number):
    if number == 13:
        raise HornbookError("thirteen is not doubled")
    return 2 * number


@pytest.mark.parametrize("count", [0, 1, 12])
def test_results_come_in_order(count):
    assert list(Local(2).map(double, list(range(count)))) == [2 * i for i in range(count)]


def test_an_error_of_one_item_is_raised():
    with pytest.raises(HornbookError, match="thirteen"):
        list(Local(2).map(double, list(range(20))))


def test_a_runner_by_name():
    assert isinstance(runner_of("local"), Local)
    with pytest.raises(UsageError, match="Did you mean 'ray'"):
        runner_of("rey")


@needs_ray
@pytest.mark.slow  # to start Ray takes ten seconds
def test_two_ray_workers_give_the_same_bytes(source, tmp_path, monkeypatch, ray_of_two):
    monkeypatch.setattr(ingest, "UNIT_BYTES", 1)
    recipe = CorpusRecipe(
        near_mode="drop",
        paragraphs=ParagraphConfig(least_bytes=20),
        rules={"gopher_word_count": {}, "gopher_stop_words": {}},
        against=(str(tmp_path / "e.json"),),
    )
    local = build([source], tmp_path / "local", recipe, QUIET, runner=Local(1))
    far = build([source], tmp_path / "far", recipe, QUIET, runner=ray_of_two)
    assert len(list((local.folder / "documents").iterdir())) == 6
    assert contents(local.folder) == contents(far.folder)
    assert local.facts["documents"]["dropped"].keys() >= {"duplicate", "evaluation data"}


@needs_ray
@pytest.mark.slow  # to start Ray takes ten seconds
def test_an_error_on_ray_is_the_error_itself(ray_of_two):
    assert list(ray_of_two.map(recipe_of, ["web"] * 12)) == [recipe_of("web")] * 12
    with pytest.raises(UsageError, match="Did you mean 'web'"):
        list(ray_of_two.map(recipe_of, ["web", "wbe"]))
