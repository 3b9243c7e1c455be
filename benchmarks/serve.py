"""Serving on one machine: ours against `llama-cpp-python`'s server, same file, same requests.

Run as `python -m benchmarks.serve --model FILE.gguf`. At each number of `--streams` as many clients
ask for `--seconds`, each as soon as its last answer is whole: greedy chat answers of `--tokens`
tokens to questions of their own. Measured by the clients: tokens a second of all, seconds to the
first text and between texts (median and 95th percentile), and errors; of the server its memory at
the beginning and at the end. Ours besides: whether each text is that of the same request alone, and
its share of the tokens a second of the engine alone (the same requests in one process without
HTTP). The peer's server answers one request at a time.
"""

import argparse
import asyncio
import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import numpy as np

from benchmarks.common import report

_THREADS = 2
_PATIENCE_S = 60.0
"""Without a byte, after which a client gives up."""
_TOPICS = ("rivers", "bread", "stars", "ships", "bees", "paper", "clocks", "bridges")
_ASKED = "Tell me about {topic}, in a few sentences. Begin with what happened in {year}."


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="a GGUF file")
    parser.add_argument("--streams", type=int, nargs="+", default=(8, 32))
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--peer-python", default=sys.executable)
    parser.add_argument("--without-peer", action="store_true")
    arguments = parser.parse_args()
    ours, peer = {}, {}
    for streams in arguments.streams:
        ours[str(streams)] = _ours(arguments, streams)
        print(json.dumps(ours[str(streams)]), flush=True)
        if not arguments.without_peer:
            with _Server(_peer_command(arguments)) as server:
                peer[str(streams)] = asyncio.run(_load(server, arguments, streams)).told(server)
            print(json.dumps(peer[str(streams)]), flush=True)
    key = "tokens_per_second"
    ratio = min((ours[n][key] / peer[n][key] for n in peer), default=None)
    report(ours=ours, peers={"llama-cpp-python": peer} if peer else {}, ratio=ratio)


def _ours(arguments: argparse.Namespace, streams: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "hornbook", "serve", str(arguments.model)]
    command += ["--slots", str(min(streams, 32)), "--context", "1024", "--port"]
    with _Server(command) as server:
        alone = asyncio.run(_alone(server, arguments, min(streams, 8)))
        found = asyncio.run(_load(server, arguments, streams))
        told = found.told(server)
    same = [found.texts[key] == {text} for key, text in alone.items() if key in found.texts]
    engine = _engine(arguments, streams)
    share = told["tokens_per_second"] / engine
    return told | {
        "texts_compared": len(same),
        "texts_as_alone": sum(same),
        "engine_tokens_per_second": round(engine, 1),
        "share_of_engine": round(share, 3),
    }


def _peer_command(arguments: argparse.Namespace) -> list[str]:
    return [
        arguments.peer_python, "-m", "llama_cpp.server", "--model", str(arguments.model),
        "--n_ctx", "1024", "--interrupt_requests", "false",
        "--n_threads", str(_THREADS), "--n_threads_batch", str(_THREADS),
        "--port",
    ]  # fmt: skip


class _Server:
    """A server's process on a free port, ready when the block begins."""

    def __init__(self, command: list[str]) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}/v1"
        environment = {**os.environ, "OMP_NUM_THREADS": str(_THREADS)}
        self._process = subprocess.Popen(
            [*command, str(port)], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            env=environment,
        )  # fmt: skip
        self.first_bytes = 0

    def __enter__(self) -> "_Server":
        until = time.monotonic() + 120
        while True:
            try:
                found = httpx2.get(f"{self.url}/models", timeout=2).json()
                self.model = found["data"][0]["id"]
                return self
            except (httpx2.HTTPError, KeyError):
                if self._process.poll() is not None or time.monotonic() > until:
                    raise RuntimeError(f"{self.url} did not start") from None
                time.sleep(0.2)

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(30)

    def memory_bytes(self) -> int:
        """Resident, as Linux tells it."""
        text = Path(f"/proc/{self._process.pid}/status").read_text(encoding="ascii")
        found = re.search(r"VmRSS:\s+(\d+)", text)
        return int(found[1]) * 1024 if found else 0


@dataclass
class _Found:
    """What clients saw. texts: of each request, by its question."""

    began: float
    ended: float = 0.0
    tokens: int = 0
    first_s: list[float] = field(default_factory=list)
    between_s: list[float] = field(default_factory=list)
    turned_away: int = 0
    errors: int = 0
    texts: dict[str, set[str]] = field(default_factory=dict)

    def told(self, server: _Server) -> dict[str, Any]:
        """As the report has it."""
        return {
            "tokens_per_second": round(self.tokens / (self.ended - self.began), 1),
            "answers": len(self.first_s),
            "first_s": _quantiles(self.first_s),
            "between_s": _quantiles(self.between_s),
            "turned_away": self.turned_away,
            "errors": self.errors,
            "memory_mib": [round(b / 2**20) for b in (server.first_bytes, server.memory_bytes())],
        }


