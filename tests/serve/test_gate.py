"""Nothing gets past the gate: other names, pages of other sites, wrong keys, too much at once."""

import http.client
import socket
import time

import pytest

from hornbook.core.errors import UsageError
from hornbook.serve.config import KEY, ServeConfig, is_loopback
from hornbook.serve.gate import Gate
from hornbook.serve.run import check_address, key_of_environment
from tests import web
from tests.serve.conftest import running

LOCAL = ("localhost", "LOCALHOST:80", "127.0.0.1:8080", "[::1]:9", "127.1.2.3")
FOREIGN = (
    "evil.example", "evil.example:8080", "192.168.1.7", "0.0.0.0", "localhost.evil.example", "",
    "127.0.0.1.nip.io", "user@localhost", "localhost, evil.example", "localhost/evil", "[::1",
    "a:b",
    "localhost:99999", "evil.example#localhost", "x" * 300,
)  # fmt: skip


def status(server, host=None, **headers):
    """Of a request for the models."""
    address = server.url.removeprefix("http://")
    connection = http.client.HTTPConnection(address, timeout=10)
    connection.putrequest("GET", "/v1/models", skip_host=True)
    for name, value in {"Host": address if host is None else host, **headers}.items():
        connection.putheader(name.replace("_", "-"), value)
    connection.endheaders()
    found = connection.getresponse()
    connection.close()
    return found.status


@pytest.mark.parametrize("host", LOCAL)
def test_this_machine_may_ask_by_its_names(server, host):
    assert status(server, host) == 200


@pytest.mark.parametrize("host", FOREIGN)
def test_a_name_that_was_pointed_here_gets_nothing(server, host):
    assert status(server, host) in (400, 403)


def test_a_request_has_one_host(server):
    address = server.url.removeprefix("http://")
    for hosts in ([], [address, "evil.example"], [address, address]):
        lines = "".join(f"Host: {host}\r\n" for host in hosts)
        with socket.create_connection(address.split(":"), timeout=10) as raw:
            raw.sendall(f"GET /v1/models HTTP/1.1\r\n{lines}\r\n".encode())
            assert raw.recv(100).split()[1] == b"400"


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://localhost:1", "file://", "http://127.0.0.1"]
)
def test_a_page_of_another_site_gets_nothing(server, origin):
    assert status(server, Origin=origin) == 403
    asked = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    found = web.options(f"{server.url}/v1/chat/completions", headers=asked)
    assert found.status_code == 403
    assert not [name for name in found.headers if name.lower().startswith("access-control")]


def test_a_picture_or_form_of_another_site_gets_nothing(server):
    for site in ("cross-site", "same-site"):
        assert status(server, Sec_Fetch_Site=site, Sec_Fetch_Mode="no-cors") == 403
    assert status(server, Sec_Fetch_Site="same-origin", Origin=server.url) == 200
    assert status(server, Sec_Fetch_Site="none") == 200
    body = b'{"messages": [{"role": "user", "content": "hi"}]}'
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
        found = web.post(
            f"{server.url}/v1/chat/completions", content=body, headers={"Content-Type": kind}
        )
        assert found.status_code == 400, kind


def test_an_address_that_others_reach_needs_a_key(monkeypatch):
    for host in ("0.0.0.0", "192.168.1.7", "::", "example.org"):
        with pytest.raises(UsageError, match=KEY):
            check_address(ServeConfig(host=host))
        check_address(ServeConfig(host=host, key="k"))
    for host in ("127.0.0.1", "localhost", "::1", "127.9.9.9"):
        assert is_loopback(host)
        check_address(ServeConfig(host=host))
    monkeypatch.setenv(KEY, "secret")
    assert key_of_environment() == "secret"
    assert "secret" not in repr(ServeConfig(key="secret"))
    for wrong in ("geheim\n", "schlüssel", " x"):
        monkeypatch.setenv(KEY, wrong)
        with pytest.raises(UsageError, match="ASCII"):
            key_of_environment()


class Recorder:
    """An application that notes that it was reached."""

    def __init__(self):
        self.reached = 0

    async def __call__(self, scope, receive, send):
        self.reached += 1
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})


def through(path="/v1/models", host="192.168.1.7:80", headers=(), **config):
    """The status of a request at a gate, and whether it got through."""
    import asyncio

    app, sent = Recorder(), []
    gate = Gate(app, ServeConfig(**{"host": "0.0.0.0", "key": "secret", **config}))
    scope = {
        "type": "http", "method": "GET", "path": path, "query_string": b"",
        "headers": [(b"host", host.encode()), *headers],
    }  # fmt: skip

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        sent.append(message)

    asyncio.run(gate(scope, receive, send))
    return sent[0]["status"], app.reached


def test_the_key_is_wanted_everywhere_but_for_health():
    assert through() == (401, 0)
    assert through("/health") == (200, 1)
    right = (b"authorization", b"Bearer secret")
    assert through(headers=[right]) == (200, 1)
    for wrong in (b"Bearer secre", b"Bearer secret2", b"Basic secret", b"secret", b"Bearer \xff"):
        assert through(headers=[(b"authorization", wrong)]) == (401, 0)
    assert through(headers=[right, right]) == (401, 0)
    for path in ("/Health", "/health/", "//health", "/v1/../health", "/metrics", "/openapi.json"):
        assert through(path) == (401, 0), path


def test_names_must_be_known_where_others_come_in_too():
    right = [(b"authorization", b"Bearer secret")]
    assert through(host="evil.example", headers=right) == (403, 0)
    assert through(host="api.example", headers=right, allowed_hosts=("API.example",)) == (200, 1)
    assert through(host="[2001:db8::1]:8080", headers=right) == (200, 1)


def test_a_large_body_is_refused_before_it_has_come(folder):
    with running([folder / "linear"], body_bytes=1000, body_s=0.3) as server:
        found = server.post("/v1/chat/completions", {"messages": "x" * 2000})
        assert found.status_code == 413 and found.json()["error"]["code"] == "body_too_large"
        pieces = (b"x" * 100 for _ in range(1000))
        found = web.post(f"{server.url}/v1/chat/completions", content=pieces)
        assert found.status_code == 413
        with socket.create_connection(server.url[7:].split(":"), timeout=10) as raw:
            raw.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n")
            raw.sendall(b"Content-Length: 900\r\n\r\n{")
            began = time.monotonic()
            assert raw.recv(100).split()[1] == b"408"
            assert time.monotonic() - began < 3
