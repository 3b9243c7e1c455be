"""The figures of `bench` are of the model and the loop that they say they are of."""

import json

import pytest

from hornbook.cli import app
from hornbook.cli import bench as command
from hornbook.core.errors import UsageError
from hornbook.nn.packed import kernel_works
from hornbook.workflows.measure.bench import BenchConfig, bench
from tests.schemas import check
from tests.tiny import QUIET, decoder_folder

SMALL = {"lengths": (8, 20, 4000), "streams": (1, 3), "tokens": 4, "rounds": 2}


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    sizes = {"vocab": 320, "width": 64, "context": 64, "heads": 4, "head": 16, "hidden": 96}
    for name, tied in (("llama", True), ("qwen3", False), ("lstm", False)):
        decoder_folder(folder, "the hornbook and others " * 50, name, name, tied=tied, **sizes)
    return folder


@pytest.mark.parametrize("name", ["llama", "qwen3", "lstm"])
def test_figures_follow_from_each_other(models, name):
    found = bench(models / name, BenchConfig(**SMALL), QUIET)
    check("bench", found)
    assert [row["tokens"] for row in found["prompts"]] == [8, 20]  # 4,000 do not fit
    assert [row["streams"] for row in found["streams"]] == [1, 3]
    for row in (*found["prompts"], *found["streams"]):
        assert 0 < row["low"] <= row["tokens_per_second"] <= row["high"]
        assert row["share"] > 0
    assert found["kernels"] == "all digits in torch's kernels"
    assert found["peak_bytes"] > found["weight_bytes"] > 0
    json.dumps(found)


def test_what_is_read_is_counted_once(models):
    from hornbook.workflows.measure.bench import _work
    from hornbook.workflows.open.generator import open_generator

    for name, tables in (("llama", 1), ("qwen3", 2)):
        model, _ = open_generator(models / name, "cpu")
        numbers, size, *_ = _work(model)
        of_all = sum(p.numel() for p in model.parameters())
        table = model.config.vocab * model.config.width
        assert size == 4 * (of_all - (tables - 1) * table)
        assert numbers == size // 4 - sum(p.numel() for p in model.parameters() if p.ndim == 1)


@pytest.mark.skipif(not kernel_works(), reason="no kernels for codes here")
def test_codes_are_read_as_codes(models):
    plain = bench(models / "llama", BenchConfig(**SMALL), QUIET)
    coded = bench(models / "llama", BenchConfig(**SMALL, weights="int4"), QUIET)
    assert (
        coded["kernels"].startswith("codes") and coded["weight_bytes"] < plain["weight_bytes"] / 2
    )


def test_lengths_that_cannot_be_are_refused(models, monkeypatch):
    with pytest.raises(UsageError, match="do not fit into this model's context of 64"):
        bench(models / "llama", BenchConfig(lengths=(62,), tokens=4), QUIET)
    with pytest.raises(UsageError, match="streams"):
        BenchConfig.parse({"streams": (0,)}, "bench")
    for huge in ({"streams": (10**20,)}, {"rounds": 10**20}):
        with pytest.raises(UsageError, match="less than or equal"):
            BenchConfig.parse(huge, "bench")
    monkeypatch.setattr("hornbook.workflows.measure.bench.memory_bytes", lambda: 1000)
    with pytest.raises(UsageError, match=r"8 streams of .* need .* GiB"):
        bench(models / "llama", BenchConfig(lengths=(8,), tokens=4), QUIET)


def test_the_table_has_a_line_for_every_figure(models):
    found = bench(models / "llama", BenchConfig(**SMALL), QUIET)
    table = command._table(found).splitlines()
    assert len([line for line in table if line.rstrip().endswith("%")]) == 4
    assert "bench" in {one.name for one in app.registered_commands}
