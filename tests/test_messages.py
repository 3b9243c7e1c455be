"""Everything that is said to people can be said in Chinese, with the same values in it."""

import json

from hornbook.core.language import _VALUE, chinese
from tests import messages

CATALOGUE: dict[str, str] = json.loads(messages.CATALOGUE.read_text(encoding="utf-8"))

OF_THE_LIBRARY = {
    *("Usage: ", "Options", "Commands", "Arguments", "required", "default", "Error: {}"),
    "Show this message and exit.",
}
"""What the library of the command line says, not our source."""


def test_everything_that_is_said_has_chinese():
    missing = messages.missing()
    assert not missing, f"{len(missing)}, see `python -m tests.messages`: {missing[:3]}"


def test_nothing_is_translated_that_nobody_says():
    unused = CATALOGUE.keys() - messages.every_text() - OF_THE_LIBRARY
    assert not unused, sorted(unused)


def test_every_value_is_there_once():
    for english, other in CATALOGUE.items():
        found = [place for place, _ in _VALUE.findall(other)]
        places = [int(place) for place in found] if any(found) else list(range(len(found)))
        assert sorted(places) == list(range(english.count("{}"))), english


def test_the_search_finds_each_way_of_saying():
    import ast

    tree = ast.parse('progress.say("a" if x else f"b {x!r:>3}" + "c", "d"); Choice(n, v, "why")')
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    found = {
        text for call in calls for node in messages._arguments(call)
        for text in messages.patterns(node)
    }  # fmt: skip
    assert found == {"a", "b {}c", "d", "why"}


def test_a_message_is_found_whatever_its_values():
    assert chinese("{text} holds no rows.") == "{text} 里没有行。"
    assert chinese("Unknown device 'q'. Did you mean 'cpu'?") == "未知的设备 'q'。是不是 'cpu'？"
