"""A web server's files; a connection that breaks stops the work, and shortens no corpus."""

import contextlib
import gzip
import http.server
import multiprocessing
import pickle
import socket
import threading
from concurrent.futures import ProcessPoolExecutor

import pytest

from hornbook.core.errors import HornbookError, UsageError
from hornbook.read import remote
from hornbook.read.documents import Document
from hornbook.read.sources import find_files, fingerprint, name_of, read_here, size_of
from tests.read.test_locations import MADE, lines, missing, texts

needs_web = pytest.mark.skipif(missing("fsspec", "aiohttp"), reason="needs hornbook[remote]")


class Web:
    """A server on this machine. broken: how many answers end in the middle."""

    def __init__(self):
        self.files, self.headers, self.asked = {}, {}, []
        self.ranges, self.length, self.broken, self.status, self.sent = True, True, 0, None, 0
        self.silent = threading.Event()
        web = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                web.answer(self)

            do_HEAD = do_GET

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.host = f"127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    def answer(self, request):
        name = request.path.partition("?")[0].strip("/")
        self.asked.append(request.command)
        data, place = self.files.get(name), request.headers.get("Range", "")
        status = 404 if data is None else self.status if self.status and place else 200
        data = b"" if data is None or status >= 400 else data
        headers = dict(self.headers)
        if self.ranges and place and status == 200:
            start, _, end = place.removeprefix("bytes=").partition("-")
            headers["Content-Range"] = f"bytes {start}-{end}/{len(data)}"
            data, status = data[int(start) : int(end) + 1], 206
        request.send_response(status)
        for header, value in headers.items():
            request.send_header(header, value)
        request.send_header(
            "Content-Length" if self.length else "Connection",
            str(len(data)) if self.length else "close",
        )
        request.close_connection = not self.length
        request.end_headers()
        if request.command == "HEAD":
            return
        if self.broken:
            self.broken -= 1
            data, request.close_connection = data[: len(data) // 2], True
        self.sent += len(data)
        with contextlib.suppress(ConnectionError):
            request.wfile.write(data)

    def url(self, name):
        return f"http://{self.host}/{name}"

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def web(monkeypatch):
    monkeypatch.setattr(remote, "WAITS_S", (0.0, 0.0))
    server = Web()
    yield server
    server.close()


@needs_web
def test_a_long_file_is_read_as_it_comes(web):
    data = web.files["a.jsonl.gz"] = gzip.compress(lines(5_000, 2_000), 1)
    assert len(data) > 9e6
    [file] = find_files([web.url("a.jsonl.gz?sig=secret")])
    assert name_of(file) == web.url("a.jsonl.gz") and size_of(file) == len(data)
    assert "secret" not in repr(file) + str(file)
    items = read_here(file)
    assert next(items).text.startswith("0 ")
    assert web.sent < len(data) * 2 / 3
    assert sum(1 for _ in items) == 4_999
    assert web.sent == len(data)


@needs_web
@pytest.mark.parametrize("length", [True, False])
@pytest.mark.parametrize("suffix", MADE)
def test_a_server_that_only_sends_whole_files(web, tmp_path, suffix, length):
    web.ranges, web.length = False, length
    web.files[f"a{suffix}"] = data = MADE[suffix](300)
    (tmp_path / f"a{suffix}").write_bytes(data)
    [file] = find_files([web.url(f"a{suffix}")])
    assert size_of(file) == (len(data) if length else 0)
    assert texts(read_here(file)) == texts(read_here(tmp_path / f"a{suffix}"))


@needs_web
@pytest.mark.parametrize("ranges", [True, False])
@pytest.mark.parametrize("suffix", MADE)
def test_a_broken_connection_is_tried_again_and_then_an_error(web, suffix, ranges):
    web.ranges = ranges
    web.files[f"a{suffix}"] = MADE[suffix](2_000)
    [file] = find_files([web.url(f"a{suffix}?sig=secret").replace("//", "//me:secret@")])
    whole = texts(read_here(file))
    web.broken = 2
    assert texts(read_here(file)) == whole and web.broken == 0
    web.broken = 10**9
    with pytest.raises(HornbookError, match="run the same command again") as caught:
        assert all(isinstance(item, Document) for item in read_here(file))
    assert str(caught.value).startswith(web.url(f"a{suffix}"))
    assert "secret" not in str(caught.value)


@needs_web
def test_a_refusal_in_the_middle_stops_at_once(web):
    web.files["a.txt"] = b"text"
    [file] = find_files([web.url("a.txt?sig=secret")])
    web.status, web.asked = 403, []
    with pytest.raises(HornbookError, match="403") as caught:
        list(read_here(file))
    assert web.asked.count("GET") == 1 and "secret" not in str(caught.value)


@needs_web
def test_a_server_that_falls_silent_is_given_up(web, monkeypatch):
    monkeypatch.setattr(remote, "WAITS_S", ())
    monkeypatch.setattr(remote, "SILENCE_S", 0.2)
    web.files["a.txt"] = b"text"
    [file] = find_files([web.url("a.txt")])
    monkeypatch.setattr(web, "answer", lambda request: web.silent.wait(10))
    try:
        with pytest.raises(HornbookError, match="Timeout"):
            list(read_here(file))
        with pytest.raises(HornbookError, match=r"cannot be listed: .*Timeout"):
            find_files([web.url("a.txt")])
    finally:
        web.silent.set()


@needs_web
def test_what_is_not_there(web):
    for name in ("none.txt", "none.txt?sig=secret"):
        with pytest.raises(UsageError, match=r"none\.txt does not exist"):
            find_files([web.url(name)])
    with pytest.raises(UsageError, match="lists no folders"):
        find_files([web.url("")])
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(HornbookError, match=r"cannot be listed: .*Cannot connect") as caught:
        find_files([f"http://127.0.0.1:{port}/a.txt"])
    assert not isinstance(caught.value, UsageError), "a server that is down is no typing mistake"


@needs_web
def test_the_fingerprint_is_what_the_store_says(web):
    web.files["a.txt"] = b"one"
    marks = []
    for headers in ({"ETag": '"1"'}, {"ETag": '"2"'}, {"Last-Modified": "Mon"}, {}):
        web.headers, web.asked = headers, []
        files = find_files([web.url("a.txt?sig=secret")])
        marks += fingerprint(files, False)
        assert fingerprint(files, False) == marks[-1:]
        assert ("GET" in web.asked) == (not headers), "fetched only where nothing else is known"
    assert len(set(marks)) == 4 and not any("secret" in mark for mark in marks)
    web.files["a.txt"] = b"two"
    assert fingerprint(find_files([web.url("a.txt")]), False) != marks[-1:]


@needs_web
def test_one_name_is_one_file(web):
    web.files["a.txt"] = b"one"
    assert len(find_files([web.url("a.txt?id=1")] * 2)) == 1
    with pytest.raises(UsageError, match=r"both called http://[\d.:]+/a\.txt:"):
        find_files([web.url("a.txt?id=1"), web.url("a.txt?id=2")])


@needs_web
def test_files_go_to_other_processes(web):
    web.files["a.jsonl"] = lines(5)
    files = find_files([web.url("a.jsonl?sig=1")])
    assert pickle.loads(pickle.dumps(files)) == files and len(set(files + files)) == 1
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        assert pool.submit(count, files[0]).result() == 5


def count(file):
    return len(texts(read_here(file)))
