"""Serving on one machine: ours against `llama-cpp-python`'s server, same file, same requests.

Run as `python -m benchmarks.serve --model FILE.gguf`. At each number of `--streams` as many clients
ask for `--seconds`, each as soon as its last answer is whole: greedy chat answers of `--tokens`
tokens to questions of their own. Measured by the clients: tokens a second of all, seconds to the
first text and between texts (median and 95th percentile), and errors; of the server its memory at
eleven times a round. Ours besides: whether each text is that of the same request alone, and its
share of the tokens a second of the engine alone (the same requests, one after another in each
stream, in one process without HTTP). Both are measured by turns, in `--rounds`, as what a machine
can do changes within minutes; the share is the median of the rounds' own. The peer's server answers
one request at a time.

Clients run on the same cores, so `engine_beside_clients` is measured too: the engine alone, while a
server of canned tokens streams to the same clients as many as it writes. `cpu_ms` are milliseconds
of processor time a token, which do not depend on what else runs: of the server, of the engine
alone, and of the clients; `cores_busy` are the processors that server and clients kept busy
together. `benchmarks.serve_cost` says where the server's own time goes.
"""

import argparse
import asyncio
import contextlib
import json
import math
import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import uvloop

from benchmarks.clients import Connection, Exchange
from benchmarks.common import report

_THREADS = 2
_TOPICS = ("rivers", "bread", "stars", "ships", "bees", "paper", "clocks", "bridges")
_ASKED = "Tell me about {topic}, in a few sentences. Begin with what happened in {year}."
_DIFFERENT = 4
"""Questions of a stream, asked in turn."""
_LOOKS = 10
"""At the memory, after the first one."""
_MOST_SLOTS = 32
_ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": str(_THREADS)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="a GGUF file")
    parser.add_argument("--streams", type=int, nargs="+", default=(8, 32))
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--temperature", type=float, default=0.0)
    parser.add_argument("--peer-python", default=sys.executable)
    parser.add_argument("--without-peer", action="store_true")
    arguments = parser.parse_args()
    ours, peer = {}, {}
    for streams in arguments.streams:
        ours[str(streams)] = _ours(arguments, streams)
        print(json.dumps(ours[str(streams)]), flush=True)
        if not arguments.without_peer:
            with _Server(_peer_command(arguments)) as server:
                found = _Found()
                uvloop.run(_load(server, arguments, streams, arguments.seconds, found))
            peer[str(streams)] = found.told()
            print(json.dumps(peer[str(streams)]), flush=True)
    key = "tokens_per_second"
    ratio = min((ours[n][key] / peer[n][key] for n in peer), default=None)
    report(ours=ours, peers={"llama-cpp-python": peer} if peer else {}, ratio=ratio)


