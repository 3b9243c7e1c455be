"""Constrained output: whatever the weights say, what comes out is what was asked for."""

import json
import re
import sys

import jsonschema
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hornbook.core.errors import HornbookError, UsageError
from hornbook.core.home import pulled
from hornbook.core.progress import Progress
from hornbook.generate.constrain import Constrainer, choices, json_schema, regex
from hornbook.generate.decode import decode
from hornbook.generate.sampling import SamplingConfig, choose
from hornbook.generate.text import continue_text, stream
from hornbook.models.place import resolve
from hornbook.models.presets import qwen3
from hornbook.models.sizes import DecoderSizes
from hornbook.tokenize.tokenizer import Tokenizer
from hornbook.tokenize.train import train_tokenizer
from tests.tiny import slow

SCHEMA = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 12},
        "age": {"type": "integer", "minimum": 0, "maximum": 120},
        "mood": {"enum": ["good", "bad", "好", None, 3]},
        "tags": {"type": "array", "items": {"type": "string", "maxLength": 4}, "maxItems": 3},
        "place": {
            "type": "object",
            "properties": {
                "x": {"type": "number", "minimum": -1, "maximum": 1},
                "here": {"type": "boolean"},
            },
            "required": ["x"],
            "additionalProperties": False,
        },
    },
    "required": ["name", "age", "mood", "tags", "place"],
    "additionalProperties": False,
}
PATTERNS = (
    r"[0-9]{3}-[0-9]{4}",
    "(Mon|Tues)day, [一-鿿]{2,3}!",
    r"^a/b\"\\(c|d)$",
    r".{0,9}[^\x00-\x7f]",
)
CHINESE = ("好", "不好", "很好", "很 不好", "😀", 'a "quoted"\n\\text', "好吗")
ROOM = 400


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    texts = ['{"name": "春眠不覺曉", "age": 12, "good": true} the hornbook, Monday 好不好 ' * 20]
    return train_tokenizer(texts, 340, tmp_path_factory.mktemp("t") / "t", Progress(True))


@pytest.fixture(scope="module")
def model(tokenizer):
    """Random weights, and more ids than the tokenizer has."""
    sizes = DecoderSizes(
        vocab=tokenizer.vocab_size + 5, width=16, depth=1, context=ROOM, heads=2, kv_heads=2,
        head=8, hidden=16, tied=False,
    )  # fmt: skip
    return qwen3(sizes).build(seed=1).eval()


@pytest.fixture(scope="module")
def constrainer(tokenizer, model):
    return Constrainer(tokenizer, model.vocab, frozenset({tokenizer.eos_id}))


def answer(model, tokenizer, course, **sampling):
    config = SamplingConfig(**{"max_tokens": ROOM - 10, "temperature": 2.0} | sampling)
    found, stops = continue_text(tokenizer, "the ")
    text = "".join(stream(model, tokenizer, found, stops, config, course))
    return text, found


@pytest.mark.parametrize("seed", [*range(10), *slow(*range(10, 40))])
def test_random_weights_write_what_the_schema_describes(model, tokenizer, constrainer, seed):
    course = constrainer.start(json_schema(SCHEMA))
    text, found = answer(model, tokenizer, course, seed=seed)
    assert found.finish_reason == "stop" and course.is_whole(found.token_ids)
    jsonschema.validate(json.loads(text), SCHEMA)
    assert "\n" not in text


@pytest.mark.parametrize("seed", [*range(3), *slow(*range(3, 10))])
@pytest.mark.parametrize("pattern", PATTERNS)
def test_random_weights_write_what_the_pattern_matches(
    model, tokenizer, constrainer, pattern, seed
):
    course = constrainer.start(regex(pattern))
    text, found = answer(model, tokenizer, course, seed=seed)
    assert found.finish_reason == "stop" and course.is_whole(found.token_ids)
    assert re.fullmatch(pattern, text)


def test_random_weights_choose_each_of_the_choices(model, tokenizer, constrainer):
    rule, found = choices(CHINESE), set()
    for seed in range(40):
        course = constrainer.start(rule)
        text, made = answer(model, tokenizer, course, seed=seed)
        assert text in CHINESE and course.is_whole(made.token_ids)
        found.add(text)
    assert len(found) > 3


@settings(max_examples=40)
@given(st.lists(st.text(min_size=1, max_size=6), min_size=1, max_size=4), st.integers(0, 99))
def test_any_text_can_be_a_choice(tokenizer, constrainer, texts, seed):
    random, ids = np.random.default_rng(seed), []
    course = constrainer.start(choices(texts))
    while True:
        noise = random.standard_normal(course.allowed().shape)
        i = choose(noise, SamplingConfig(), random, course.allowed())
        if i == tokenizer.eos_id:
            break
        ids.append(i)
        course.advance(i)
    assert tokenizer.decode_bytes(ids).decode() in texts
    for text in texts:
        assert course.is_whole(tokenizer.encode(text))
        assert not course.is_whole(tokenizer.encode(text + "?")) or text + "?" in texts


