"""Chat and completions by OpenAI's own client: what it gets is what the model writes alone."""

import json

import pytest

from hornbook.workflows.open.decoder import Decoder
from hornbook.workflows.open.load import load

HELLO = [{"role": "user", "content": "the hornbook 春眠"}]


@pytest.fixture(scope="module")
def decoder(folder):
    return load(folder / "decoder", Decoder, device="cpu")


def ask(client, **more):
    return client.chat.completions.create(
        **{"model": "decoder", "messages": HELLO, "temperature": 0, "max_tokens": 12, **more}
    )


def test_the_models_are_named(client, openai):
    names = [model.id for model in client.models.list()]
    assert names == ["decoder", "encoder", "network", "linear", "pairs", "cross"]
    assert client.models.retrieve("encoder").owned_by == "hornbook"
    with pytest.raises(openai.NotFoundError, match="Did you mean 'decoder'"):
        client.models.retrieve("decodr")


def test_an_answer_is_that_of_the_model_alone(client, decoder):
    alone = decoder.answers([HELLO], temperature=0, top_p=1.0, max_tokens=12)[0]
    found = ask(client)
    assert found.choices[0].message.content == alone.text
    assert found.choices[0].finish_reason == "length"
    assert found.usage.prompt_tokens == len(alone.prompt_ids)
    assert found.usage.completion_tokens == len(alone.token_ids) == 12
    assert found.model == "decoder"


def test_a_stream_says_the_same(client):
    whole = ask(client)
    chunks = list(ask(client, stream=True, stream_options={"include_usage": True}))
    text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert text == whole.choices[0].message.content
    assert chunks[0].choices[0].delta.role == "assistant"
    assert [c.choices[0].finish_reason for c in chunks if c.choices][-1] == "length"
    assert chunks[-1].usage.completion_tokens == 12 and not chunks[-1].choices
    assert all(chunk.usage is None for chunk in chunks[:-1])
    assert len({chunk.id for chunk in chunks}) == 1
    assert all(c.usage is None for c in ask(client, stream=True))


def test_several_answers_differ_and_repeat(client):
    found = ask(client, n=3, temperature=1, seed=7)
    texts = [choice.message.content for choice in found.choices]
    assert len(set(texts)) == 3
    again = ask(client, n=3, temperature=1, seed=7, stream=True)
    parts = {0: "", 1: "", 2: ""}
    for chunk in again:
        parts[chunk.choices[0].index] += chunk.choices[0].delta.content or ""
    assert list(parts.values()) == texts
    assert found.usage.completion_tokens == 36
    assert found.usage.prompt_tokens == ask(client).usage.prompt_tokens


def test_probabilities_belong_to_the_text(client):
    found = ask(client, logprobs=True, top_logprobs=3)
    content = found.choices[0].logprobs.content
    text = b"".join(bytes(one.bytes) for one in content).decode("utf-8", "replace")
    assert text == found.choices[0].message.content
    for one in content:
        assert len(one.top_logprobs) == 3
        assert one.logprob == max(top.logprob for top in one.top_logprobs)
    streamed = [
        one
        for chunk in ask(client, logprobs=True, top_logprobs=3, stream=True)
        if chunk.choices[0].logprobs
        for one in chunk.choices[0].logprobs.content
    ]
    assert [one.bytes for one in streamed] == [one.bytes for one in content]


def test_a_stop_text_ends_the_answer_and_is_not_shown(client):
    whole = ask(client, max_tokens=40).choices[0].message.content
    stop = whole[8:11]
    found = ask(client, max_tokens=40, stop=[stop, "never there"], logprobs=True)
    assert found.choices[0].finish_reason == "stop"
    assert found.choices[0].message.content == whole[: whole.index(stop)]
    chunks = list(ask(client, max_tokens=40, stop=stop, stream=True))
    assert "".join(c.choices[0].delta.content or "" for c in chunks) == whole[: whole.index(stop)]
    assert chunks[-1].choices[0].finish_reason == "stop"


def test_streams_hold_no_half_characters(client):
    for seed in range(3):
        options = {"seed": seed, "temperature": 2, "max_tokens": 40}
        whole = ask(client, **options).choices[0].message.content
        parts = [c.choices[0].delta.content or "" for c in ask(client, stream=True, **options)]
        assert "".join(parts) == whole


