"""Where kernels are kept: damaged ones and those that others could write are not loaded."""

import pytest

from hornbook.kernels import store


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
