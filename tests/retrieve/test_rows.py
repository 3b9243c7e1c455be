"""The map of vectors: what is found by codes is what is found by looking at every row."""

import numpy as np
import pytest

from hornbook import kernels
from hornbook.retrieve import rows as mapped
from hornbook.retrieve.rows import MappedRows, RowsWriter
from hornbook.retrieve.vectors import Cosines

DRAW = np.random.default_rng(0)


def unit(rows):
    return (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)


def written(folder, *parts):
    with (folder / "f16").open("wb") as rows, (folder / "q8").open("wb") as codes:
        writer = RowsWriter(rows, codes)
        for part in parts:
            writer.write(part)
    return sum(map(len, parts)), parts[0].shape[1], writer.steps


def opened(folder, *sizes):
    return MappedRows(folder / "f16", folder / "q8", *sizes)


@pytest.fixture(params=[True, False], ids=["kernels", "numpy"])
def compiled(request, monkeypatch):
    if not request.param:
        monkeypatch.setattr(mapped, "library", lambda: None)
    elif kernels.library() is None:
        pytest.skip(f"no kernels: {kernels.missing()}")


ALL_ALIKE = unit(np.ones((1, 384)) + 0.01 * DRAW.standard_normal((700, 384)))
SPREAD = unit(DRAW.standard_normal((700, 100)))
UNEVEN = unit(DRAW.standard_normal((700, 64)) * np.geomspace(1e-7, 1, 64))


@pytest.mark.parametrize("rows", [ALL_ALIKE, SPREAD, UNEVEN, SPREAD[:1]])
@pytest.mark.parametrize("count", [1, 10, 2000])
def test_the_best_by_codes_are_the_best(tmp_path, compiled, rows, count):
    sizes = written(tmp_path, rows[:16], rows[16:]) if len(rows) > 16 else written(tmp_path, rows)
    map_ = opened(tmp_path, *sizes)
    vector = unit(rows[0] + 0.5 * rows[-1])
    about, off = map_.products(vector)
    exact = rows.astype(np.float16).astype(np.float64) @ vector
    assert np.abs(about - exact).max() <= off + 1e-6
    numbers = DRAW.permutation(len(rows)) + 5
    order = np.argsort(numbers)
    cosines = Cosines(numbers, order, about, off, lambda places: map_.exactly(places, vector))
    found = cosines.best(count)
    expected = np.sort(exact)[::-1][:count]
    assert np.allclose([one.score for one in found], expected, atol=1e-6)
    assert cosines.of([int(numbers[0]), 10**6]) == pytest.approx({numbers[0]: exact[0]}, abs=1e-6)
    some = numbers[: max(1, len(rows) // 3)]
    allowed = np.sort(exact[: len(some)])[::-1][:count]
    assert np.allclose([one.score for one in cosines.best(count, some)], allowed, atol=1e-6)


def test_files_of_another_size_are_refused(tmp_path):
    count, width, steps = written(tmp_path, SPREAD[:20])
    for wrong in (
        (count + 20, width, steps),
        (count, width + 32, steps),
        (count, width, steps[1:]),
    ):
        with pytest.raises(ValueError, match=r"another size|other groups"):
            opened(tmp_path, *wrong)
    (tmp_path / "q8").unlink()
    with pytest.raises(OSError, match="q8"):
        opened(tmp_path, count, width, steps)
