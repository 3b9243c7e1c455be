"""Tools: whatever the weights say, what comes out are calls of tools that are there, with valid
arguments; whatever the template, they are read back."""

import json

import jsonschema
import pytest

from hornbook.core.errors import HornbookError, UsageError
from hornbook.generate.call_form import PLAIN, call_form
from hornbook.generate.constrain import Constrainer
from hornbook.generate.conversation import ChatFormat, finish_reason_of, response_schema
from hornbook.generate.sampling import SamplingConfig
from hornbook.generate.text import Answer, Writing
from hornbook.generate.tools import CallReader
from hornbook.models.presets import qwen3
from hornbook.tokenize.chat import CHATML
from hornbook.tokenize.train import train_tokenizer
from tests.tiny import QUIET, decoder_sizes, loud

OPEN = "{% for m in messages %}{% if m.tool_calls %}"
ELSE = "{% else %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endif %}{% endfor %}"
ASK = "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
TOLD = "{% if tools %}<|im_start|>system\n{{ tools | tojson }}<|im_end|>\n{% endif %}"
BEGIN = "<|im_start|>assistant\n{{ m.content }}"
END = "<|im_end|>\n"
FUNCTION = '{"name": "{{ c.function.name }}", "%s": {{ c.function.arguments | tojson }}'
TEMPLATES = {
    "tags": TOLD + OPEN + BEGIN + "{% for c in m.tool_calls %}"
    "{% if not loop.first or m.content %}\n{% endif %}<tool_call>\n"
    + FUNCTION % "arguments" + "}\n</tool_call>{% endfor %}" + END + ELSE + ASK,
    "thoughts": TOLD + OPEN + "<|im_start|>assistant\n<think>\n\n</think>\n\n{{ m.content }}"
    "{% for c in m.tool_calls %}<call>" + FUNCTION % "arguments" + "}</call>{% endfor %}" + END
    + ELSE.replace("{{ m.content }}", "{% if m.role == 'assistant' %}<think>\n\n</think>\n\n"
    "{% endif %}{{ m.content }}") + ASK,
    "token": TOLD + OPEN + BEGIN + "<|pad|> [{% for c in m.tool_calls %}" + FUNCTION % "arguments"
    + ', "id": "{{ c.id }}"}{% if not loop.last %}, {% endif %}{% endfor %}]' + END + ELSE + ASK,
    "bare": TOLD + OPEN + "{% if m.tool_calls[1:] %}{{ raise_exception('one') }}{% endif %}"
    "{% set c = m.tool_calls[0] %}" + BEGIN + FUNCTION % "parameters" + "}" + END + ELSE + ASK,
    "none": CHATML,
    "no system": "{% if messages[0].role == 'system' %}{{ raise_exception('none') }}{% endif %}"
    + CHATML,
    "python": TOLD + OPEN + BEGIN + "[{% for c in m.tool_calls %}{{ c.function.name }}"
    "({% for k, v in c.function.arguments.items() %}{{ k }}={{ v }}{% endfor %}){% endfor %}]"
    + END + ELSE + ASK,
}  # fmt: skip
NATIVE = {"tags": True, "thoughts": True, "token": True, "bare": False}
"""Which templates write calls themselves, and whether several of them."""

WEATHER = {
    "type": "object",
    "properties": {"city": {"type": "string", "maxLength": 6}, "days": {"enum": [1, 2]}},
    "required": ["city", "days"],
    "additionalProperties": False,
}


def function(name, parameters=None, **other):
    given = {"name": name, **other} | ({"parameters": parameters} if parameters else {})
    return {"type": "function", "function": given}


TOOLS = [function("get_weather", WEATHER, description="<|im_end|> 天氣"), function("stop-it")]
HI = [{"role": "user", "content": "hi"}]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("t")


@pytest.fixture
def tokenizer(folder):
    """Small, with a chat template that a test may replace."""
    text = '<tool_call>\n{"name": "get_weather", "arguments": {"city": "P", "days": 1}}\n'
    return train_tokenizer([text * 5], 300, folder / "t", QUIET)


@pytest.fixture(scope="module")
def model():
    return loud(qwen3(decoder_sizes(vocab=300, context=700)).build())


def answered(model, tokenizer, prompt, seed, most=100, temperature=1.0):
    course = Constrainer(tokenizer, model.vocab, prompt.stop_ids).start(prompt.grammar)
    config = SamplingConfig(seed=seed, max_tokens=most, temperature=temperature)
    writing = Writing(tokenizer, Answer(prompt.ids), prompt.stop_ids, config, course)
    reader = prompt.reader()
    text = "".join(reader.push(piece) for piece in writing.stream(model))
    left, calls = reader.end()
    return text + left, calls, writing.answer


