"""Tools with the templates of models that people have: offered, called, and read back.

The templates in `templates` have the form of the public ones; their texts are shorter.
"""

import json
import re
from pathlib import Path

import pytest

from hornbook.generate.call_form import PLAIN
from hornbook.generate.constrain import Constrainer
from hornbook.generate.conversation import ChatFormat
from hornbook.tokenize.tokenizer import Tokenizer
from hornbook.tokenize.train import train_tokenizer
from tests.tiny import QUIET

PLACE = Path(__file__).parent / "templates"
FORMS = {
    "qwen3": ("<tool_call>", True),
    "llama3": ('{"name": "', False),
    "mistral_v3": ("[TOOL_CALLS]", True),
    "mistral_v11": ("[TOOL_CALLS]", True),
    "mistral_v13": ("[TOOL_CALLS]", True),
    "deepseek": ("<｜tool▁calls▁begin｜>", True),
    "smollm2": None,
    "gemma3": None,
}
"""What a call begins with, and whether there may be several; None where tools are told in words."""
SPECIAL = """
<s> </s> <|im_start|> <|im_end|> <|begin_of_text|> <|start_header_id|> <|end_header_id|> <|eot_id|>
[INST] [/INST] [TOOL_CALLS] [ARGS] [CALL_ID] [TOOL_CONTENT] [TOOL_RESULTS] [/TOOL_RESULTS]
[AVAILABLE_TOOLS] [/AVAILABLE_TOOLS] [SYSTEM_PROMPT] [/SYSTEM_PROMPT] <start_of_turn> <end_of_turn>
<｜User｜> <｜Assistant｜> <｜tool▁calls▁begin｜> <｜tool▁calls▁end｜> <｜tool▁call▁begin｜>
<｜tool▁call▁end｜> <｜tool▁sep｜> <｜tool▁output▁begin｜> <｜tool▁output▁end｜>"""
ENDS = "</s>", "<|im_end|>", "<|eot_id|>", "<end_of_turn>"
HI = [{"role": "system", "content": "Be short."}, {"role": "user", "content": "Will it rain?"}]
THANKS = [{"role": "assistant", "content": "Yes."}, {"role": "user", "content": "Thanks."}]
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "description": "The weather of a city.",
            "parameters": {
                "type": "object",
                "properties": {
                    "city": {"type": "string"},
                    "days": {"type": "integer", "maximum": 7},
                },
                "required": ["city"],
            },
        },
    },
    {"type": "function", "function": {"name": "stop-it"}},
]
CALLS = [("get_weather", '{"city": "Köln", "days": 2}'), ("stop-it", "{}")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A tokenizer with the special tokens of all of them."""
    found = tmp_path_factory.mktemp("t")
    train_tokenizer(["the weather of Köln"], 270, found, QUIET)
    values = json.loads((found / "tokenizer.json").read_text(encoding="utf-8"))
    known = {token["content"] for token in values["added_tokens"]}
    like = values["added_tokens"][-1]
    new = [text for text in SPECIAL.split() if text not in known]
    values["added_tokens"] += [
        {**like, "id": 300 + n, "content": text, "special": True} for n, text in enumerate(new)
    ]
    (found / "tokenizer.json").write_text(json.dumps(values), encoding="utf-8")
    config = json.loads((found / "tokenizer_config.json").read_text(encoding="utf-8"))
    config |= {"bos_token": "<s>", "eos_token": "</s>"}
    (found / "tokenizer_config.json").write_text(json.dumps(config), encoding="utf-8")
    ids = {token["content"]: token["id"] for token in values["added_tokens"]}
    ends = [ids[text] for text in ENDS]
    (found / "generation_config.json").write_text(json.dumps({"eos_token_id": ends}))
    return found


@pytest.fixture(params=FORMS)
def name(request):
    return request.param


@pytest.fixture
def talk(name, folder):
    tokenizer = Tokenizer.load(folder)
    tokenizer.chat_template = (PLACE / f"{name}.jinja").read_text(encoding="utf-8")
    return ChatFormat(tokenizer)


def ids_of(tokenizer, text):
    """What a model writes: special tokens are tokens."""
    spelled = "|".join(map(re.escape, sorted(tokenizer.special, key=len, reverse=True)))
    parts = re.split(f"({spelled})", text)
    special = tokenizer.special
    return [i for p in parts for i in ([special[p]] if p in special else tokenizer.encode(p))]


def may_be_said(tokenizer, prompt, text):
    """Whether a text is a whole answer under a prompt's grammar."""
    vocab = max(tokenizer.special.values()) + 1
    course = Constrainer(tokenizer, vocab, prompt.stop_ids).start(prompt.grammar)
    for i in ids_of(tokenizer, text):
        allowed = course.allowed()
        if allowed is not None and not allowed[i]:
            return False
        course.advance(i)
    return course.complete


def written(form, calls):
    """As the model writes them, with ids where it has some."""
    pieces, ids = [], iter(("a1b2c3d4e", "f6g7h8i9j"))

    def text(parts):
        return "".join(next(ids) if part.kind == "id" else part.text for part in parts)

    for number, (name, arguments) in enumerate(calls):
        pieces += [text(form.between if number else form.begin), name, text(form.middle), arguments]
    return "".join([*pieces, text(form.end)])


def turns(calls, ids):
    """An answer that calls functions, and what they gave back."""
    asked = [
        {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}
        for id, (name, arguments) in zip(ids, calls, strict=False)
    ]
    results = [{"role": "tool", "tool_call_id": call["id"], "content": "rain"} for call in asked]
    return [{"role": "assistant", "content": None, "tool_calls": asked}, *results]


def test_the_form_is_found_in_the_template(talk, name):
    if FORMS[name] is None:
        assert talk.form == PLAIN
    else:
        trigger, several = FORMS[name]
        assert talk.form.native and talk.form.trigger.text == trigger
        assert (talk.form.between is not None) == several
        assert talk.form.spelled == (name == "deepseek")
        assert talk.form.has_ids == (name in ("mistral_v3", "mistral_v11"))


def test_tools_are_told(talk):
    """Their names, what they are for and their parameters, and a question after them."""
    text = talk._tokenizer.decode(talk.prompt(HI, TOOLS).ids)
    for part in ("get_weather", "The weather", '"maximum": 7', "stop-it", "Will it rain?"):
        assert part in text
    assert "get_weather" not in talk._tokenizer.decode(talk.prompt(HI).ids)


def test_calls_may_be_written_and_are_read_back(talk, name):
    tokenizer, several = talk._tokenizer, talk.form.between is not None
    for calls in (CALLS[:1], CALLS[1:], CALLS)[: 2 + several]:
        text = written(talk.form, calls)
        for choice in ("auto", "required"):
            prompt = talk.prompt(HI, TOOLS, choice)
            assert may_be_said(tokenizer, prompt, text)
            assert not may_be_said(tokenizer, prompt, text.replace("get_w", "got_w") + "x")
            assert may_be_said(tokenizer, prompt, "It may.") == (choice == "auto")
        reader = prompt.reader()
        assert "".join(map(reader.push, text)) == ""
        left, found = reader.end()
        assert left == "" and [(call.name, call.arguments) for call in found] == calls
        if talk.form.has_ids:
            assert [call.id for call in found] == ["a1b2c3d4e", "f6g7h8i9j"][: len(calls)]


@pytest.mark.parametrize("ids", [("a1b2c3d4e", "f6g7h8i9j"), ("call_0123456789abcdef", "x")])
def test_what_was_called_is_in_the_next_prompt_as_it_was_written(talk, ids):
    """Ids of another server are made to fit; without tools the conversation can go on as well."""
    calls = CALLS if talk.form.between is not None else CALLS[:1]
    history = [*HI, *turns(calls, ids)]
    text = talk._tokenizer.decode(talk.prompt(history, TOOLS).ids)
    assert "rain" in text.partition("Will it rain?")[2]
    if ids[0].isalnum() or not talk.form.has_ids:
        assert written(talk.form, calls) in text
    else:
        assert ids[0] not in text
    assert "rain" in talk._tokenizer.decode(talk.prompt([*history, *THANKS]).ids)
