"""Streams: in order and whole, whatever the client's pace and its version of HTTP."""

import asyncio
import contextlib
import json
import random
import socket
from types import SimpleNamespace

import pytest

from hornbook.core.errors import HornbookError
from hornbook.generate.service import AnswerPiece
from hornbook.serve.answered import AnswerForm, Begun
from hornbook.serve.delivery import Delivery
from hornbook.serve.wire import TextEvent, event
from hornbook.serve.writer import STRAIGHT, EventWriter

WRITING = SimpleNamespace(request=SimpleNamespace(config=SimpleNamespace(top_logprobs=None)))


class TextForm(AnswerForm):
    """Text as it is."""

    def whole(self, parts):
        return {}

    def first(self):
        return b"<"

    def part(self, part):
        return part.text.encode()

    def last(self):
        return b">"


class Client:
    """What it got, straight or not; it reads while `reads` is set."""

    def __init__(self):
        self.got, self.straight, self.reads = [], 0, asyncio.Event()
        self.reads.set()

    @property
    def ready(self):
        return self.reads.is_set()

    def write(self, part):
        assert part, "an empty chunk is the end of a stream"
        self.straight += 1
        self.got.append(part)

    async def send(self, message):
        if not self.reads.is_set():
            await self.reads.wait()
            await asyncio.sleep(0)  # others come before whoever waited
        self.got.append(message["body"])


def made():
    """A delivery, its form, a client and the writer to it."""
    delivery, client = Delivery([WRITING], None), Client()
    form = TextForm(None, None, delivery, Begun([WRITING]))
    writer = EventWriter({"extensions": {STRAIGHT: client}}, client.send)
    return delivery, form, client, writer


@pytest.mark.parametrize("seed", range(3))
def test_all_of_a_stream_comes_in_order_to_a_client_that_stops_now_and_then(seed):
    chance = random.Random(seed)
    texts = [chance.choice(["", "a", "bc"]) + str(number) for number in range(300)]

    async def streamed():
        delivery, form, client, writer = made()
        stream = asyncio.ensure_future(form.events(writer))
        for number, text in enumerate(texts):
            ended = "stop" if number == len(texts) - 1 else ""
            delivery.take(0, AnswerPiece(text, 1, finished=ended))
            if delivery.heard is not None:
                delivery.heard()
            if chance.random() < 0.2:
                (client.reads.clear if client.reads.is_set() else client.reads.set)()
            for _ in range(chance.randrange(3)):
                await asyncio.sleep(0)
        client.reads.set()
        client.got.append(await asyncio.wait_for(stream, 5))
        assert delivery.heard is None and client.straight > 50
        return b"".join(client.got)

    assert asyncio.run(streamed()).decode() == f"<{''.join(texts)}>"


def test_what_came_before_an_error_is_told_and_then_the_error():
    async def streamed():
        delivery, form, client, writer = made()
        stream = asyncio.ensure_future(form.events(writer))
        await asyncio.sleep(0)
        delivery.take(0, AnswerPiece("some", 1))
        delivery.take(0, AnswerPiece("", None, error=HornbookError("no more")))
        delivery.heard()
        with pytest.raises(HornbookError, match="no more"):
            await stream
        return b"".join(client.got)

    assert asyncio.run(streamed()) == b"<some"


def test_a_form_that_fails_ends_its_own_stream_alone():
    async def streamed():
        delivery, form, _, writer = made()
        form.part = lambda part: 1 / 0
        stream = asyncio.ensure_future(form.events(writer))
        await asyncio.sleep(0)
        delivery.take(0, AnswerPiece("some", 1))
        delivery.heard()
        with pytest.raises(ZeroDivisionError):
            await stream

    asyncio.run(streamed())


def test_silence_is_broken_now_and_then(monkeypatch):
    monkeypatch.setattr("hornbook.serve.answered._SILENCE_S", 0.01)

    async def streamed():
        delivery, form, client, writer = made()
        stream = asyncio.ensure_future(form.events(writer))
        await asyncio.sleep(0.05)
        delivery.take(0, AnswerPiece("x", 1, finished="stop"))
        delivery.heard()
        last = await stream
        return b"".join([*client.got, last])

    said = asyncio.run(streamed())
    assert said.startswith(b"<: still here") and said.endswith(b"x>")


@pytest.mark.parametrize("text", ["", "plain", 'quoted "\\ \n', "春眠 🦉", "\0"])
def test_an_event_of_which_a_text_changes_is_the_same_event(text):
    def value(text):
        return {"a": [{"text": text, "n": None}], "b": "x"}

    assert TextEvent(value).of(text) == event(value(text))


def test_a_client_of_http_1_0_gets_no_chunks(server):
    """They came with 1.1: the end of the connection is that of its answer."""
    messages = [{"role": "user", "content": "the"}]
    body = json.dumps({"messages": messages, "max_tokens": 5, "stream": True}).encode()
    head = (
        f"POST /v1/chat/completions HTTP/1.0\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n"
    )
    with socket.create_connection(server.url[7:].split(":"), timeout=10) as found:
        found.sendall(head.encode() + b"Content-Type: application/json\r\n\r\n" + body)
        raw = b""
        with contextlib.suppress(ConnectionResetError):
            while piece := found.recv(65536):
                raw += piece
    head, _, events = raw.partition(b"\r\n\r\n")
    assert b"200" in head.split(b"\r\n")[0] and b"chunked" not in head.lower()
    lines = [line for line in events.split(b"\n\n") if line]
    assert all(line.startswith(b"data: ") for line in lines) and lines[-1] == b"data: [DONE]"