def _ours(arguments: argparse.Namespace, streams: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "hornbook", "serve", str(arguments.model)]
    command += ["--slots", str(min(streams, _MOST_SLOTS)), "--context", "1024", "--port"]
    found, seconds = _Found(), arguments.seconds / arguments.rounds
    engines, shares = list[dict[str, float]](), list[float]()
    with _Server(command) as server:
        alone = uvloop.run(_alone(server, arguments, min(streams, 8)))
        for _ in range(arguments.rounds):
            engines.append(_Engine(arguments, streams, seconds).told())
            before = found.in_time
            uvloop.run(_load(server, arguments, streams, seconds, found))
            tokens = found.in_time - before
            shares.append(tokens / seconds / engines[-1]["tokens_per_second"])
    rate = median(each["tokens_per_second"] for each in engines)
    with _Server([sys.executable, "-m", "benchmarks.canned", str(streams / rate)]) as canned:
        beside = _Engine(arguments, streams, seconds)
        uvloop.run(_load(canned, arguments, streams, seconds, _Found(), beside.is_running))
    busy, told = beside.told()["tokens_per_second"], found.told()
    same = [found.texts[key] == {text} for key, text in alone.items() if key in found.texts]
    told["cpu_ms"]["engine"] = median(each["cpu_ms"] for each in engines)
    return told | {
        "texts_compared": len(same),
        "texts_as_alone": sum(same),
        "engine_tokens_per_second": round(rate, 1),
        "engine_beside_clients": round(busy, 1),
        "share_of_engine": round(median(shares), 3),
        "shares_of_engine": [round(each, 3) for each in shares],
        "share_of_engine_beside_clients": round(told["tokens_per_second"] / busy, 3),
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
            self.port = free.getsockname()[1]
        self._process = subprocess.Popen(
            [*command, str(self.port)], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            env=_ENVIRONMENT,
        )  # fmt: skip

    def __enter__(self) -> "_Server":
        until, url = time.monotonic() + 120, f"http://127.0.0.1:{self.port}/v1/models"
        while True:
            try:
                with urllib.request.urlopen(url, timeout=2) as answer:
                    self.model = json.load(answer)["data"][0]["id"]
                return self
            except (OSError, ValueError):
                if self._process.poll() is not None or time.monotonic() > until:
                    raise RuntimeError(f"{url} did not start") from None
                time.sleep(0.2)

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(30)

    def memory_bytes(self) -> int:
        """Resident, as Linux tells it."""
        text = Path(f"/proc/{self._process.pid}/status").read_text(encoding="ascii")
        found = re.search(r"VmRSS:\s+(\d+)", text)
        return int(found[1]) * 1024 if found else 0

    def cpu_s(self) -> float:
        """Processor time of all its threads so far."""
        text = Path(f"/proc/{self._process.pid}/stat").read_text(encoding="ascii")
        return sum(map(int, text.rpartition(")")[2].split()[11:13])) / os.sysconf("SC_CLK_TCK")


@dataclass
class _Found:
    """What clients saw, in one round or several. until: when a round's time was over; tokens that
    came later are in no rate. texts: of each request, by its question."""

    rounds: int = 0
    elapsed_s: float = 0.0
    until: float = math.inf
    tokens: int = 0
    in_time: int = 0
    first_s: list[float] = field(default_factory=list)
    between_s: list[float] = field(default_factory=list)
    turned_away: int = 0
    errors: int = 0
    texts: dict[str, set[str]] = field(default_factory=dict)
    memory_bytes: list[int] = field(default_factory=list)
    server_s: float = 0.0
    clients_s: float = 0.0

    def add(self, exchange: Exchange) -> None:
        """An answer; each of its events with text is a token."""
        if exchange.status == 429:
            self.turned_away += 1
            return
        if exchange.broken or exchange.status != 200:
            self.errors += 1
            return
        text, last = "", exchange.began
        for when, event in exchange.events():
            self.errors += "choices" not in event
            piece = event.get("choices") and event["choices"][0]["delta"].get("content")
            if piece:
                (self.between_s if text else self.first_s).append(when - last)
                text, last = text + piece, when
                self.tokens += 1
                self.in_time += when <= self.until
        self.texts.setdefault(exchange.asked, set()).add(text)

    def told(self) -> dict[str, Any]:
        """As the report has it."""
        each = 1000 / max(self.tokens, 1)
        return {
            "tokens_per_second": round(self.in_time / self.elapsed_s, 1),
            "answers": len(self.first_s),
            "first_s": _quantiles(self.first_s),
            "between_s": _quantiles(self.between_s),
            "turned_away": self.turned_away,
            "errors": self.errors,
            "cores_busy": round((self.server_s + self.clients_s) / self.elapsed_s, 2),
            "memory_mib": [round(b / 2**20) for b in self.memory_bytes],
            "cpu_ms": {
                "server": round(self.server_s * each, 3), "clients": round(self.clients_s * each, 3)
            },
        }  # fmt: skip


def _quantiles(seconds: list[float]) -> dict[str, float]:
    if not seconds:
        return {}
    return {name: round(float(np.quantile(seconds, at)), 4)
            for name, at in (("median", 0.5), ("p95", 0.95))}  # fmt: skip


def _question(stream: int, number: int, round: int = 0) -> str:
    """Others in each round: none finds its beginning in a cache that the engine alone lacks."""
    topic, year = _TOPICS[stream % len(_TOPICS)], 1500 + stream + number % _DIFFERENT + 100 * round
    return _ASKED.format(topic=topic, year=year)


def _ask(
    client: Connection, server: _Server, arguments: argparse.Namespace, question: str
) -> Coroutine[Any, Any, Exchange]:
    body = {
        "model": server.model, "messages": [{"role": "user", "content": question}],
        "temperature": arguments.temperature, "max_tokens": arguments.tokens, "stream": True,
    }  # fmt: skip
    return client.ask("/v1/chat/completions", question, body)


async def _alone(server: _Server, arguments: argparse.Namespace, streams: int) -> dict[str, str]:
    """The texts of some requests, one after another."""
    found, client = _Found(), await Connection.open(server.port)
    for stream in range(streams):
        found.add(await _ask(client, server, arguments, _question(stream, 0)))
    client.close()
    return {question: next(iter(texts)) for question, texts in found.texts.items()}


async def _load(
    server: _Server, arguments: argparse.Namespace, streams: int, seconds: float, found: _Found,
    going_on: Callable[[], bool] = lambda: True,
) -> None:  # fmt: skip
    """So many clients at once, each asking again and again; what they see is added to `found`."""
    exchanges, ended, began = list[Exchange](), asyncio.Event(), time.monotonic()
    found.memory_bytes.append(server.memory_bytes())
    server_s, clients_s = server.cpu_s(), time.process_time()

    async def one(stream: int) -> None:
        client, number = await Connection.open(server.port), 0
        while time.monotonic() - began < seconds and going_on():
            exchanges.append(
                await _ask(client, server, arguments, _question(stream, number, found.rounds))
            )
            if exchanges[-1].broken:
                client = await Connection.open(server.port)
            elif exchanges[-1].status == 429:
                await asyncio.sleep(float(exchanges[-1].header(b"retry-after") or 1))
            number += 1
        client.close()

    async def look() -> None:
        while not ended.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(ended.wait(), seconds / _LOOKS)
            found.memory_bytes.append(server.memory_bytes())

    looking = asyncio.create_task(look())
    await asyncio.gather(*map(one, range(streams)))
    found.until = min(time.monotonic(), began + seconds)
    found.rounds += 1
    found.elapsed_s += found.until - began
    found.server_s += server.cpu_s() - server_s
    found.clients_s += time.process_time() - clients_s
    ended.set()
    await looking
    for exchange in exchanges:
        found.add(exchange)


class _Engine:
    """The engine alone, in a process of its own: the same questions in as many streams."""

    def __init__(self, arguments: argparse.Namespace, streams: int, seconds: float) -> None:
        values = {
            "model": str(arguments.model), "slots": min(streams, _MOST_SLOTS),
            "seconds": min(seconds, 20), "max_tokens": arguments.tokens,
            "temperature": arguments.temperature,
            "questions": [[_question(s, n) for n in range(_DIFFERENT)] for s in range(streams)],
        }  # fmt: skip
        self._process = subprocess.Popen(
            [sys.executable, "-c", _ENGINE, json.dumps(values)], stdout=subprocess.PIPE, text=True,
            env=_ENVIRONMENT,
        )  # fmt: skip

    def is_running(self) -> bool:
        """Whether it is not finished."""
        return self._process.poll() is None

    def told(self) -> dict[str, float]:
        """tokens_per_second, and cpu_ms of a token, when it is finished."""
        found: dict[str, float] = json.loads(self._process.communicate()[0].splitlines()[-1])
        return found


_ENGINE = """
import json, sys, time
from pathlib import Path
from hornbook.generate.engine import Engine
from hornbook.generate.sampling import SamplingConfig
from hornbook.generate.scheduler import GenerationRequest, SchedulerConfig
from hornbook.generate.service import keeping
from hornbook.workflows.open.generator import open_generator

asked = json.loads(sys.argv[1])
model, tokenizer = open_generator(Path(asked["model"]))
config = keeping(SchedulerConfig(slots=asked["slots"], step_tokens=128), model, 1024, 2**28)
engine = Engine(model, config, 1024)
drawn = SamplingConfig(temperature=asked["temperature"], max_tokens=asked["max_tokens"])
prompts = [
    [tokenizer.encode_chat([{"role": "user", "content": one}], True)[0].tolist() for one in stream]
    for stream in asked["questions"]
]
def submit(stream, number):
    prompt = prompts[stream][number % len(prompts[stream])]
    return engine.submit(GenerationRequest(prompt, drawn, tokenizer.stop_ids)), (stream, number)
running = dict(submit(stream, 0) for stream in range(len(prompts)))
began, used, count = time.monotonic(), time.process_time(), 0
while time.monotonic() - began < asked["seconds"]:
    for token in engine.step():
        count += token.id not in tokenizer.stop_ids
        if token.finished:
            stream, number = running.pop(token.handle)
            running.update([submit(stream, number + 1)])
each = 1 / (time.monotonic() - began), 1000 * (time.process_time() - used) / count
print(json.dumps({"tokens_per_second": round(count * each[0], 1), "cpu_ms": round(each[1], 3)}))
"""


if __name__ == "__main__":
    main()
