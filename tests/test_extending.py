"""docs/extending.md is true: its diffs apply to this tree, and what it adds passes its tests."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
PARTS = {
    title: (
        "".join(re.findall(r"^```diff\n(.*?)^```$", body, re.MULTILINE | re.DOTALL)),
        re.findall(r"^ {4}(python .*)$", body, re.MULTILINE),
    )
    for title, body in re.findall(r"^## (.+)\n((?:(?!## ).*\n)*)", PAGE, re.MULTILINE)
}
each = pytest.mark.parametrize("title", PARTS)


def git_apply(folder: Path, diff: str, *options: str) -> str:
    """What git says against it; nothing where the diff applies."""
    done = subprocess.run(
        ["git", "apply", "--whitespace=error-all", *options],
        cwd=folder,
        input=diff,
        capture_output=True,
        text=True,
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", "GIT_CEILING_DIRECTORIES": str(folder.parent)},
    )
    return done.stderr if done.returncode else ""


def test_every_part_has_a_change_and_a_test():
    assert len(PARTS) >= 5
    assert all(diff and commands for diff, commands in PARTS.values())


@each
def test_a_diff_applies(title):
    """Or is applied already, as by who is just trying it."""
    diff = PARTS[title][0]
    refused = git_apply(ROOT, diff, "--check")
    assert not refused or not git_apply(ROOT, diff, "--check", "--reverse"), refused


def test_a_diff_that_does_not_apply_is_noticed():
    wrong = PARTS["A reader"][0].replace("epub_file", "epub_fil")
    assert "does not apply" in git_apply(ROOT, wrong, "--check")


@pytest.mark.slow
@each
def test_what_is_added_passes_its_tests(title, tmp_path):
    diff, commands = PARTS[title]
    for name in ("hornbook", "tests", "docs"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    assert not git_apply(tmp_path, diff)
    for command in commands:
        words = [sys.executable, *shlex.split(command)[1:]]
        done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, (done.stdout + done.stderr)[-2000:]
