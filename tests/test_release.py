"""What a release publishes: versions with hashes, and the same bytes from every build."""

import re
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "scripts"))

import audit  # noqa: E402
import release  # noqa: E402


def name_of(requirement):
    """As indexes write it, PEP 503."""
    return re.sub(r"[-_.]+", "-", re.match(r"[\w.-]+", requirement)[0]).lower()


@pytest.fixture(scope="module")
def locked():
    """Versions and the rest of each entry of requirements.lock, by name; a name may come twice."""
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    entries = [entry for entry in re.split(r"(?m)^(?=\S)", text) if entry and entry[0] != "#"]
    found = {}
    for entry in entries:
        name, version, rest = re.match(r"(\S+)==(\S+)(.*)", entry, re.DOTALL).groups()
        found.setdefault(name, []).append((version, rest))
    return found


def test_every_library_is_locked_with_hashes(locked):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    inner = re.search(r"\[(.*)\]", extras["all"][0])[1].split(",")
    wanted = project["dependencies"] + [line for extra in inner for line in extras[extra]]
    assert {name_of(line) for line in wanted} - {"torch"} <= locked.keys(), "run `make lock`"
    assert all(
        re.search(r"--hash=sha256:[0-9a-f]{64}", rest) for e in locked.values() for _, rest in e
    )


def test_versions_are_those_that_are_tested(locked):
    constraints = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    tested = dict(line.split("==") for line in constraints.split("\n") if "==" in line)
    both = {name_of(name): version for name, version in tested.items() if name_of(name) in locked}
    assert len(both) > 25
    assert {name: [v for v, _ in locked[name]] for name in both} == {
        name: [version] for name, version in both.items()
    }, "run `make lock`"


SOUND = {"name": "a", "version": "1", "vulns": []}
BAD = {"name": "b", "version": "2", "vulns": [{"id": "PYSEC-1", "fix_versions": ["3"]}]}
SKIPPED = {"name": "c", "skip_reason": "not found"}


@pytest.mark.parametrize(
    ("found", "line", "out_of_reach"),
    [
        ([SOUND, SOUND], "2 of 2 versions looked up; no known faults.", False),
        ([SOUND, BAD], "2 of 2 versions looked up; 1 known faults.", False),
        ([SOUND, SKIPPED], "1 of 2 versions looked up, not c; no known faults.", False),
        ([SKIPPED], "The list of known faults is out of reach: no version was looked up.", True),
        ([], "The list of known faults is out of reach: no version was looked up.", True),
    ],
)
def test_what_could_not_be_looked_up_is_not_called_sound(found, line, out_of_reach):
    looked = audit.read(found)
    assert (looked.line, looked.out_of_reach) == (line, out_of_reach)
    assert looked.faults == (["b 2: PYSEC-1, mended in 3"] if BAD in found else [])


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["--sdist", "--wheel"])
def test_two_builds_have_the_same_bytes(tmp_path, kind, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["release"])
    once = release.build(tmp_path / "once", "--no-isolation", kind)
    again = release.build(tmp_path / "some where" / "else", "--no-isolation", kind)
    assert len(once) == 1 and release.differing(once, again) == []
