"""Clients that leave, crowd in or ask at the same time: none disturbs another."""

import asyncio
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx2
import pytest

from hornbook.serve import routes
from hornbook.workflows.documents.indexing import IndexRequest, make_index
from tests import web
from tests.serve.conftest import running
from tests.tiny import QUIET

LONG = {"messages": [{"role": "user", "content": "the"}], "max_tokens": 60, "seed": 3}


def slowed(monkeypatch, seconds):
    """Every step of the engine takes so long."""
    from hornbook.generate.engine import Engine

    step = Engine.step

    def slow(*given):
        time.sleep(seconds)
        return step(*given)

    monkeypatch.setattr(Engine, "step", slow)


@pytest.mark.parametrize("stream", [True, False])
def test_a_client_that_leaves_frees_its_slot(server, monkeypatch, stream):
    slowed(monkeypatch, 0.05)
    body = {**LONG, "stream": stream, "n": 3}
    try:
        with web.stream(
            "POST", f"{server.url}/v1/chat/completions", json=body, timeout=20 if stream else 0.3
        ) as found:
            for _ in found.iter_lines():
                break
    except httpx2.TimeoutException:
        assert not stream
    assert server.idle(within=1.0)


def leave(server, path, body):
    """Ask, and go before the answer comes."""
    with pytest.raises(httpx2.ReadTimeout):
        web.post(server.url + path, json=body, timeout=0.4)


def slow_method(monkeypatch, kind, name, seconds):
    method = getattr(kind, name)

    def slow(self, *values, **options):
        time.sleep(seconds)
        return method(self, *values, **options)

    monkeypatch.setattr(kind, name, slow)


@pytest.mark.parametrize("path", ["embeddings", "rerank"])
def test_texts_that_nobody_waits_for_are_not_read(server, monkeypatch, path):
    from hornbook.workflows.open.encoder import Encoder

    slow_method(monkeypatch, Encoder, "embed", 0.2)
    texts, other = ["the horn"] * 2000, {"model": "encoder"}
    body = {"input": texts} if path == "embeddings" else {"query": "the", "documents": texts}
    leave(server, f"/v1/{path}", body | other)
    began = time.monotonic()
    found = server.post("/v1/embeddings", {"input": "the", **other})
    assert found.status_code == 200 and time.monotonic() - began < 1


def test_a_question_that_nobody_waits_for_is_given_up(folder, tmp_path, monkeypatch):
    """While a model writes; the next question is answered at once."""
    from hornbook.models.sequences import StateSequences

    (tmp_path / "a.txt").write_text("The notice period is three months. The rent is due on Monday.")
    make_index(IndexRequest((str(tmp_path / "a.txt"),), encoder="none"), tmp_path / "index", QUIET)
    slow_method(monkeypatch, StateSequences, "go_on", 0.1)
    question = {"question": "How long is the notice period?"}
    with running([folder / "decoder"], index=tmp_path / "index") as server:
        server.post("/v1/search", {"query": "notice"})
        leave(server, "/v1/ask", {**question, "model": "decoder"})
        began = time.monotonic()
        found = server.post("/v1/ask", question).json()
        assert "three months" in found["answer"] and time.monotonic() - began < 1


def test_the_others_go_on_when_one_leaves(server, client, monkeypatch):
    alone = client.chat.completions.create(model="decoder", **LONG).choices[0].message.content
    slowed(monkeypatch, 0.01)
    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(client.chat.completions.create, model="decoder", **LONG)
        with web.stream(
            "POST", f"{server.url}/v1/chat/completions", json={**LONG, "stream": True}
        ) as found:
            next(found.iter_lines())
        assert other.result().choices[0].message.content == alone


def test_streams_and_plain_requests_side_by_side_get_what_they_get_alone(client):
    def ask(number, stream):
        options = {**LONG, "seed": number, "max_tokens": 30, "model": "decoder"}
        found = client.chat.completions.create(stream=stream, **options)
        if not stream:
            return found.choices[0].message.content
        return "".join(chunk.choices[0].delta.content or "" for chunk in found)

    alone = [ask(number, False) for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(ask, number, number % 2 == 0) for number in range(8)]
        assert [one.result() for one in asked] == alone


def test_too_many_are_turned_away_and_told_when_to_come_again(server, monkeypatch):
    slowed(monkeypatch, 0.02)
    with ThreadPoolExecutor(12) as pool:
        body = {**LONG, "max_tokens": 10}
        asked = [pool.submit(server.post, "/v1/chat/completions", body) for _ in range(12)]
        found = [one.result() for one in asked]
    codes = sorted(one.status_code for one in found)
    assert codes.count(200) >= 8 and set(codes) == {200, 429}, codes
    for one in found:
        if one.status_code == 429:
            assert int(one.headers["retry-after"]) >= 1
            assert one.json()["error"]["type"] == "rate_limit_error"


def test_more_than_ever_find_a_place_are_no_matter_of_waiting(server):
    found = server.post("/v1/chat/completions", {**LONG, "n": 9})
    assert found.status_code == 400 and "9 answers" in found.json()["error"]["message"]


def test_a_stream_that_nobody_reads_is_given_up(monkeypatch):
    """The client is there, and its buffers are full."""
    monkeypatch.setattr(routes, "_LAST_WORD_S", 0.05)
    closed = asyncio.Event()

    async def events(writer):
        while True:
            await writer.send(b"x")

    async def send(message):
        if message["type"] == "http.response.body":
            await asyncio.Event().wait()

    async def close():
        closed.set()

    async def given_up():
        stream = routes.EventStream(events, close, 0.05)
        await asyncio.wait_for(stream({}, asyncio.Event().wait, send), 5)
        return closed.is_set()

    assert asyncio.run(given_up())


def test_an_answer_that_takes_too_long_is_no_success(folder, monkeypatch, openai):
    slowed(monkeypatch, 0.1)
    with running([folder / "decoder"], request_s=0.4) as server:
        found = server.post("/v1/chat/completions", LONG)
        assert found.status_code == 408 and found.json()["error"]["code"] == "timeout"
        assert server.idle()
        client = openai.OpenAI(base_url=f"{server.url}/v1", api_key="x", max_retries=0)
        with client, pytest.raises(openai.APIError, match="took longer than"):
            list(client.chat.completions.create(model="decoder", stream=True, **LONG))
        assert server.idle()


def test_an_engine_that_fails_tells_its_clients_and_goes_on(server, monkeypatch):
    from hornbook.generate.engine import Engine

    compute = Engine._compute

    def broken(*given):
        monkeypatch.setattr(Engine, "_compute", compute)
        raise RuntimeError("secret words")

    for stream in (False, True):
        monkeypatch.setattr(Engine, "_compute", broken)
        found = server.post("/v1/chat/completions", {**LONG, "stream": stream})
        lines = [line for line in found.text.splitlines() if line.startswith("data: ")]
        error = json.loads(lines[-1][6:] if stream else found.text)["error"]
        assert error["type"] == "server_error" and "secret" not in error["message"]
        assert stream or found.status_code == 500
    assert server.post("/v1/chat/completions", LONG).status_code == 200


def test_a_server_that_stops_finishes_what_runs(folder, monkeypatch):
    slowed(monkeypatch, 0.02)
    found = []
    with running([folder / "decoder"]) as server:

        def ask():
            found.append(server.post("/v1/chat/completions", LONG))

        thread = threading.Thread(target=ask)
        thread.start()
        while not any(model.running for model in server.state.shelf.open.values()):
            time.sleep(0.01)
    thread.join()
    assert found[0].status_code == 200
    assert found[0].json()["choices"][0]["finish_reason"] in ("stop", "length")
