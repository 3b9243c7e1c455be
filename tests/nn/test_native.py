"""Kernels of our own: what is said where they cannot be had."""

import pytest

from hornbook.nn import native


@pytest.fixture
def empty_home(tmp_path, monkeypatch):
    """A home without kernels; processes that would build them are only counted."""
    begun = []
    monkeypatch.setenv("HORNBOOK_HOME", str(tmp_path))
    monkeypatch.setattr(native, "_build_aside", lambda: begun.append(1))
    monkeypatch.setattr(native, "has_avx2", lambda: True)
    native.library.cache_clear()
    yield begun
    native.library.cache_clear()


def test_without_a_compiler_others_compute(empty_home, monkeypatch):
    monkeypatch.setattr(native.shutil, "which", lambda name: None)
    assert native.library() is None and native.build() is None and not empty_home
    assert "no C++ compiler" in native.missing()


def test_on_another_processor_others_compute(empty_home, monkeypatch):
    monkeypatch.setattr(native, "has_avx2", lambda: False)
    assert native.library() is None and native.build() is None and not empty_home
    assert "AVX2" in native.missing()


def test_a_compiler_that_fails_is_asked_once_and_its_words_are_kept(
    empty_home, monkeypatch, tmp_path
):
    broken = tmp_path / "broken-g++"
    broken.write_text("#!/bin/sh\necho no such option >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setenv("CXX", str(broken))
    if native._openmp() is None:
        pytest.skip("torch's OpenMP runtime was not found")
    assert native.library() is None and len(empty_home) == 1
    assert "built in the background" in native.missing()
    assert native.build() is None
    native.library.cache_clear()
    assert native.library() is None and len(empty_home) == 1
    (complaint,) = (tmp_path / "kernels").glob("*.failed.txt")
    assert complaint.read_text() == "no such option\n"
    assert str(complaint) in native.missing()


def test_a_file_that_is_no_library_is_not_used(empty_home):
    place = native._place()
    if place is None:
        pytest.skip("no compiler, or torch's OpenMP runtime was not found")
    place.parent.mkdir()
    place.write_bytes(b"half a file")
    assert native.library() is None and "failed" in native.missing()
    native.library.cache_clear()
    assert native.library() is None and not empty_home
