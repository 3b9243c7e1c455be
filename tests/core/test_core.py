"""Whole files or none, stages that are reused, errors that name the nearest valid choice."""

import errno
import functools
import json

import pytest

from hornbook.core.claims import Claim
from hornbook.core.config import Config, read_recipe
from hornbook.core.errors import HornbookError, UsageError, nearest
from hornbook.core.files import atomic_file, require_space, write_json
from hornbook.core.folders import atomic_folder
from hornbook.core.machine import Machine, measure_machine
from hornbook.core.metrics import MetricsLog
from hornbook.core.stages import run_stage
from hornbook.core.stats import bootstrap_ratio, wilson

OWN = Claim("test")


class Inner(Config):
    width: int = 1


class Outer(Config):
    inner: Inner = Inner()


class Example(Config):
    width: int = 1
    depth: int = 2


def test_unknown_keys_name_the_nearest():
    with pytest.raises(
        UsageError, match=r"recipe\.yaml: unknown key 'widht'. Did you mean 'width'"
    ):
        Example.parse({"widht": 3}, "recipe.yaml")
    with pytest.raises(UsageError, match=r"unknown key .inner\.with.\. Did you mean .width."):
        Outer.parse({"inner": {"with": 3}}, "here")
    with pytest.raises(UsageError, match="width = 'x'"):
        Example.parse({"width": "x"}, "here")
    assert Example.parse(Example(width=5).plain(), "here") == Example(width=5)
    assert nearest("zzz", ["b", "a"]) == "Valid: a, b."


def test_of_many_names_the_nearest_three_are_enough():
    many = [f"folder/{i:06d}.txt:0" for i in range(20_000)]
    assert nearest("folder/012345.md:0", many) == "Did you mean 'folder/012345.txt:0'?"
    said = nearest("zzz.txt", many)
    assert said.startswith("The nearest of 20,000: 'folder/") and said.count("'") == 6
    assert nearest("x", ["ab", "cd", "ef", "gh"], most=3).startswith("The nearest of 4: ")
    assert len(nearest("zzz", ["a" * 10_000, "b" * 10_000])) < 700
    assert nearest("x", []) == "There is none."


def test_recipes_and_overrides(tmp_path):
    path = tmp_path / "r.yaml"
    path.write_text("minutes: 3\nplan: {depth: 2}\n")
    found = read_recipe(path, ["plan.width=64", "seed=7"])
    assert found == {"minutes": 3, "plan": {"depth": 2, "width": 64}, "seed": 7}
    for wrong, message in [("x", "not key=value"), ("minutes.x=1", "holds a value")]:
        with pytest.raises(UsageError, match=message):
            read_recipe(path, [wrong])
    path.write_text("a: [")
    with pytest.raises(UsageError, match="not valid YAML"):
        read_recipe(path)
    with pytest.raises(UsageError, match="Cannot read the recipe"):
        read_recipe(tmp_path / "absent.yaml")


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_failure_leaves_the_old_and_nothing_else(tmp_path, kind):
    place = tmp_path / "thing"
    atomic = atomic_file if kind == "file" else functools.partial(atomic_folder, claim=OWN)

    def write(aside, text):
        (aside if kind == "file" else aside / "x").write_text(text)

    with atomic(place) as aside:
        write(aside, "old")
    with pytest.raises(RuntimeError), atomic(place) as aside:
        write(aside, "half")
        raise RuntimeError
    assert (place if kind == "file" else place / "x").read_text() == "old"
    with pytest.raises(HornbookError, match="disk is full while writing"), atomic(place) as aside:
        raise OSError(errno.ENOSPC, "No space left on device")
    assert [path.name for path in tmp_path.iterdir()] == ["thing"]


def test_stages_are_built_once_for_their_inputs(tmp_path):
    built = []

    def build(folder):
        built.append(1)
        (folder / "x").write_text("x")

    stage = tmp_path / "stage"
    assert run_stage(stage, OWN, {"a": 1}, build)
    assert not run_stage(stage, OWN, {"a": 1}, build)
    assert run_stage(stage, OWN, {"a": 2}, build)
    assert len(built) == 2
    (stage / "stage.json").unlink()  # without its marker it may be anything
    with pytest.raises(UsageError, match="holds other files"):
        run_stage(stage, OWN, {"a": 2}, build)


def test_metrics_rewind_and_survive_a_torn_line(tmp_path):
    log = MetricsLog(tmp_path / "m.jsonl")
    log.rewind(0)
    for step in (1, 2, 3):
        log.append(step, loss=1 / step)
    with log.path.open("a") as stream:
        stream.write('{"step": 4, "lo')
    assert [row["step"] for row in log.rows()] == [1, 2, 3]
    log.rewind(2)
    assert [json.loads(line)["step"] for line in log.path.read_text().splitlines()] == [1, 2]


def test_space_is_asked_for_before(tmp_path):
    require_space(tmp_path / "not" / "there", 1, "This")
    with pytest.raises(HornbookError, match="This needs about"):
        require_space(tmp_path, 2**60, "This")


def test_json_files(tmp_path):
    write_json(tmp_path / "a" / "x.json", {"字": 1})
    assert "字" in (tmp_path / "a" / "x.json").read_text(encoding="utf-8")


def test_wilson_against_published_values():
    # Newcombe 1998, table I, method 3: 81 of 263 and 0 of 20.
    assert wilson(81, 263)[1:] == pytest.approx((0.2553, 0.3662), abs=5e-4)
    assert wilson(0, 20)[1:] == pytest.approx((0.0, 0.1611), abs=5e-4)


def test_bootstrap_covers_the_ratio():
    found = bootstrap_ratio([1.0, 2.0, 3.0, 4.0] * 20, [1.0, 1.0, 2.0, 2.0] * 20)
    assert found.value == pytest.approx(10 / 6)
    assert found.low < found.value < found.high
    assert bootstrap_ratio([1, 2], [1, 2]) == (1, 1, 1)


def test_the_number_type_follows_the_measurement():
    def machine(short):
        rates = {"float32": 100.0, "bfloat16": short}
        return Machine(device="cpu", name="x", threads=2, rates=rates, compiler=True)

    assert [machine(r).dtype for r in (50.0, 110.0, 700.0)] == ["float32", "float32", "bfloat16"]


def test_this_machine_can_be_measured():
    found = measure_machine("cpu")
    assert all(rate > 1e8 for rate in found.rates.values())
    with pytest.raises(UsageError, match="Unknown device 'tpu'"):
        measure_machine("tpu")
