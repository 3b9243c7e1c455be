"""Whatever strangers send: no crash, no 5xx, one shape of errors, nothing outside its folder."""

import copy
import json
import random
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from tests.serve.conftest import KINDS, running

ROUTES = (
    "chat/completions", "completions", "responses", "embeddings", "decisions", "rerank",
    "classify", "translate", "search", "ask",
)  # fmt: skip
VALUES = (
    None, True, 0, -1, 1e308, 2**70, "", "x" * 5000, "\x00", "../../etc/passwd", "\ud7ff🦉", [], {},
    [[]], [None], {"a": {"b": []}}, "<|im_start|>", [1, "a"], "NaN", -0.0,
)  # fmt: skip
BODIES = (
    b"", b"{", b"[]", b"null", b'"x"', b"\xff\xfe", b'{"a": NaN}', b'{"a": "\\ud800"}',
    b"[" * 20_000, b'{"messages": ' * 3000, b'{"a": 1, "a": 2}', b"\x00" * 100, b"0" * 10_000,
)  # fmt: skip
SEEDS = {
    "chat/completions": {"messages": [{"role": "user", "content": "the"}], "max_tokens": 2},
    "completions": {"prompt": "the", "max_tokens": 2},
    "responses": {"input": "the", "max_output_tokens": 2},
    "embeddings": {"input": "the"},
    "decisions": {"input": "the", "questions": [{"type": "predicate", "instructions": "is it?"}]},
    "rerank": {"query": "the", "documents": ["a", "b"]},
    "classify": {"input": "the"},
    "translate": {"input": "the", "max_tokens": 3},
    "search": {"query": "the"},
    "ask": {"question": "the?"},
}
PATHS = (
    "/v1/models/../../etc/passwd", "/v1/models/%2e%2e%2fdecoder", "/../etc", "/v1//models", "/docs",
    "/static/..%2f..%2fetc/passwd", "/v1/models/%00", "/%ff", "/v1",
)  # fmt: skip
HEADERS = (
    ("Content-Type", "text/plain"), ("Content-Type", "application/json; charset=utf-16"),
    ("Content-Encoding", "gzip"), ("Authorization", "Bearer " + "x" * 9000), ("Accept", "\x01"),
    ("Transfer-Encoding", "chunked"), ("Content-Length", "-1"), ("Expect", "100-continue"),
    ("X-Forwarded-For", "1.2.3.4"), ("Upgrade", "websocket"), ("Range", "bytes=0-"),
)  # fmt: skip


def names(route):
    """All parameters of a route."""
    import importlib

    from pydantic import BaseModel

    from hornbook.serve import schemas

    found = set()
    for module in ("chat", "completions", "responses", "texts", "decisions", "documents"):
        for value in vars(importlib.import_module(f"{schemas.__name__}.{module}")).values():
            if isinstance(value, type) and issubclass(value, BaseModel):
                found |= set(value.model_fields)
    return sorted(found - {"max_tokens", "n", "max_output_tokens", "max_completion_tokens"})


def mutated(chance, route):
    """A body of a route with a few things exchanged."""
    body = json.loads(json.dumps(SEEDS[route]))
    for _ in range(chance.randint(1, 3)):
        place = body
        while chance.random() < 0.5:
            inner = list(place.values()) if isinstance(place, dict) else place
            inner = [one for one in inner if isinstance(one, dict | list) and one]
            if not inner:
                break
            place = chance.choice(inner)
        value = copy.deepcopy(chance.choice(VALUES))  # it may be changed itself
        if isinstance(place, dict):
            place[chance.choice([*place, *names(route)])] = value
        else:
            place[chance.randrange(len(place))] = value
    return body


def is_fine(response):
    """Whether an answer is a success, or an error of the one shape that is not the server's."""
    if response.status_code < 400:
        return True
    error = response.json()["error"]
    return response.status_code < 500 and set(error) == {"message", "type", "param", "code"}


