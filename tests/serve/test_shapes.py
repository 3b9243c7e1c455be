"""Requests as programs send them that people point at a server of their own."""

import json

import pytest

ASKED = [{"role": "user", "content": "the hornbook"}]
PIECES = [{"role": "user", "content": [{"type": "text", "text": "the hornbook"}]}]
TOOL = {
    "type": "function",
    "function": {
        "name": "read_file",
        "description": "Read a file.",
        "parameters": {
            "$schema": "http://json-schema.org/draft-07/schema#",
            "type": "object",
            "properties": {"path": {"type": "string", "description": "Where.", "maxLength": 4}},
            "required": ["path"],
            "additionalProperties": False,
        },
    },
}
USED = [
    *ASKED,
    {"role": "assistant", "content": "", "tool_calls": [
        {"id": "call_1", "type": "function",
         "function": {"name": "read_file", "arguments": '{"path": "a"}'}}]},
    {"role": "tool", "tool_call_id": "call_1", "content": "books"},
]  # fmt: skip
CODE_STOPS = [f"<|stop_{number}|>" for number in range(8)] + [
    "\n\n", "\r\n\r\n", "/src/", "#- coding: utf-8", "```", "\nfunction", "\nclass", "\nmodule",
    "\nexport", "\nimport",
]  # fmt: skip
CHATS = {
    "Open WebUI, a chat": {
        "messages": [{"role": "system", "content": "Be brief."}, *ASKED], "stream": True,
        "stream_options": {"include_usage": True}, "temperature": 0.7, "top_p": 0.9, "seed": 1,
        "frequency_penalty": 0.1, "stop": ["###"], "max_tokens": 5,
    },
    "Open WebUI, a title": {"messages": ASKED, "stream": False, "max_completion_tokens": 5},
    "Continue, a chat": {
        "messages": PIECES, "max_tokens": 4096, "stream": True, "temperature": 0, "stop": ["the"],
    },
    "Continue, an agent": {
        "messages": USED, "max_tokens": 5, "stream": True, "tools": [TOOL],
        "parallel_tool_calls": False,
    },
    "LangChain, a structured answer": {
        "messages": ASKED, "max_tokens": 40, "stream": False, "n": 1, "response_format": {
            "type": "json_schema", "json_schema": {"name": "Fits", "strict": True, "schema": {
                "type": "object", "title": "Fits", "additionalProperties": False,
                "properties": {"yes": {"title": "Yes", "type": "boolean"}}, "required": ["yes"]}}},
    },
    "LangChain, a tool that must be called": {
        "messages": ASKED, "max_tokens": 200, "tools": [TOOL], "parallel_tool_calls": False,
        "tool_choice": {"type": "function", "function": {"name": "read_file"}},
    },
    "a client that sends all it knows as null": {
        "messages": [{"role": "user", "content": "the", "name": None}], "max_tokens": 3,
        "reasoning_effort": None, "tools": None, "functions": None, "logit_bias": None,
    },
    "a client that offers what changes nothing": {
        "messages": [*ASKED, {"role": "assistant", "content": "a", "tool_calls": []}, *ASKED],
        "max_tokens": 3, "reasoning_effort": "none", "verbosity": "medium", "user": "u",
        "prediction": {"type": "content", "content": "books"}, "store": False, "metadata": {},
    },
}  # fmt: skip


@pytest.mark.parametrize("name", CHATS)
def test_chats(server, name):
    found = server.post("/v1/chat/completions", {"model": "decoder", **CHATS[name]})
    assert found.status_code == 200, found.text
    if CHATS[name].get("stream"):
        events = [line[6:] for line in found.text.splitlines() if line.startswith("data: ")]
        assert events[-1] == "[DONE]" and not any("error" in json.loads(e) for e in events[:-1])
        return
    (choice,) = found.json()["choices"]
    if "response_format" in CHATS[name]:
        assert isinstance(json.loads(choice["message"]["content"])["yes"], bool)
    if "tool_choice" in CHATS[name]:
        (call,) = choice["message"]["tool_calls"]
        assert len(json.loads(call["function"]["arguments"])["path"]) <= 4


def test_code_that_is_completed(server):
    """Continue's editor: many texts end it."""
    body = {"model": "decoder", "prompt": "the horn", "max_tokens": 4, "temperature": 0.01,
            "stop": CODE_STOPS, "stream": True}  # fmt: skip
    found = server.post("/v1/completions", body)
    assert found.status_code == 200 and found.text.endswith("data: [DONE]\n\n")


def test_vectors_of_documents(server):
    """Open WebUI and LangChain: batches of texts, as floats."""
    body = {"model": "encoder", "input": ["the", "books"], "encoding_format": "float", "user": "u"}
    found = server.post("/v1/embeddings", body).json()
    assert [len(one["embedding"]) for one in found["data"]] == [
        len(found["data"][0]["embedding"])
    ] * 2
    tokens = server.post("/v1/embeddings", {**body, "input": [[1, 2], [3]]})
    assert tokens.status_code == 400 and "send texts" in tokens.json()["error"]["message"]
