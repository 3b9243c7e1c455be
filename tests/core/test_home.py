"""Where Hornbook's own folder is, whatever the environment says."""

from pathlib import Path

import pytest

from hornbook.core.errors import UsageError
from hornbook.core.home import home


def test_a_relative_place_of_caches_is_not_looked_at(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HORNBOOK_HOME")
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    for relative in ("caches", ".", "../x", ""):
        monkeypatch.setenv("XDG_CACHE_HOME", relative)
        assert home() == tmp_path / "me" / ".cache" / "hornbook"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    assert home() == tmp_path / "caches" / "hornbook"


def test_the_folder_that_a_user_names_is_the_same_everywhere(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HORNBOOK_HOME", "here")
    assert home() == tmp_path / "here"
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    monkeypatch.setenv("HORNBOOK_HOME", "~/mine")
    assert home() == tmp_path / "me" / "mine"


def test_who_has_no_home_is_told_what_to_set(monkeypatch):
    monkeypatch.setenv("HORNBOOK_HOME", "~nobody-of-this-name/x")
    with pytest.raises(UsageError, match="Set HORNBOOK_HOME"):
        home()
    monkeypatch.delenv("HORNBOOK_HOME")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr("sys.platform", "linux")

    def nowhere():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", nowhere)
    with pytest.raises(UsageError, match="Set HORNBOOK_HOME"):
        home()
