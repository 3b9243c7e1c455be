"""Connections that take their time: each is told so, and none is held for ever."""

import contextlib
import json
import socket
import time

import pytest

from hornbook.serve import connection
from tests.serve.conftest import running

ASKED = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
POSTED = b"POST /v1/classify HTTP/1.1\r\nHost: localhost\r\nContent-Length: 900\r\n\r\n"


@pytest.fixture(scope="module")
def server(folder):
    with running([folder / "linear"], body_s=0.4, body_bytes=1000, connections=4) as found:
        yield found


@contextlib.contextmanager
def connected(server):
    with socket.create_connection(server.url[7:].split(":"), timeout=5) as found:
        yield found


def is_answered(found):
    """Whether a whole answer comes."""
    raw = b""
    while b'{"status":"ok"}' not in raw and (piece := found.recv(4096)):
        raw += piece
    return raw.startswith(b"HTTP/1.1 200 OK")


def rest(found):
    """What comes until the server ends the connection."""
    pieces = []
    with contextlib.suppress(ConnectionResetError):
        while piece := found.recv(65536):
            pieces.append(piece)
    return b"".join(pieces)


def refused(raw):
    """The status and the error of an answer."""
    head, _, body = raw.partition(b"\r\n\r\n")
    error = json.loads(body)["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert b"connection: close" in head.lower()
    return int(head.split()[1]), error["message"]


def drip(found, pieces):
    """Send some bytes now and then, until the server has had enough."""
    began = time.monotonic()
    with contextlib.suppress(OSError):
        while time.monotonic() - began < 5:
            found.sendall(pieces)
            time.sleep(0.1)
    return time.monotonic() - began


@pytest.mark.parametrize("before", [b"", ASKED], ids=["first", "second"])
def test_a_head_that_does_not_end_is_given_up(server, before):
    """Bytes now and then do not prolong it."""
    with connected(server) as found:
        found.sendall(before)
        if before:
            assert is_answered(found)
        found.sendall(b"GET /health HTTP/1.1\r\n")
        assert drip(found, b"X: y\r\n") < 2
        assert refused(rest(found)) == (408, "The head did not come within 0.4 seconds.")


def test_a_connection_without_a_word_is_ended(server):
    with connected(server) as found:
        began = time.monotonic()
        assert rest(found) == b"" and time.monotonic() - began < 2


def test_line_ends_are_no_request(server):
    """They may stand before one."""
    with connected(server) as found:
        found.sendall(ASKED)
        assert is_answered(found)
        found.sendall(b"\r\n")
        time.sleep(0.1)
        found.sendall(b"\r\n" + ASKED)
        assert is_answered(found)
        found.sendall(b"\r\n")
        assert drip(found, b"\r\n") < 2


def test_a_head_without_an_end_is_too_large(server):
    with connected(server) as found:
        with contextlib.suppress(OSError):
            found.sendall(ASKED[:-2])
            for _ in range(70):
                found.sendall(b"X: " + b"y" * 1000 + b"\r\n")
        status, message = refused(rest(found))
        assert status == 431 and "65,536 bytes" in message


def test_what_is_no_request_is_told_so(server):
    with connected(server) as found:
        found.sendall(b"\x00\x01\r\n\r\n")
        assert refused(rest(found))[0] == 400


def test_a_body_that_goes_on_after_its_answer_is_cut_off(server, monkeypatch):
    monkeypatch.setattr(connection, "_LINGER_S", 0.2)
    with connected(server) as found:
        found.sendall(POSTED.replace(b"900", b"90000"))
        assert b"413" in found.recv(4096)
        assert drip(found, b"x") < 2


def test_a_slow_answer_is_no_slow_head(server):
    """Half of the next request comes while the first is answered; the rest comes later."""
    with connected(server) as found:
        found.sendall(ASKED + ASKED[:10])
        assert is_answered(found)
        time.sleep(0.1)
        found.sendall(ASKED[10:])
        assert is_answered(found)


def test_one_connection_too_many_is_turned_away(server):
    with contextlib.ExitStack() as stack:
        several = [stack.enter_context(connected(server)) for _ in range(8)]
        for one in several:
            one.sendall(ASKED)
            assert is_answered(one)
        status, message = refused(rest(stack.enter_context(connected(server))))
        assert status == 503 and "Too many connections" in message
        several[0].close()
        time.sleep(0.1)
        with connected(server) as found:
            found.sendall(ASKED)
            assert is_answered(found)
