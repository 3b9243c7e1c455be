"""Every command in the READMEs is one that the program has, with options that it has."""

import re
import shlex
from pathlib import Path

import pytest
import typer

from hornbook.cli import app

ROOT = Path(__file__).parents[2]
LINES = [
    (name, line.split("  #")[0].strip())
    for name in ("README.md", "README.zh.md")
    for line in (ROOT / name).read_text(encoding="utf-8").splitlines()
    if re.match(r" {4}hornbook ", line)
]


@pytest.mark.parametrize(("name", "line"), LINES)
def test_it_parses(name, line):
    """Parsed as the program would, and not run: an unknown word or option raises."""
    command, words = typer.main.get_command(app), shlex.split(line)[1:]
    while "commands" in vars(command):
        command, words = command.commands[words[0]], words[1:]
    assert command.make_context(line, words).params


def test_there_are_as_many_in_both_languages():
    assert len({line for name, line in LINES if name == "README.md"}) > 15
    counts = [sum(name == readme for name, _ in LINES) for readme in ("README.md", "README.zh.md")]
    assert counts[0] == counts[1]
