"""Sizes that this machine cannot hold are refused by name; whatever can be held passes."""

import pytest

from hornbook.core.errors import UsageError
from hornbook.core.machine import memory_bytes
from hornbook.training import fits
from hornbook.training.dial import Wanted
from hornbook.training.fits import check_fits, least_bytes
from hornbook.training.image_dial import WantedImages
from hornbook.training.pair_dial import WantedPairs
from tests.in_process import hornbook


@pytest.mark.parametrize(
    ("wanted", "named"),
    [
        (Wanted(context=999_999_999_999), "--context 999999999999: a step needs at least"),
        (Wanted(width=1_000_000_000), "--width 1000000000"),
        (Wanted(rows=99_999_999_999), "--rows 99999999999"),
        (Wanted(micro_rows=99_999_999_999), "--micro-rows 99999999999"),
        (Wanted(depth=10**12), "--depth 1000000000000"),
        (Wanted(vocab=10**30), "--vocab-size 1" + "0" * 30),
        (Wanted(width=10_000, depth=100_000), "--depth 100000, --width 10000"),
        (WantedPairs(tokens=10**12), "--tokens 1000000000000"),
        (WantedImages(width=10**9), "--width 1000000000"),
    ],
)
def test_what_cannot_be_held_is_named(wanted, named):
    with pytest.raises(UsageError) as refused:
        check_fits(wanted)
    assert str(refused.value).startswith(named)


def test_what_people_train_passes(monkeypatch):
    monkeypatch.setattr(fits, "memory_bytes", lambda: 8 * 2**30)
    check_fits(Wanted())
    check_fits(Wanted(depth=12, width=768, vocab=50_304, context=1024, rows=64, micro_rows=8))
    check_fits(WantedPairs(depth=6, width=512, vocab=32_000, tokens=25_000))


def test_the_least_is_less_than_a_real_step_takes():
    plan = {"depth": 2, "width": 64, "vocab": 512, "context": 128, "rows": 4, "micro_rows": 4}
    config = Wanted(**plan)
    from hornbook.training.dial import Plan

    built = Plan(preset="qwen3", heads=1, hidden=192, **plan).config(512).build()
    weights = sum(weight.numel() for weight in built.parameters())
    assert least_bytes(plan) < 16 * weights + 4 * 4 * 128 * 64 * 2 * 10
    check_fits(config)


def test_memory_is_that_of_the_machine():
    assert 2**28 < memory_bytes() < 2**50


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    (folder / "a.txt").write_text("".join(f"Line {i} of {i * i}.\n" for i in range(500)))
    assert hornbook("corpus", "build", folder / "a.txt", "--out", folder / "corpus")[0] == 0
    return folder / "corpus"


@pytest.mark.parametrize("option", ["--context", "--width", "--rows", "--depth", "--vocab-size"])
def test_before_anything_starts(corpus, tmp_path, option):
    asked = ["pretrain", "--corpus", corpus, "--out", tmp_path / "run"]
    code, _, err = hornbook(*asked, "--minutes", 1, option, 999_999_999_999)
    assert (code, f"{option} 999999999999: a step needs" in err) == (2, True), err
    assert not (tmp_path / "run").exists()
