"""The Responses API by OpenAI's client, which looks at every field of every event."""

import json

import pytest

TOOL = {
    "type": "function",
    "name": "weather",
    "parameters": {
        "type": "object",
        "properties": {"town": {"enum": ["Bern", "Paris"]}},
        "required": ["town"],
    },
}


@pytest.fixture(scope="module")
def strict(server, openai):
    with openai.OpenAI(
        base_url=f"{server.url}/v1", api_key="any", max_retries=0, _strict_response_validation=True
    ) as found:
        yield found


def ask(client, **more):
    return client.responses.create(
        **{"model": "decoder", "input": "the", "temperature": 0, "max_output_tokens": 12, **more}
    )


def test_a_response_is_the_answer_of_chat(strict, client):
    messages = [{"role": "system", "content": "books"}, {"role": "user", "content": "the"}]
    chat = client.chat.completions.create(
        model="decoder", messages=messages, temperature=0, max_tokens=12
    )
    found = ask(strict, instructions="books")
    assert found.output_text == chat.choices[0].message.content
    assert found.status == "incomplete"
    assert found.incomplete_details.reason == "max_output_tokens"
    assert found.usage.input_tokens == chat.usage.prompt_tokens
    assert found.usage.output_tokens == 12
    parts = [{"role": "user", "content": [{"type": "input_text", "text": "the"}]}]
    assert ask(strict, instructions="books", input=parts).output_text == found.output_text


def test_a_stream_tells_the_life_of_a_response(strict):
    whole = ask(strict).output_text
    events = list(ask(strict, stream=True))
    assert [event.sequence_number for event in events] == list(range(len(events)))
    kinds = list(dict.fromkeys(event.type for event in events))
    assert kinds == [
        "response.created", "response.in_progress", "response.output_item.added",
        "response.content_part.added", "response.output_text.delta", "response.output_text.done",
        "response.content_part.done", "response.output_item.done", "response.incomplete",
    ]  # fmt: skip
    deltas = "".join(e.delta for e in events if e.type == "response.output_text.delta")
    assert deltas == whole == events[-1].response.output_text
    assert len({e.item_id for e in events if hasattr(e, "item_id")}) == 1
    assert events[0].response.id == events[-1].response.id
    schema = {"type": "object", "properties": {"a": {"enum": ["x"]}}, "required": ["a"]}
    form = {"format": {"type": "json_schema", "name": "s", "schema": schema}}
    events = list(ask(strict, stream=True, text=form, max_output_tokens=60))
    assert events[-1].type == "response.completed"
    assert json.loads(events[-1].response.output_text) == {"a": "x"}
    assert events[-1].response.usage.total_tokens > 0


def test_functions_are_called_and_tools_of_the_provider_ignored(strict):
    tools = [TOOL, {"type": "web_search"}, {"type": "made_up", "x": 1}]
    options = {"tools": tools, "tool_choice": "required", "parallel_tool_calls": False}
    found = ask(strict, max_output_tokens=250, **options)
    (call,) = found.output
    assert call.type == "function_call" and call.name == "weather"
    assert json.loads(call.arguments)["town"] in ("Bern", "Paris")
    events = list(ask(strict, stream=True, max_output_tokens=250, **options))
    kinds = [event.type for event in events]
    assert kinds == [
        "response.created", "response.in_progress", "response.output_item.added",
        "response.function_call_arguments.delta", "response.function_call_arguments.done",
        "response.output_item.done", "response.completed",
    ]  # fmt: skip
    again = [
        {"role": "user", "content": "the"},
        call.to_dict(),
        {"type": "function_call_output", "call_id": call.call_id, "output": "21"},
    ]
    assert ask(strict, input=again, tools=tools, tool_choice="none").output_text
    assert ask(strict, tools=[{"type": "web_search"}], tool_choice="auto").output_text


def test_nothing_is_kept_and_it_is_said(strict, openai):
    for name, value in {"previous_response_id": "resp_1", "conversation": "conv_1"}.items():
        with pytest.raises(openai.BadRequestError, match="keeps no conversation") as caught:
            ask(strict, **{name: value})
        assert caught.value.param == name
    for wrong in ({"background": True}, {"truncation": "auto"}, {"max_tool_calls": 2}):
        with pytest.raises(openai.BadRequestError) as caught:
            ask(strict, **wrong)
        assert caught.value.param == next(iter(wrong))
    assert ask(strict, previous_response_id=None, store=True, user="x").store is False