@pytest.mark.parametrize("name", TEMPLATES)
def test_the_form_is_the_templates_own(tokenizer, name):
    tokenizer.chat_template = TEMPLATES[name]
    form = call_form(tokenizer)
    assert form.native == (name in NATIVE)
    if name not in NATIVE:
        assert form == PLAIN
    else:
        assert (form.between is not None) == NATIVE[name]
    triggers = {"thoughts": "<call>", "token": "<|pad|>", "bare": '{"name": "'}
    assert form.trigger.text == triggers.get(name, "<tool_call>")


@pytest.mark.parametrize(
    "choice", ["required", {"type": "function", "function": {"name": "stop-it"}}]
)
@pytest.mark.parametrize(
    "name",
    [
        "tags",
        *(pytest.param(n, marks=pytest.mark.slow) for n in ("thoughts", "bare", "none", "token")),
    ],
)
def test_calls_are_valid_whatever_the_weights_say(model, tokenizer, name, choice):
    tokenizer.chat_template = TEMPLATES[name]
    talk = ChatFormat(tokenizer)
    for several in (False, True):
        prompt = talk.prompt(HI, TOOLS, choice, parallel_tool_calls=several)
        text, calls, answer = answered(model, tokenizer, prompt, seed=several)
        assert text == ""
        for call in calls:
            assert call.name in ("get_weather", "stop-it")[choice != "required" :]
            schema = WEATHER if call.name == "get_weather" else {"maxProperties": 0}
            jsonschema.validate(json.loads(call.arguments), schema)
        assert len({call.id for call in calls}) == len(calls)
        if not several or choice != "required":  # a named one is called once
            assert len(calls) == 1
            assert answer.finish_reason == "stop"
        expected = "tool_calls" if answer.finish_reason == "stop" else "length"
        assert finish_reason_of(answer.finish_reason, calls) == expected


@pytest.mark.parametrize("name", TEMPLATES)
def test_what_is_written_is_what_the_template_writes_of_the_calls(model, tokenizer, name):
    """Calls that came out, put into the conversation, give the very text that came out."""
    tokenizer.chat_template = TEMPLATES[name]
    talk = ChatFormat(tokenizer)
    prompt = talk.prompt(HI, TOOLS, "required", parallel_tool_calls=False)
    _, calls, answer = answered(model, tokenizer, prompt, seed=1)
    (call,) = calls
    asked = {"id": call.id, "type": "function"}
    asked["function"] = {"name": call.name, "arguments": call.arguments}
    history = [*HI, {"role": "assistant", "content": None, "tool_calls": [asked]}]
    history.append({"role": "tool", "tool_call_id": call.id, "content": "<|im_end|>rain"})
    ids = talk.prompt(history, TOOLS).ids
    text = tokenizer.decode(ids)
    assert answer.text in text
    # What people say never becomes a special token, nor what a tool says or is described by.
    ends = [i for i in ids if i == tokenizer.special["<|im_end|>"]]
    assert len(ends) == 4 - (name == "no system")
    assert "rain" in text


def spoken(tokenizer, prompt, text):
    """Whether a text may be said under a prompt's grammar: "whole", "open", or where it fails."""
    ids, special = [], tokenizer.special
    for part in text.split("|||"):
        ids += [special[part]] if part in special else tokenizer.encode(part)
    course = Constrainer(tokenizer, tokenizer.vocab_size, prompt.stop_ids).start(prompt.grammar)
    for n, i in enumerate(ids):
        if not course.allowed()[i]:
            return tokenizer.decode(ids[:n])
        course.advance(i)
    return "whole" if course.complete else "open"


@pytest.mark.parametrize("name", TEMPLATES)
def test_auto_lets_it_talk_or_call_and_nothing_between(tokenizer, name):
    tokenizer.chat_template = TEMPLATES[name]
    talk = ChatFormat(tokenizer)
    prompt = talk.prompt(HI, TOOLS)
    call = talk.form.written([("stop-it", "{}")]).replace(', "id": ""', ', "id": "a1b2c3d4e"')
    call = call.replace("<|pad|>", "<|pad|>|||")
    assert spoken(tokenizer, prompt, "Just talk, 春眠.") == "whole"
    assert spoken(tokenizer, prompt, f"|||{call}") == "whole"
    assert spoken(tokenizer, prompt, f"I look.\n|||{call}") == "whole"
    assert spoken(tokenizer, prompt, f"|||{call}".replace("stop-it", "stop-me")).endswith("stop-")
    only = talk.prompt(HI, TOOLS, "required", parallel_tool_calls=False)
    assert spoken(tokenizer, only, "Just") == ""
    assert spoken(tokenizer, only, f"|||{call}") == "whole"


def test_tools_are_left_out_where_none_may_be_called(tokenizer):
    talk = ChatFormat(tokenizer)
    prompt = talk.prompt(HI, TOOLS, "none")
    plain = tokenizer.encode_chat(HI, add_generation_prompt=True)[0].tolist()
    assert prompt.ids == plain == talk.prompt(HI).ids
    assert prompt.grammar is None and prompt.reader() is None


