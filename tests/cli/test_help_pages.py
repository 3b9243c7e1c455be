"""Every help page: options in groups, plain words for values, a text each, in both languages."""

import json
import re

import pytest
import typer

from hornbook.cli import app
from hornbook.cli.help_groups import COMMANDS, GROUPS, OPTIONS, VALUES, group_of
from hornbook.cli.help_pages import columns, in_our_language
from hornbook.core.language import speak
from tests.messages import CATALOGUE


def pages(command, names=("hornbook",), parent=None):
    """All commands with their names and contexts, the groups included."""
    ctx = command.context_class(command, parent=parent, info_name=names[-1], max_content_width=80)
    ctx.terminal_width = 80
    yield names, command, ctx
    for name, below in getattr(command, "commands", {}).items():
        yield from pages(below, (*names, name), ctx)


PAGES = list(pages(in_our_language(typer.main.get_command(app))))
NAMES = [" ".join(names[1:]) or "hornbook" for names, _, _ in PAGES]


@pytest.fixture
def chinese():
    speak("zh")
    yield
    speak("en")


@pytest.mark.parametrize(("names", "command", "ctx"), PAGES, ids=NAMES)
def test_a_page_is_in_groups_and_plain(names, command, ctx):
    page = ctx.get_help()
    assert max(map(len, page.splitlines())) <= 80
    assert not re.search(r"list\[|<\w+>|\{\w+\}\.\.\.|x[<>]=", page)
    below = page.split("\nOptions:")[1]
    assert set(re.findall(r"--[\w-]+", below)) <= {"--help", "--version", "--language"}


@pytest.mark.parametrize(("names", "command", "ctx"), PAGES, ids=NAMES)
def test_every_option_says_what_it_is(names, command, ctx):
    assert command.help
    for parameter in command.params:
        assert parameter.help and parameter.help[-1] == ".", parameter.name


@pytest.mark.parametrize(("names", "command", "ctx"), PAGES, ids=NAMES)
def test_a_page_is_chinese_too(chinese, names, command, ctx):
    page = ctx.get_help()
    assert max(map(columns, page.splitlines())) <= 80
    headings = re.findall(r"^(\S.*):$", page, re.MULTILINE)
    assert headings and not [heading for heading in headings if heading.isascii()]


def test_headings_and_notes_have_chinese():
    known = json.loads(CATALOGUE.read_text(encoding="utf-8"))
    assert not [h for h in (*COMMANDS, *GROUPS, "repeatable", "at least") if h not in known]


def test_the_tables_name_what_there_is():
    options = {p.name for _, command, _ in PAGES for p in command.params}
    commands = {names[-1] for names, _, _ in PAGES}
    for table in (OPTIONS, VALUES):
        listed = {name.split(".")[-1] for names in table.values() for name in names.split()}
        assert listed <= options, listed - options
    assert {name for names in COMMANDS.values() for name in names.split()} <= commands
    assert group_of("tokens", "bench") == "Measurement" != group_of("tokens", "pretrain")
