"""A server that computes nothing: it streams canned tokens at the pace that it is told.

Run as `python -m benchmarks.canned SECONDS PORT`: seconds between the tokens of each stream. What
clients and connections cost beside an engine is measured with it.
"""

import asyncio
import json
import re
import sys

import uvloop

_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
_PACE = float(sys.argv[1])


def _chunk(text: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(text), text)


def _event(delta: dict[str, str]) -> bytes:
    """As large as ours are."""
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": None}
    value = {
        "id": f"chatcmpl-{0:024}", "created": 1_800_000_000, "model": "SmolLM2-135M-Instruct.Q4_1",
        "object": "chat.completion.chunk", "choices": [choice],
    }  # fmt: skip
    return _chunk(b"data: " + json.dumps(value).encode() + b"\n\n")


_TOKEN = _event({"content": " tablet"})


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while head := (await reader.readuntil(b"\r\n\r\n")).decode():
        length = re.search(r"(?i)content-length: (\d+)", head)
        if length is None:
            body = json.dumps({"data": [{"id": "canned"}]}).encode()
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body))
            continue
        asked = json.loads(await reader.readexactly(int(length[1])))
        writer.write(_HEAD)
        for _ in range(asked["max_tokens"]):
            await asyncio.sleep(_PACE)
            writer.write(_TOKEN)
        writer.write(_event({}) + _chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n")


async def _main() -> None:
    server = await asyncio.start_server(_answer, "127.0.0.1", int(sys.argv[2]))
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_main())