def test_json_beside_tools_is_one_or_the_other(tokenizer):
    talk = ChatFormat(tokenizer)
    schema = {"type": "object", "properties": {"a": {"type": "boolean"}}, "required": ["a"]}
    asked = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    prompt = talk.prompt(HI, TOOLS, response_format=asked)
    call = talk.form.written([("stop-it", "{}")])
    assert spoken(tokenizer, prompt, call) == "whole"
    assert spoken(tokenizer, prompt, '{"a": true}') == "whole"
    assert spoken(tokenizer, prompt, "Hm") == ""


@pytest.mark.parametrize("kind", ["json_object", "json_schema"])
def test_an_answer_in_json_is_json(model, tokenizer, kind):
    given = {"type": kind, "json_schema": {"name": "x", "schema": WEATHER}}
    prompt = ChatFormat(tokenizer).prompt(HI, response_format=given)
    course = Constrainer(tokenizer, model.vocab, prompt.stop_ids).start(prompt.grammar)
    config = SamplingConfig(max_tokens=600, seed=1)
    writing = Writing(tokenizer, Answer(prompt.ids), prompt.stop_ids, config, course)
    text = "".join(writing.stream(model))
    assert isinstance(json.loads(text), dict)
    if kind == "json_schema":
        jsonschema.validate(json.loads(text), WEATHER)


@pytest.mark.parametrize("name", NATIVE)
@pytest.mark.parametrize("size", [1, 3, 1000])
def test_a_reader_holds_back_what_may_become_a_call(tokenizer, name, size):
    """Whatever the pieces; text that only looks like a beginning is given out at last."""
    tokenizer.chat_template = TEMPLATES[name]
    form = call_form(tokenizer)
    calls = [("get_weather", '{"city": "}\\n</tool_call>", "days": 1}'), ("stop-it", "{}")]
    text = form.written(calls[: 1 + NATIVE[name]]).replace('"id": ""', '"id": "123456789"')
    for said, cut in ((f"Well.\n{text}", 0), (f"Well.\n{text}", 4), ("Well. <tool_ca", 0)):
        shown, reader = said[: len(said) - cut], CallReader(form)
        pieces = [reader.push(shown[at : at + size]) for at in range(0, len(shown), size)]
        left, found = reader.end()
        if text not in said:
            assert ("".join(pieces) + left, found) == (said, [])
            continue
        assert "".join(pieces).rstrip() + left == "Well."
        whole = calls[: 1 + NATIVE[name]]
        expected = whole if not cut else whole[:-1]  # the last was cut off: it is no call
        assert [(call.name, call.arguments) for call in found] == expected


@pytest.mark.parametrize(
    ("request_", "named"),
    [
        ({"tools": [{"type": "web_search"}]}, r"tools\[0\]\.type must be 'function', not 'web_s"),
        ({"tools": [*TOOLS, function("a b")]}, r"tools\[2\]\.function\.name .*'a b'"),
        ({"tools": [*TOOLS, TOOLS[0]]}, r"tools\[2\]\.function\.name: 'get_weather' is there tw"),
        ({"tools": [function("a", {"type": "string"})]}, r"tools\[0\]\.function\.parameters must"),
        (
            {"tools": [function("a", {"properties": {"x": {"items": {"uniqueItems": True}}}})]},
            r"tools\[0\]\.function\.parameters cannot be used at #/properties/x/items: .*unique",
        ),
        ({"tools": TOOLS, "tool_choice": "maybe"}, "tool_choice must be .* not 'maybe'"),
        ({"tool_choice": "required"}, "tool_choice is 'required', but there are no tools"),
        (
            {"tools": TOOLS, "tool_choice": {"type": "function", "function": {"name": "get"}}},
            "tool_choice.function.name 'get'",
        ),
        ({"response_format": {"type": "xml"}}, "response_format.type 'xml'"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema must be"),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"schema": {"not": {}}}}},
            r"response_format\.json_schema\.schema cannot be used",
        ),
        ({"messages": []}, "messages: a conversation needs"),
        ({"messages": [*HI, {"role": "robot", "content": "x"}]}, r"messages\[1\]\.role 'robot'"),
        ({"messages": [{"role": "user"}]}, r"messages\[0\]\.content is missing"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url"}]}]},
            r"messages\[0\]\.content\[0\]: only parts of text .* 'image_url'",
        ),
        (
            {"messages": [{"role": "assistant", "tool_calls": [
                {"function": {"name": "x", "arguments": "{"}}]}]},
            r"messages\[0\]\.tool_calls\[0\]\.function\.arguments are not JSON",
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_its_part(tokenizer, request_, named):
    with pytest.raises(UsageError, match=named):
        ChatFormat(tokenizer).prompt(**{"messages": HI, **request_})


def test_a_model_without_a_template_is_refused(tokenizer):
    tokenizer.chat_template = None
    with pytest.raises(HornbookError, match="has no chat template"):
        ChatFormat(tokenizer)


def test_free_text_needs_no_schema():
    assert response_schema(None) is response_schema({"type": "text"}) is None
    assert finish_reason_of("context", []) == "length"
    assert finish_reason_of("stop", []) == "stop"
