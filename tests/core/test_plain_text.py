"""JSON and YAML that people and programs bring: read as they are meant, or named; never a crash."""

import datetime

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from hornbook.core.config import Config, read_recipe
from hornbook.core.errors import HornbookError, UsageError
from hornbook.core.files import read_json, read_object
from hornbook.core.json_text import (
    NotJson,
    half_character,
    parse_json,
    parse_record,
    parse_records,
)
from hornbook.core.yaml_text import NotYaml, parse_yaml, write_yaml

BROKEN_JSON = {
    "deep": ("[" * 50_000, "deep"),
    "deep and closed": ("[" * 400 + "]" * 400, "deep"),
    "deep objects": ('{"a":' * 150 + "1" + "}" * 150, "deep"),
    "digits": ("[" + "7" * 10_000 + "]", "more than 4,300 digits"),
    "comma": ('{"a": 1,}', "column 9"),
    "cut": ('{"a": [1, 2', "column"),
    "two": ('{"a": 1} {"a": 2}', "extra data"),
    "line": ('{\n"a": 1\n"b": 2}', "line 3, column 1"),
}


@pytest.mark.parametrize("name", BROKEN_JSON)
@pytest.mark.parametrize("parse", [parse_json, parse_record])
def test_broken_json_is_named(parse, name):
    text, sentence = BROKEN_JSON[name]
    with pytest.raises(NotJson, match=sentence):
        parse(text)


def test_data_is_read_more_strictly_than_settings():
    for text, sentence in [
        ("[NaN]", "NaN"),
        ('{"a": -Infinity}', "-Inf"),
        ('{"a":1,"a":2}', "'a'"),
    ]:
        parse_json(text)
        with pytest.raises(NotJson, match=sentence):
            parse_record(text)


def test_values_one_after_another_have_their_lines():
    found = list(parse_records('\n{"a":\n1}\n{"b": 2} [3]\n'))
    assert found == [(2, {"a": 1}), (4, {"b": 2}), (4, [3])]
    with pytest.raises(NotJson):
        list(parse_records('{"a": 1}\n{"b": '))


def test_half_characters_are_found_wherever_they_are():
    assert "'b'" in half_character({"a": [{"b": "x\ud83d"}]})
    assert half_character(["fine", ["\udc00"]]) and half_character({"\ud800": 1})
    assert half_character({"a": ["😀", 1, None, 2.5]}) is None


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"[" * 9999, "deep"),
        (b"\xff{", "not valid JSON"),
        (b"", "not valid JSON"),
        (b"9" * 5000, "digits"),
    ],
)
def test_a_broken_file_is_named(tmp_path, data, sentence):
    path = tmp_path / "a.json"
    path.write_bytes(data)
    with pytest.raises(HornbookError, match=sentence) as raised:
        read_json(path)
    assert str(path) in str(raised.value)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_file_is_read_in_the_encodings_of_json(tmp_path, encoding):
    path = tmp_path / "a.json"
    path.write_bytes('{"ä": [1]}'.encode(encoding))
    assert read_json(path) == read_object(path) == {"ä": [1]}


def test_what_must_hold_names_does(tmp_path):
    path = tmp_path / "a.json"
    for text in ("7", "[1]", '"x"', "null"):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(HornbookError, match="not names and values"):
            read_object(path)
    with pytest.raises(HornbookError, match="cannot be read"):
        read_json(tmp_path)


def test_yaml_texts_stay_texts():
    values = parse_yaml(
        "no: yes\noff: on\n1: 010\n1.50: 1:30\ndate: 2024-13-01\nzip: 00501\nnull: ~\nrate: 1e-3\n"
        "budget: 100_000_000\ntrue: true\nlist: [no, NO, y, 0o17, 0x1F, -5]\nquoted: '1'"
    )
    assert values == {
        "no": "yes", "off": "on", "1": "010", "1.50": "1:30", "date": "2024-13-01", "zip": "00501",
        "null": None, "rate": 0.001, "budget": 100_000_000, "true": True, "quoted": "1",
        "list": ["no", "NO", "y", 15, 31, -5],
    }  # fmt: skip


def bomb(levels):
    return "a0: &a0 [x, x, x]\n" + "".join(
        f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, levels)
    )


BROKEN_YAML = {
    "bomb": (bomb(9), "aliases stand for more than"),
    "merging bomb": (
        "a0: &a0 {k: 1}\n"
        + "".join(f"a{i}: &a{i} {{<<: [{', '.join([f'*a{i - 1}'] * 9)}]}}\n" for i in range(1, 9)),
        "aliases",
    ),
    "itself": ("- &x [*x]", "holds itself"),
    "deep": ("[" * 100_000, "deep"),
    "deep in lines": ("- " * 1500 + "a", "deep"),
    "deep and closed": ("[" * 150 + "]" * 150, "deep"),
    "twice": ("a: 1\nb: 2\na: 3", "'a' is there twice .line 3"),
    "digits": ("a: " + "9" * 5000, "digits"),
    "code": ("!!python/object/apply:os.system ['true']", "constructor"),
    "key": ("{[1]: 2}", "a key must be a text"),
    "two": ("a: 1\n---\nb: 2", "another document"),
    "nul": ("a: \0", "not allowed"),
    "tag": ("a: !!int x", "invalid literal"),
    "long": ("a" * (2**20 + 1), "the most is"),
    "open": ("a: [1,", "line 1"),
}


@pytest.mark.parametrize("name", BROKEN_YAML)
def test_broken_yaml_is_named(name, tmp_path):
    text, sentence = BROKEN_YAML[name]
    with pytest.raises(NotYaml, match=sentence):
        parse_yaml(text)
    path = tmp_path / "r.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError) as raised:
        read_recipe(path)
    assert str(path) in str(raised.value)


def test_aliases_in_measure_are_fine():
    assert parse_yaml(bomb(4))["a3"][0][0][0] == ["x"] * 3
    merged = parse_yaml("base: &b {p: 1, q: 2}\nown:\n  <<: *b\n  q: 3\n")
    assert merged["own"] == {"p": 1, "q": 3}


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@example("\x85")
@example("a\u2028\r\x85b ")
@given(PLAIN | st.sampled_from(["1e-3", "010", "yes", "0o7", ".5e3", "~", "<<", "2024-01-01"]))
def test_what_is_written_is_read(value):
    text = write_yaml({"value": value})
    assert parse_yaml(text)["value"] == value
    if isinstance(value, str):
        assert yaml.safe_load(text)["value"] == value
    assert not isinstance(parse_yaml("2024-01-01"), datetime.date)


class Labels(Config):
    name: str = ""
    chat: bool = False


def test_a_number_or_truth_for_a_text_names_quotes():
    for value, written in ((True, "'true'"), (1, "'1'"), (1.5, "'1.5'")):
        with pytest.raises(UsageError, match=f"name = .* write it in quotes: {written}"):
            Labels.parse({"name": value}, "r.yaml")
    assert Labels.parse(parse_yaml("{name: no, chat: yes}"), "r.yaml").chat is True
