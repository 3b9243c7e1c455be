"""One server with a tiny model of each kind, on a real port, for all tests of the API."""

import asyncio
import contextlib
import threading
import time
from typing import NamedTuple

import httpx2
import pytest
import uvicorn

from hornbook.serve.app import create_app
from hornbook.serve.config import ServeConfig
from hornbook.serve.run import settings
from hornbook.serve.served_documents import ServedDocuments
from hornbook.serve.shelf import Shelf, named
from hornbook.serve.state import ServerState
from tests.tiny import every_kind

KINDS = ("decoder", "encoder", "network", "linear", "pairs", "cross")


class Running(NamedTuple):
    """A server in a thread of this process. web: a client of it, as making one takes longer than
    most requests."""

    web: httpx2.Client
    url: str
    state: ServerState
    app: object

    def post(self, path, body, **options):
        return self.web.post(self.url + path, json=body, **options)

    def get(self, path, **options):
        return self.web.get(self.url + path, **options)

    def raw(self, path, **options):
        return self.web.post(self.url + path, **options)

    def method(self, method, path):
        return self.web.request(method, self.url + path)

    def idle(self, within=1.0):
        """Whether nothing is written any more, soon."""
        until = time.monotonic() + within
        engines = list(self.state.shelf.open.values())
        while any(model.running or model.users for model in engines):
            if time.monotonic() > until:
                return False
            time.sleep(0.01)
        return True


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    return every_kind(tmp_path_factory.mktemp("served"), context=1024)


@contextlib.contextmanager
def running(paths, index=None, memory=None, **values):
    """A server of models, and of an index, until the end of the block. memory: as of `Shelf`."""
    config = ServeConfig(**{"slots": 4, "waiting": 4, **values})
    documents = None if index is None else ServedDocuments(index, config)
    state = ServerState(config, Shelf(named(paths), config, "cpu", memory=memory), documents)
    app = create_app(state)
    with httpx2.Client(timeout=30, verify=False) as web, listening(app, config) as url:
        yield Running(web, url, state, app)


@contextlib.contextmanager
def listening(app, config=None, port=0):
    """The address of an application that listens until the end of the block."""
    own = (config or ServeConfig()).model_copy(update={"port": port})
    server = uvicorn.Server(settings(app, own))
    with server.config.bind_socket() as socket:
        thread = threading.Thread(target=asyncio.run, args=(server.serve([socket]),))
        thread.start()
        try:
            while not server.started and thread.is_alive():
                time.sleep(0.005)
            yield f"http://127.0.0.1:{socket.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


@pytest.fixture(scope="session")
def server(folder):
    with running([folder / kind for kind in KINDS]) as found:
        yield found


@pytest.fixture(scope="session")
def openai():
    """Imported where it is needed: it takes a second of each process."""
    import openai

    return openai


@pytest.fixture(scope="session")
def client(server, openai):
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key="any", max_retries=0) as found:
        yield found
