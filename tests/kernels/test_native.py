"""Kernels of our own: what is said where they cannot be had."""

import pytest

from hornbook import kernels as native
from hornbook.kernels import store


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
    monkeypatch.setattr(native, "program", lambda *names: None)
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


def test_a_file_that_no_loader_takes_is_not_used(empty_home, tmp_path):
    place = native._place()
    if place is None:
        pytest.skip("no compiler, or torch's OpenMP runtime was not found")
    (tmp_path / "made").write_bytes(b"no library")
    store.keep(tmp_path / "made", place)
    assert native.library() is None and "failed" in native.missing()
    native.library.cache_clear()
    assert native.library() is None and not empty_home


def cut(path):
    path.write_bytes(path.read_bytes()[:-100])


def flip(path):
    whole = bytearray(path.read_bytes())
    whole[len(whole) // 2] ^= 1
    path.write_bytes(whole)


def make_folder(path):
    path.unlink()
    (path / "inside").mkdir(parents=True)


def make_link(path):
    path.rename(path.with_name("elsewhere.so"))
    path.symlink_to(path.with_name("elsewhere.so"))


DAMAGE = {
    "cut": cut,
    "flipped": flip,
    "empty": lambda path: path.write_bytes(b""),
    "short": lambda path: path.write_bytes(b"x"),
    "gone": lambda path: path.unlink(),
    "folder": make_folder,
    "link": make_link,
}


@pytest.mark.parametrize("how", DAMAGE)
def test_a_damaged_file_is_built_again(how, tmp_path):
    made, place = tmp_path / "made", tmp_path / "kernels" / "k.so"
    made.write_bytes(b"the kernels" * 1000)
    store.keep(made, place)
    assert store.is_whole(place)
    DAMAGE[how](place)
    assert not store.is_whole(place)
    with pytest.raises(OSError):
        store.load(place)
    store.keep(made, place)
    assert store.is_whole(place)


def test_damaged_kernels_are_neither_loaded_nor_given_up(empty_home):
    place = native._place()
    if place is None or native.build() is None:
        pytest.skip("the kernels cannot be built here")
    cut(place)
    assert native.library() is None and len(empty_home) == 1
    assert "built in the background" in native.missing()
    assert native.build() == place
    native.library.cache_clear()
    assert native.library() is not None


def test_what_others_could_write_is_not_loaded(tmp_path):
    made, place = tmp_path / "made", tmp_path / "kernels" / "k.so"
    made.write_bytes(b"the kernels")
    store.keep(made, place)
    for mode in (0o770, 0o702, 0o777):
        place.parent.chmod(mode)
        assert not store.is_whole(place)
        store.prepare(place.parent)
        assert not place.exists() and place.parent.stat().st_mode & 0o777 == 0o700
        store.keep(made, place)
    assert store.is_whole(place)


def test_a_link_to_another_folder_leaves_that_folder_as_it_is(tmp_path):
    other, made = tmp_path / "project", tmp_path / "made"
    other.mkdir()
    other.chmod(0o777)
    (other / "mine.so").write_bytes(b"of the user")
    made.write_bytes(b"the kernels")
    (tmp_path / "kernels").symlink_to(other)
    store.keep(made, tmp_path / "kernels" / "k.so")
    assert (other / "mine.so").read_bytes() == b"of the user"
    assert other.stat().st_mode & 0o777 == 0o777
    assert not store.is_whole(tmp_path / "kernels" / "k.so")


def test_a_folder_of_another_user_is_left_alone(empty_home, monkeypatch, tmp_path):
    if native._place() is None:
        pytest.skip("no compiler, or torch's OpenMP runtime was not found")
    (tmp_path / "kernels").mkdir(mode=0o700)
    monkeypatch.setattr(store.os, "geteuid", lambda: 12345)
    assert native.library() is None and native.build() is None and not empty_home
    assert "another user" in native.missing()