def attack(server, count, seed):
    """Send so many mutated bodies, whole or in streams."""
    chance = random.Random(seed)
    for number in range(count):
        route = chance.choice(ROUTES)
        body = mutated(chance, route)
        if chance.random() < 0.2:
            body["stream"] = True
        found = server.post(f"/v1/{route}", body)
        assert is_fine(found), (number, route, body, found.status_code, found.text[:300])


def test_mutated_bodies(server):
    attack(server, 10, 1)
    for number, body in enumerate(BODIES):
        route, headers = ROUTES[number % len(ROUTES)], {"Content-Type": "application/json"}
        found = server.raw(f"/v1/{route}", content=body, headers=headers)
        assert found.status_code == 400 and is_fine(found), (route, body[:20])
    assert server.idle()


def test_names_of_models_and_paths_are_no_files(server, folder):
    for name in ("../decoder", str(folder / "decoder"), "decoder/", "%2e%2e/decoder", "decoder\0",
                 "/etc/passwd", "~root", "C:\\x", "decoder" * 1000):  # fmt: skip
        found = server.post("/v1/chat/completions", {**SEEDS["chat/completions"], "model": name})
        assert found.status_code == 404 and found.json()["error"]["code"] == "model_not_found"
    for path in PATHS:
        found = server.get(path)
        assert found.status_code == 404 and is_fine(found), path
    assert "use POST" in server.get("/v1/chat/completions").json()["error"]["message"]
    assert server.method("HEAD", "/health").status_code == 200
    assert server.get("/v1/models/").json() == server.get("/v1/models").json()
    found = server.raw("/v1/classify/", json=SEEDS["classify"])  # never to another address
    assert found.status_code == 404 and "location" not in found.headers
    for method in ("DELETE", "PUT", "PATCH", "TRACE", "MADEUP"):
        found = server.method(method, "/v1/chat/completions")
        assert found.status_code == (400 if method == "MADEUP" else 405) and is_fine(found), method


def test_odd_headers_and_requests_that_are_none(server):
    address = tuple(server.url.removeprefix("http://").split(":"))
    body = json.dumps(SEEDS["classify"]).encode()
    for name, value in HEADERS:
        head = f"POST /v1/classify HTTP/1.1\r\nHost: localhost\r\n{name}: {value}\r\n"
        if name != "Content-Length":
            head += f"Content-Length: {len(body)}\r\n"
        assert answer(address, head.encode() + b"Connection: close\r\n\r\n" + body) < 500, name
    for raw in (
        b"\x00\x01\x02\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET\r\n\r\n",
        b"\x16\x03\x01" * 50,
    ):
        assert answer(address, raw) < 500
    assert server.get("/health").status_code == 200


def answer(address, raw):
    """The status of what comes back; 400 where the connection just ends."""
    with socket.create_connection(address, timeout=10) as connection:
        connection.sendall(raw)
        connection.shutdown(socket.SHUT_WR)
        first = connection.recv(100).split()
    return int(first[1]) if len(first) > 1 else 400


def test_the_document_of_the_api_is_whole(server):
    document = server.get("/openapi.json").json()
    assert {f"/v1/{route}" for route in ROUTES} <= set(document["paths"])
    assert "HTTPValidationError" not in json.dumps(document)


@pytest.mark.slow
def test_schemathesis_finds_nothing(folder, tmp_path):
    """Its own checks that need no promise about what a model can do."""
    with running([folder / kind for kind in KINDS], max_tokens=3) as server:
        command = [
            sys.executable, "-m", "schemathesis.cli", "run", f"{server.url}/openapi.json",
            "--checks", "not_a_server_error,status_code_conformance,content_type_conformance,"
            "response_schema_conformance,unsupported_method", "--max-examples", "15",
            "--phases", "coverage,fuzzing", "--seed", "1", "--no-color",
            "--suppress-health-check=all",
        ]  # fmt: skip
        found = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert found.returncode == 0, found.stdout[-6000:]


@pytest.mark.fuzz
def test_ten_thousand_bodies(folder):
    with running([folder / kind for kind in KINDS], max_tokens=3) as server:
        with ThreadPoolExecutor(5) as pool:  # some at a time
            list(pool.map(partial(attack, server, 2000), range(2, 7)))
        assert server.idle(within=10)