def test_only_real_tokens_come_and_the_end_only_when_whole(tokenizer, model, constrainer):
    course = constrainer.start(regex("a+"))
    ends = frozenset({tokenizer.eos_id})
    for _ in range(3):
        allowed = course.allowed()
        assert allowed.shape == (model.vocab,) and allowed.dtype == bool
        ids = set(allowed.nonzero()[0].tolist())
        assert bool(ids & ends) == course.complete
        assert not ids & (tokenizer.special_ids - ends)
        assert all(tokenizer.decode_bytes([i]) for i in ids)
        course.advance(tokenizer.encode("a")[0])
    anything = constrainer.start(regex("(?s).*"))
    ids = set(anything.allowed().nonzero()[0].tolist())
    assert ids - ends < set(range(tokenizer.vocab_size)) - tokenizer.special_ids


def test_what_was_cut_off_is_not_whole(model, tokenizer, constrainer):
    course = constrainer.start(json_schema(SCHEMA))
    text, found = answer(model, tokenizer, course, max_tokens=9)
    assert found.finish_reason == "length" and not course.is_whole(found.token_ids)
    assert text.startswith('{"name": ')
    # Cut exactly where it may end: nothing is missing.
    course = constrainer.start(regex("[ab]"))
    _, found = answer(model, tokenizer, course, max_tokens=1)
    assert found.finish_reason == "length" and course.is_whole(found.token_ids)


def test_rows_have_constraints_of_their_own_and_company_changes_nothing(
    model, tokenizer, constrainer
):
    rules = [regex("[0-9]{5}"), None, choices(CHINESE), json_schema(SCHEMA)]
    config = SamplingConfig(temperature=1.5, seed=3, max_tokens=60)
    ends = frozenset({tokenizer.eos_id})
    prompts = [[5, 6], [7], [8, 9, 10], [11]]

    def ids_of(rows):
        limits = [constrainer.start(rules[r]) if rules[r] else None for r in rows]
        found = {row: [] for row in range(len(rows))}
        for step in decode(model, [prompts[r] for r in rows], config, ends, limits):
            found[step.row].append(step.id)
        return list(found.values())

    assert ids_of([0, 1, 2, 3]) == [ids_of([row])[0] for row in range(4)]


@pytest.mark.parametrize(
    ("make", "given", "reason"),
    [
        (json_schema, "{", "is not JSON"),
        (json_schema, "[1]", r"is an object, not \[1\]"),
        (
            json_schema,
            '{"properties": {"a": {"items": {"not": {}}}}}',
            "at #/properties/a/items: U",
        ),
        (json_schema, '{"anyOf": [{"type": "null"}, 7]}', "at #/anyOf/1: a schema is an obj"),
        (json_schema, '{"type": "strin"}', "cannot be used: Invalid type: strin"),
        (json_schema, '{"type": "strng"}', "strng"),
        (json_schema, '{"not": {}}', "not"),
        (json_schema, '{"type": "integer", "minimum": 3, "maximum": 1}', "Unsatisfiable"),
        (json_schema, '{"$ref": "http://example.org/x"}', "http://example.org/x"),
        (json_schema, '{"enum": ["\\ud800"]}', "hex escape"),
        (json_schema, '{"type": "string", "pattern": "(?=a)b"}', "look-around"),
        (regex, "(abc", r"'\(abc' cannot be used: unclosed group"),
        (regex, r"(a)\1", "backreferences"),
        (regex, "a(?=b)", "look-around"),
        (regex, r"\bab", "lookarounds"),
        (choices, [], "one or more"),
        (choices, ["a", ""], "none of them empty"),
        (choices, ["\ud800"], "surrogate"),
    ],
)
def test_what_is_no_rule_is_said_with_the_reason(make, given, reason):
    with pytest.raises(UsageError, match=reason) as raised:
        make(given)
    assert "\n" not in str(raised.value)


def test_a_rule_that_no_text_follows(constrainer):
    with pytest.raises(UsageError, match="no text will do"):
        constrainer.start(regex("[a&&b]"))


def test_a_rule_too_large_to_follow_is_no_end(constrainer):
    course = constrainer.start(regex("a"))
    with pytest.raises(HornbookError, match="cannot be followed"):
        course.advance(0)
    with pytest.raises(HornbookError, match="cannot be followed"):
        course.allowed()


def test_nothing_can_end(tokenizer):
    with pytest.raises(HornbookError, match="ends an answer"):
        Constrainer(tokenizer, tokenizer.vocab_size, frozenset())


def test_the_missing_library_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "llguidance", None)
    with pytest.raises(UsageError, match=r"pip install 'hornbook\[constrain\]'"):
        regex("a")


@pytest.mark.slow
@pytest.mark.skipif(not pulled("smollm2-135m-instruct").is_dir(), reason="not pulled here")
def test_the_tokenizer_of_smollm2():
    tokenizer = Tokenizer.load(resolve(pulled("smollm2-135m-instruct")))
    constrainer = Constrainer(tokenizer, tokenizer.vocab_size, tokenizer.stop_ids)
    for seed in range(100):
        random, ids = np.random.default_rng(seed), []
        course = constrainer.start(json_schema(SCHEMA))
        while True:
            noise = random.standard_normal(tokenizer.vocab_size)
            i = choose(noise, SamplingConfig(), random, course.allowed())
            if i in tokenizer.stop_ids:
                break
            ids.append(i)
            course.advance(i)
        jsonschema.validate(json.loads(tokenizer.decode_bytes(ids)), SCHEMA)
