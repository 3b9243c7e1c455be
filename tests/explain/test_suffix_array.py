"""Whatever stands in a text is found in it, as often as it stands there."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hornbook.core.errors import HornbookError
from hornbook.explain.suffix_array import SuffixArray, write_suffix_array

FEW = st.binary(min_size=1, max_size=40).map(lambda data: bytes(b"ab\xff"[x % 3] for x in data))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("array")


@given(text=FEW, pattern=FEW)
def test_it_finds_what_looking_at_every_place_finds(folder, text, pattern):
    write_suffix_array(bytearray(text), folder)
    array = SuffixArray.open(folder)
    wanted = [i for i in range(len(text)) if text.startswith(pattern, i)]
    assert sorted(array.places(pattern).tolist()) == wanted
    lengths = range(len(pattern) + 1)
    assert array.longest(pattern) == max(n for n in lengths if pattern[:n] in text)


def test_files_that_do_not_fit_are_named(folder):
    write_suffix_array(bytearray(b"banana"), folder)
    (folder / "text.bin").write_bytes(b"bananas")
    with pytest.raises(HornbookError, match=r"order\.npy does not belong"):
        SuffixArray.open(folder)
    (folder / "order.npy").write_bytes(b"")
    with pytest.raises(HornbookError, match="damaged"):
        SuffixArray.open(folder)
