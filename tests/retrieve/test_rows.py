"""The map of vectors: every row counts, whoever multiplies, and half a file is none."""

import numpy as np
import pytest

from hornbook import kernels
from hornbook.retrieve import rows as half_rows
from hornbook.retrieve.rows import HalfRows, write_rows


def written(path, *parts):
    with path.open("wb") as stream:
        for part in parts:
            write_rows(stream, part)
    return sum(map(len, parts)), parts[0].shape[1]


@pytest.mark.parametrize(("count", "width"), [(1, 26), (16, 32), (45, 384), (33, 100)])
@pytest.mark.parametrize("compiled", [True, False])
def test_products_are_those_of_the_half_floats(tmp_path, monkeypatch, count, width, compiled):
    if not compiled:
        monkeypatch.setattr(half_rows, "library", lambda: None)
    elif kernels.library() is None:
        pytest.skip(f"no kernels: {kernels.missing()}")
    draw = np.random.default_rng(0)
    first, last = (draw.standard_normal((n, width)).astype(np.float32) for n in (32, count))
    sizes = written(tmp_path / "rows", first, last)
    vector = draw.standard_normal(width).astype(np.float32)
    exact = np.concatenate([first, last]).astype(np.float16).astype(np.float64) @ vector
    found = HalfRows(tmp_path / "rows", *sizes).products(vector)
    assert found.shape == exact.shape and np.allclose(found, exact, atol=1e-4)


def test_a_file_of_another_size_is_refused(tmp_path):
    count, width = written(tmp_path / "rows", np.ones((20, 32), np.float32))
    for wrong in ((count + 20, width), (count, width + 32)):
        with pytest.raises(ValueError, match="another size"):
            HalfRows(tmp_path / "rows", *wrong)
    with pytest.raises(OSError, match="rows"):
        HalfRows(tmp_path / "none-rows", count, width)