def _quantiles(seconds: list[float]) -> dict[str, float]:
    if not seconds:
        return {}
    return {name: round(float(np.quantile(seconds, at)), 4)
            for name, at in (("median", 0.5), ("p95", 0.95))}  # fmt: skip


def _question(stream: int, number: int) -> str:
    return _ASKED.format(topic=_TOPICS[stream % len(_TOPICS)], year=1500 + stream + number % 4)


def _body(server: _Server, arguments: argparse.Namespace, question: str) -> dict[str, Any]:
    return {
        "model": server.model, "messages": [{"role": "user", "content": question}],
        "temperature": 0, "max_tokens": arguments.tokens, "stream": True,
    }  # fmt: skip


async def _alone(server: _Server, arguments: argparse.Namespace, streams: int) -> dict[str, str]:
    """The texts of some requests, one after another."""
    found = _Found(time.monotonic())
    async with httpx2.AsyncClient(timeout=600) as client:
        for stream in range(streams):
            await _ask(client, server, arguments, _question(stream, 0), found)
    return {question: next(iter(texts)) for question, texts in found.texts.items()}


async def _load(server: _Server, arguments: argparse.Namespace, streams: int) -> _Found:
    """So many clients at once, each asking again and again."""
    server.first_bytes = server.memory_bytes()
    found = _Found(time.monotonic())
    limits = httpx2.Limits(max_connections=streams, max_keepalive_connections=streams)

    async def one(client: httpx2.AsyncClient, stream: int) -> None:
        number = 0
        while time.monotonic() - found.began < arguments.seconds:
            try:
                await _ask(client, server, arguments, _question(stream, number), found)
            except httpx2.HTTPError:  # it ended the connection, or said nothing for too long
                found.errors += 1
            number += 1

    async with httpx2.AsyncClient(timeout=_PATIENCE_S, limits=limits) as client:
        await asyncio.gather(*(one(client, stream) for stream in range(streams)))
    found.ended = time.monotonic()
    return found


async def _ask(
    client: httpx2.AsyncClient, server: _Server, arguments: argparse.Namespace, question: str,
    found: _Found,
) -> None:  # fmt: skip
    """One answer, streamed; each event with text is a token."""
    began = last = time.monotonic()
    text, body = "", _body(server, arguments, question)
    async with client.stream("POST", f"{server.url}/chat/completions", json=body) as response:
        if response.status_code == 429:
            found.turned_away += 1
            await asyncio.sleep(float(response.headers.get("retry-after", 1)))
            return
        found.errors += response.status_code != 200
        async for line in response.aiter_lines():
            if not line.startswith("data: {"):
                continue
            event = json.loads(line[6:])
            choices = event.get("choices")
            found.errors += choices is None
            piece = choices and choices[0]["delta"].get("content")
            if not piece:
                continue
            now = time.monotonic()
            (found.between_s if text else found.first_s).append(now - (last if text else began))
            text, last = text + piece, now
            found.tokens += 1
    found.texts.setdefault(question, set()).add(text)


def _engine(arguments: argparse.Namespace, streams: int) -> float:
    """Tokens a second of the same requests in a process of their own, without a server."""
    command = [sys.executable, "-c", _ENGINE, str(arguments.model), str(streams),
               str(arguments.tokens)]  # fmt: skip
    questions = [_question(i % streams, i // streams) for i in range(2 * streams)]
    environment = {**os.environ, "OMP_NUM_THREADS": str(_THREADS)}
    run: Callable[..., Any] = subprocess.run
    found = run(command, input=json.dumps(questions), capture_output=True, text=True, check=True,
                env=environment)  # fmt: skip
    return float(found.stdout.split()[-1])


_ENGINE = """
import json, sys, time
from pathlib import Path
from hornbook.generate.engine import Engine
from hornbook.generate.sampling import SamplingConfig
from hornbook.generate.scheduler import GenerationRequest, SchedulerConfig
from hornbook.workflows.open.generator import open_generator

path, streams, tokens = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
model, tokenizer = open_generator(Path(path))
engine = Engine(model, SchedulerConfig(slots=min(streams, 32), step_tokens=128), 1024)
config = SamplingConfig(temperature=0, max_tokens=tokens)
for question in json.load(sys.stdin):
    ids = tokenizer.encode_chat([{"role": "user", "content": question}], True)[0].tolist()
    engine.submit(GenerationRequest(ids, config, tokenizer.stop_ids))
began, count = time.monotonic(), 0
for token in engine.run():
    count += token.id not in tokenizer.stop_ids
print(count / (time.monotonic() - began))
"""


if __name__ == "__main__":
    main()
