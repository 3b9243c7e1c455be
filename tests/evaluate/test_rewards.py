"""Rewards are exact: what they pay for, what they refuse, and what a row must bring."""

import json
import time

import pytest

from hornbook.core.errors import UsageError
from hornbook.evaluate.rewards import REWARDS, exact, json_schema, quote, reward_of
from hornbook.evaluate.rewards.contract import Given
from hornbook.read.formats.lines import Fault

CONTEXT = (
    "A hornbook was a small tablet,\nheld by a handle.  "
    "Children read “A B C” from it. 它是一块小木板。"
)
SCHEMA = {
    "type": "object",
    "required": ["name"],
    "additionalProperties": False,
    "properties": {"name": {"type": "string", "pattern": "^[A-Z]"}, "age": {"type": "integer"}},
}


PAID = {
    "quote": ({"context": CONTEXT}, '"A hornbook was a small tablet"'),
    "json": ({"schema": SCHEMA}, '{"name": "Ann"}'),
    "exact": ({"answer": "Paris"}, "paris."),
}
"""A row of each reward, and an answer that is worth all of it."""
HOSTILE = ("", " ", "\0", "\ud800", '"' * 50_001, "[" * 50_000, "1" * 50_000, "<answer>####“")


def paid(name, text, /, **cells):
    given = Given(cells, "What is it?")
    goal = REWARDS[name].goal(given)
    assert not isinstance(goal, Fault), goal
    assert json.loads(json.dumps(goal)) == goal
    return REWARDS[name].score(text, goal)


@pytest.mark.parametrize("name", REWARDS)
def test_a_reward_pays_from_nothing_to_one_whatever_is_written(name):
    """In no time, and a row that brings nothing to check is told, not guessed at."""
    cells, answer = PAID[name]
    began = time.monotonic()
    assert paid(name, answer, **cells) == 1
    assert [paid(name, text, **cells) for text in HOSTILE] == [0] * len(HOSTILE)
    assert time.monotonic() - began < 1
    assert isinstance(REWARDS[name].goal(Given({}, "?")), Fault)
    assert REWARDS[name].tokens > 0 and "{text}" in REWARDS[name].prompt


@pytest.mark.parametrize(
    ("answer", "worth"),
    [
        ('It was "a small tablet, held by a handle".', 1),
        ("It was “a small tablet, held by”.", 1),
        ("他说「它是一块小木板」。", 1),
        ('"A hornbook was a small tablet" and "held by a string"', 0),  # one is false
        ('"A Hornbook was a small tablet"', 0),  # another letter
        ('"small tablet"', 0),  # too little to be a quote
        ('"a small tablet, held by a handle" of "tablet"', 1),  # a word beside a quote
        ('"a small tablet, held by a handle', 0),  # never closed
        ("a small tablet, held by a handle", 0),
        ("", 0),
    ],
)
def test_a_quote_is_word_for_word_in_its_context(answer, worth):
    assert paid("quote", answer, context=CONTEXT) == worth


def test_without_a_context_the_prompt_is_quoted():
    goal = quote.goal(Given({"prompt": "..."}, "Read this: the tablet had a handle."))
    assert quote.score('"the tablet had a handle"', goal) == 1


@pytest.mark.parametrize(
    ("answer", "worth"),
    [
        ('{"name": "Ann", "age": 3}', 1),
        (' {"age": 3,\n "name": "Ann"}\n', 1),
        ('{"name": "ann"}', 0),
        ('{"name": "Ann", "more": 1}', 0),
        ('{"name": "Ann", "name": "Ann"}', 0),
        ('{"name": "Ann", "age": NaN}', 0),
        ('Here: {"name": "Ann"}', 0),
        ('```json\n{"name": "Ann"}\n```', 0),
        ('{"name": "Ann"', 0),
        ("[" * 100_000, 0),
        ('{"name": "A\\ud800"}', 0),  # half a character
        ("", 0),
    ],
)
def test_json_is_what_the_schema_describes(answer, worth):
    assert paid("json", answer, schema=SCHEMA) == worth
    assert paid("json", answer, schema=json.dumps(SCHEMA)) == worth


@pytest.mark.parametrize(
    ("schema", "why"),
    [
        ('{"type": ', "not JSON"),
        ("[1]", "is an object"),
        ({"type": "sausage"}, r"at \$\.type"),
        ({"$ref": "#"}, "without end"),
        ({"$ref": "#/$defs/none"}, "leads nowhere"),
        ({"$ref": "https://example.org/schema"}, "leads out of the schema"),
        ({"pattern": "(?=a)a"}, "pattern"),
        ({"patternProperties": {"a": {}}}, "patternProperties is not taken"),
        ({"$schema": 5}, r"at \$\.\$schema: 5 is no text"),
        ({"$schema": "http://[bad"}, "."),
    ],
)
def test_a_schema_that_cannot_be_used_is_told(schema, why):
    found = json_schema.goal(Given({"schema": schema}, ""))
    assert isinstance(found, Fault)
    with pytest.raises(AssertionError, match=why):
        raise AssertionError(found.detail)


def test_a_number_too_large_to_be_divided_is_worth_nothing():
    assert paid("json", "1" + "0" * 400, schema={"multipleOf": 0.5}) == 0
    assert paid("json", "1.5", schema={"multipleOf": 0.5}) == 1


def test_patterns_are_those_of_re2():
    assert paid("json", '"Über"', schema={"pattern": r"^\pL+\z"}) == 1


def test_a_hostile_pattern_takes_no_time():
    schema = {"properties": {"a": {"pattern": "^(a+)+$"}}}
    began = time.monotonic()
    assert paid("json", json.dumps({"a": "a" * 5000 + "!"}), schema=schema) == 0
    assert time.monotonic() - began < 1


def test_a_schema_for_all_rows_gives_way_to_that_of_the_row():
    shared = Given({}, "", schema='{"type": "integer"}')
    assert json_schema.score("3", json_schema.goal(shared)) == 1
    own = shared._replace(cells={"schema": {"type": "string"}})
    assert json_schema.score("3", json_schema.goal(own)) == 0


@pytest.mark.parametrize(
    ("answer", "right", "worth"),
    [
        ("Paris", "paris.", 1),
        (" “PARIS”! ", "Paris", 1),
        ("Paris, France", "Paris", 0),
        ("1,234.50", "1234.5", 1),
        ("15", "1.5", 0),
        ("-5", "5", 0),
        ("−5", -5, 1),
        ("1.5 kg", "15 kg", 0),
        ("１２", 12, 1),
        ("12.0", 12, 1),
        ("Seven and five are twelve.\n#### 12", "12", 1),
        ("I think so. <answer>12</answer>", "a thought #### 12", 1),
        ("12 or 13", "12", 0),
        ("-0.0", 0, 1),
        ("1" * 39 + "2", "1" * 40, 0),
        ("0." + "1" * 39, "0." + "1" * 40, 0),
        ("", "12", 0),
    ],
)
def test_an_answer_is_that_of_the_row(answer, right, worth):
    assert paid("exact", answer, answer=right) == worth


def test_answers_come_from_columns_lists_or_the_conversation():
    squad = {"answers": {"text": ["Paris", "the capital"], "answer_start": [1, 9]}}
    assert paid("exact", "The capital.", **squad) == 1
    assert exact.goal(Given({}, "", answer="Paris")) == ["paris"]
    assert isinstance(exact.goal(Given({"answer": " "}, "")), Fault)


def test_an_unknown_reward_is_told_with_the_nearest():
    with pytest.raises(UsageError, match="Did you mean 'quote'"):
        reward_of("quot")
