"""What serving costs beside computing: microseconds of processor time a token, thread by thread.

Run as `python -m benchmarks.serve_cost --model FILE.gguf`. The server is ours whole, but its engine
computes nothing: in each step every stream gets a token, `--pace` seconds after the last one. What
is left is a token's way: the engine's own bookkeeping and the text of tokens (`engine`), the event
loop, the clerk who makes prompts ready, and the clients. Processor time does not depend on what
else runs, so it says on a busy machine what `benchmarks.serve` needs a quiet one for.
"""

import argparse
import asyncio
import json
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import uvloop

from benchmarks.clients import Connection, Exchange
from benchmarks.common import report

_ASKED = "Tell me about bridges, in a few sentences. Begin with what happened in {}."


def main() -> None:
    """Print the JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="a GGUF file")
    parser.add_argument("--streams", type=int, default=32)
    parser.add_argument("--answers", type=int, default=8, help="of each stream")
    parser.add_argument("--tokens", type=int, nargs="+", default=(32, 256), help="of an answer")
    parser.add_argument("--pace", type=float, default=0.02, help="seconds of a step")
    asked = parser.parse_args()
    found = {str(tokens): measured(asked, tokens) for tokens in asked.tokens}
    report(ours=found, peers={}, ratio=None)


def measured(asked: argparse.Namespace, tokens: int) -> dict[str, float]:
    """Microseconds a token with answers of so many."""
    command = [sys.executable, "-c", _SERVER, str(asked.model), str(asked.streams), str(asked.pace)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as server:
        assert server.stdin and server.stdout

        def times() -> dict[str, Any]:
            assert server.stdin and server.stdout
            print(file=server.stdin, flush=True)
            found: dict[str, Any] = json.loads(server.stdout.readline())
            return found

        try:
            port = json.loads(server.stdout.readline())["port"]
            _wait_for(port)
            uvloop.run(_asked(port, asked.streams, 1, tokens))
            before, mine = times(), time.process_time()
            exchanges = uvloop.run(_asked(port, asked.streams, asked.answers, tokens))
            after, clients = times(), time.process_time() - mine
        finally:
            server.terminate()
    _check(exchanges, tokens)
    each = 1e6 / (asked.streams * asked.answers * tokens)
    spent = {name: after[name] - before.get(name, 0.0) for name in after}
    rounded = {name: round(seconds * each, 1) for name, seconds in spent.items()}
    return {**rounded, "clients": round(clients * each, 1)}


def _wait_for(port: int) -> None:
    """An address is told before anybody listens there."""
    while socket.socket().connect_ex(("127.0.0.1", port)):
        time.sleep(0.05)


async def _asked(port: int, streams: int, answers: int, tokens: int) -> list[Exchange]:
    exchanges = []

    async def one(stream: int) -> None:
        client = await Connection.open(port)
        for number in range(answers):
            content = _ASKED.format(1000 * (answers > 1) + 10 * stream + number)
            body = {
                "messages": [{"role": "user", "content": content}], "stream": True,
                "max_tokens": tokens, "temperature": 0,
            }  # fmt: skip
            exchanges.append(await client.ask("/v1/chat/completions", content, body))
        client.close()

    await asyncio.gather(*map(one, range(streams)))
    return exchanges


def _check(exchanges: Sequence[Exchange], tokens: int) -> None:
    """Raises RuntimeError for answers that are not whole."""
    for exchange in exchanges:
        deltas = [event["choices"][0]["delta"] for _, event in exchange.events()]
        texts = [delta for delta in deltas if delta.get("content")]
        if len(texts) != tokens:
            raise RuntimeError(f"an answer has {len(texts)} texts, not {tokens}")


_SERVER = """
import json, socket, sys, threading, time
from pathlib import Path
from hornbook.generate import service
from hornbook.generate.engine import Engine, RequestToken
from hornbook.serve.app import create_app
from hornbook.serve.config import ServeConfig
from hornbook.serve.run import Served, open_state, serve

model, streams, pace = Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])

class Canned(Engine):
    def _start(self):
        super()._start()
        sequences = self._sequences
        sequences.cut = sequences.copy = lambda *given: None
        def go_on(new, computing):
            computing()
            time.sleep(pace)
            return dict.fromkeys(new)
        sequences.go_on = go_on

    def _choose(self, slot, logits):
        one = self._slots[slot]
        finished = self._scheduler.accept(slot, word)
        if finished:
            del self._answering[one.handle]
        return RequestToken(one.handle, word, finished, None, one.reused)

def told():
    found, short = {}, {"MainThread": "loop", "hornbook engine": "engine"}
    for thread in threading.enumerate():
        name = short.get(thread.name, thread.name.split("_")[0])
        clock = time.pthread_getcpuclockid(thread.ident)
        found[name] = found.get(name, 0.0) + time.clock_gettime(clock)
    print(json.dumps({**found, "whole": time.process_time()}), flush=True)

def listen():
    for _ in sys.stdin:
        told()

service.Engine = Canned
config = ServeConfig(port=0, slots=streams, context=1024)
state = open_state(Served([model]), config)
word = state.shelf.open[next(iter(state.shelf.open))].opened.tokenizer.encode(" tablet")[0]
threading.Thread(target=listen, name="listener", daemon=True).start()
said = lambda address: print(json.dumps({"port": int(address.rpartition(":")[2])}), flush=True)
serve(create_app(state), config, said, state)
"""


if __name__ == "__main__":
    main()
