"""Models that come and go while others are used."""

import threading
import time

import pytest

from hornbook.serve.shelf import Shelf, named
from tests import web
from tests.serve.conftest import running
from tests.serve.test_clients import LONG, slowed

EMBED, CHAT = {"input": "the", "model": "encoder"}, {**LONG, "model": "decoder"}


@pytest.fixture
def small(folder):
    """A server with room for the decoder or two others."""
    paths = [folder / kind for kind in ("decoder", "encoder", "linear", "network")]
    sizes = {path.name: Shelf(named([path]), None)._taken(path.name) for path in paths}
    most = max(sizes["decoder"], sizes["encoder"] + sizes["network"]) + sizes["linear"] / 2
    with running(paths, memory=lambda: most) as server:
        yield server


def is_open(server):
    return set(server.state.shelf.open)


def test_no_model_leaves_while_it_writes(small, monkeypatch):
    alone = small.post("/v1/chat/completions", CHAT).json()["choices"][0]["message"]["content"]
    slowed(monkeypatch, 0.02)
    body, url = {**CHAT, "stream": True}, f"{small.url}/v1/chat/completions"
    with web.stream("POST", url, json=body, timeout=20) as stream:
        lines = stream.iter_lines()
        next(lines)
        found = small.post("/v1/embeddings", EMBED)
        assert found.status_code == 429 and found.headers["retry-after"]
        assert "no room" in found.text and is_open(small) == {"decoder"}
        assert "data: [DONE]" in list(lines)
    assert small.idle()
    assert small.post("/v1/embeddings", EMBED).status_code == 200
    assert is_open(small) == {"encoder"}
    again = small.post("/v1/chat/completions", CHAT).json()["choices"][0]["message"]["content"]
    assert again == alone and is_open(small) == {"decoder"}


def test_the_least_used_leaves(small):
    for name in ("encoder", "network", "encoder", "linear"):
        route = "embeddings" if name == "encoder" else "classify"
        assert small.post(f"/v1/{route}", {**EMBED, "model": name}).status_code == 200
        time.sleep(0.01)
    assert is_open(small) == {"encoder", "linear"}


def test_a_model_that_is_open_waits_for_no_other_to_be_opened(folder, monkeypatch):
    from hornbook.serve.served import ServedModel

    opened, hold = ServedModel.__init__, threading.Event()

    def slow(self, name, *values):
        assert name != "decoder" or hold.wait(20)
        opened(self, name, *values)

    monkeypatch.setattr(ServedModel, "__init__", slow)
    with running([folder / "encoder", folder / "decoder"]) as server:
        server.post("/v1/embeddings", EMBED)
        asked = threading.Thread(target=server.post, args=("/v1/chat/completions", CHAT))
        asked.start()
        time.sleep(0.1)
        assert server.post("/v1/embeddings", EMBED).status_code == 200 and asked.is_alive()
        hold.set()
        asked.join()
        assert is_open(server) == {"encoder", "decoder"}
