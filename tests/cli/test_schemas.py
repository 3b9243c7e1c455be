"""docs/schemas: one for every command that prints JSON, valid, and strict enough to notice."""

import copy
import json
import math
import re

import pytest
import typer
from jsonschema import Draft202012Validator

from hornbook.cli import app
from hornbook.cli.output import print_json
from tests.schemas import FOLDER, SCHEMAS, check


def commands(group, name=()):
    """The names of all commands with --json."""
    if "commands" in vars(group):
        for word, inner in group.commands.items():
            yield from commands(inner, (*name, word))
    elif any("--json" in option.opts for option in group.params):
        yield "_".join(name)


def test_every_command_has_one():
    printing = set(commands(typer.main.get_command(app)))
    assert len(printing) > 20
    assert printing == set(SCHEMAS) - {"common", "error", "dry_run"}


@pytest.mark.parametrize("page", ["README.md", "README.zh.md"])
def test_the_page_names_all(page):
    links = re.findall(r"\]\((\w+)\.json\)", (FOLDER / page).read_text(encoding="utf-8"))
    assert sorted(links) == sorted(SCHEMAS)


@pytest.mark.parametrize("name", SCHEMAS)
def test_it_is_a_schema_and_allows_more_fields(name):
    schema = SCHEMAS[name]
    Draft202012Validator.check_schema(schema)
    assert schema["$id"] == f"{name}.json" and schema["title"]
    assert '"additionalProperties": false' not in json.dumps(schema)


GOOD = {"text": "a", "token_ids": [1], "prompt_tokens": 1, "tokens_per_second": 2.5,
        "finish_reason": "length"}  # fmt: skip


@pytest.mark.parametrize(
    ("key", "value"),
    [("text", None), ("token_ids", "1"), ("token_ids", [0.5]), ("tokens_per_second", float("nan"))],
)
def test_a_wrong_object_is_noticed(key, value):
    check("generate", {**GOOD, "more": 1})
    with pytest.raises(AssertionError):
        check("generate", {**GOOD, key: value})
    less = copy.copy(GOOD)
    del less[key]
    with pytest.raises(AssertionError, match=key):
        check("generate", less)


def test_a_figure_that_is_none_is_null(capsys):
    print_json({"share": {"value": math.nan, "low": 0.0}, "rows": [math.inf, (1, "NaN")]}, True)
    found = json.loads(capsys.readouterr().out)
    assert found == {"share": {"value": None, "low": 0.0}, "rows": [None, [1, "NaN"]]}