def test_a_prompt_that_is_too_long_is_refused_with_both_numbers(client, openai):
    long = [{"role": "user", "content": "the hornbook " * 900}]
    for more in ({}, {"stream": True}):
        with pytest.raises(openai.BadRequestError) as caught:
            ask(client, messages=long, **more)
        error = caught.value
        assert error.code == "context_length_exceeded" and error.param == "messages"
        assert "1,023" in error.message and "1,024" in error.message


@pytest.mark.parametrize(
    ("route", "name"),
    [("chat/completions", "messages"), ("responses", "input"), ("completions", "prompt")],
)
def test_a_prompt_of_megabytes_is_refused_before_its_tokens_are_counted(
    server, monkeypatch, route, name
):
    from hornbook.tokenize.tokenizer import Tokenizer

    monkeypatch.delattr(Tokenizer, "encode")
    monkeypatch.delattr(Tokenizer, "encode_chat")
    text = "the hornbook " * 200_000
    value = [{"role": "user", "content": text}] if name == "messages" else text
    found = server.post(f"/v1/{route}", {name: value})
    error = found.json()["error"]
    assert found.status_code == 400 and error["code"] == "context_length_exceeded"
    assert error["param"] == name and "at least" in error["message"] and "1,024" in error["message"]


def test_messages_may_come_back_as_clients_keep_them(server):
    """With what they add themselves, and what other servers gave."""
    function = {"name": "look", "arguments": "{}"}
    call = {"id": "call_1", "index": 0, "function": function}
    answer = {
        "role": "assistant", "content": None, "tool_calls": [call], "annotations": [],
        "reasoning_content": "Hm.", "refusal": None, "audio": None, "function_call": None,
    }  # fmt: skip
    result = {"role": "tool", "tool_call_id": "call_1", "name": "look", "content": "rain"}
    cached = {"type": "text", "text": "the", "cache_control": {"type": "ephemeral"}}
    asked = [{"role": "user", "content": [cached]}, answer, result]
    found = server.post("/v1/chat/completions", {"messages": asked, "max_tokens": 2})
    assert found.status_code == 200, found.text


def test_what_cannot_be_done_is_refused_by_its_name(server):
    refused = {
        "logits_bias": {"1": 2}, "audio": {"voice": "x", "format": "mp3"}, "n": 0,
        "functions": [], "temperature": 3, "max_tokens": "12", "top_logprobs": 2,
        "logit_bias": {"x": 1}, "stream_options": {"include_usage": True}, "seed": 1.5,
        "modalities": ["text", "audio"], "stop": [""], "web_search_options": {},
    }  # fmt: skip
    for name, value in refused.items():
        found = server.post("/v1/chat/completions", {"messages": HELLO, name: value})
        error = found.json()["error"]
        assert found.status_code == 400, name
        assert name in error["message"], error
    found = server.post("/v1/chat/completions", {"messages": HELLO, "logit_bias": {"999999": 1}})
    assert found.status_code == 400 and "999999" in found.text
    message = {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}
    found = server.post("/v1/chat/completions", {"messages": [message]})
    error = found.json()["error"]
    assert error["param"] == "messages[0].content[0].type" and "image_url" in error["message"]


@pytest.mark.parametrize(
    ("route", "body", "param", "said"),
    [
        ("chat/completions", {"messages": [{"content": "a"}]}, "messages[0].role", "missing"),
        ("chat/completions", {"messages": [{"role": "function"}]}, "messages[0].role", "function"),
        ("chat/completions", {"messages": HELLO, "stop": ["a"] * 65}, "stop", "at most 64"),
        ("chat/completions", {"messages": HELLO, "tool_choice": "any"}, "tool_choice", "any"),
        ("completions", {"prompt": []}, "prompt", "at least 1 item"),
        ("responses", {"input": [{"type": "item_reference"}]}, "input[0].type", "item_reference"),
        ("responses", b'{"input": ', None, "not JSON"),
        ("responses", b'\xef\xbb\xbf{"input": "a"}', None, "not JSON"),
    ],
)
def test_what_is_wrong_is_said_in_words(server, route, body, param, said):
    headers = {"Content-Type": "application/json"}
    content = body if isinstance(body, bytes) else json.dumps(body)
    found = server.raw(f"/v1/{route}", content=content, headers=headers)
    error = found.json()["error"]
    assert found.status_code == 400 and error["param"] == param and said in error["message"], error


def test_null_is_accepted_everywhere(server, client):
    from hornbook.serve.schemas.chat import ChatBody
    from hornbook.serve.schemas.completions import CompletionBody

    own = {"messages": HELLO, "temperature": 0, "max_tokens": 12, "model": "decoder"}
    body = {**dict.fromkeys(ChatBody.model_fields), "audio": None, **own}
    found = server.post("/v1/chat/completions", body).json()
    assert found["choices"][0]["message"] == ask(client).choices[0].message.to_dict()
    body = {**dict.fromkeys(CompletionBody.model_fields), "prompt": "the"}
    assert server.post("/v1/completions", body).status_code == 200


def test_texts_are_continued(client, decoder, openai):
    alone = decoder.answers(["the horn"], temperature=0, top_p=1.0, max_tokens=9)[0]
    options = {"model": "decoder", "temperature": 0, "max_tokens": 9}
    found = client.completions.create(prompt=["the horn", "books"], logprobs=2, **options)
    assert [choice.index for choice in found.choices] == [0, 1]
    assert found.choices[0].text == alone.text
    assert len(found.choices[0].logprobs.tokens) == len(alone.token_ids)
    assert found.choices[0].logprobs.text_offset[0] == 0
    parts = client.completions.create(prompt=alone.prompt_ids, stream=True, **options)
    assert "".join(part.choices[0].text for part in parts) == alone.text
    with pytest.raises(openai.BadRequestError, match="Token 99999 is not there"):
        client.completions.create(prompt=[[1], [99999]], **options)


def test_an_answer_has_the_form_that_is_asked_for(client, openai):
    schema = {"type": "object", "properties": {"a": {"enum": ["x", "yy"]}}, "required": ["a"]}
    form = {"type": "json_schema", "json_schema": {"name": "s", "schema": schema}}
    found = ask(client, response_format=form, max_tokens=40)
    assert json.loads(found.choices[0].message.content)["a"] in ("x", "yy")
    assert found.choices[0].finish_reason == "stop"
    broken = {"type": "json_schema", "json_schema": {"name": "s", "schema": {"type": "none"}}}
    with pytest.raises(openai.BadRequestError, match="response_format"):
        ask(client, response_format=broken)


WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {
            "type": "object",
            "properties": {"town": {"enum": ["Bern", "Paris"]}},
            "required": ["town"],
        },
    },
}


def test_pieces_of_a_message_may_be_empty(client):
    pieces = [{"type": "text", "text": ""}, {"type": "text", "text": "books"}]
    assert ask(client, messages=[{"role": "user", "content": pieces}]).usage.prompt_tokens
    said = [{"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]}]
    assert ask(client, messages=[*HELLO, *said, *HELLO]).usage.prompt_tokens


def test_tools_are_called_in_whole_and_in_streams(client, openai):
    options = {"tools": [WEATHER], "tool_choice": "required", "max_tokens": 250}
    options["parallel_tool_calls"] = False
    found = ask(client, **options).choices[0]
    assert found.finish_reason == "tool_calls" and found.message.content is None
    (call,) = found.message.tool_calls
    assert call.function.name == "weather" and call.id
    assert json.loads(call.function.arguments)["town"] in ("Bern", "Paris")
    chunks = list(ask(client, stream=True, **options))
    (streamed,) = [one for c in chunks for one in c.choices[0].delta.tool_calls or ()]
    assert streamed.function == call.function or streamed.function.name == call.function.name
    assert streamed.index == 0 and streamed.function.arguments == call.function.arguments
    assert chunks[-1].choices[0].finish_reason == "tool_calls"
    assert not "".join(c.choices[0].delta.content or "" for c in chunks)
    conversation = [
        *HELLO,
        found.message.to_dict(),
        {"role": "tool", "tool_call_id": call.id, "content": "21"},
    ]
    assert ask(client, messages=conversation, max_tokens=3).choices[0].message.content
    chosen = {"type": "function", "function": {"name": "wether"}}
    with pytest.raises(openai.BadRequestError, match="Did you mean 'weather'") as caught:
        ask(client, tools=[WEATHER], tool_choice=chosen)
    assert caught.value.param == "tool_choice.function.name"
