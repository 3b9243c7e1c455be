"""A hub on this machine: its files are listed, chosen, fetched in pieces, checked and noted."""

import hashlib
import http.server
import json
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from hornbook.core.errors import UsageError
from hornbook.models.place import resolve
from hornbook.workflows.exchange import hub
from hornbook.workflows.exchange.hub import Named, chosen, parse
from hornbook.workflows.exchange.record import RECORD, Unreachable

COMMIT = "c0ffee" * 6 + "c0ff"
FILES = {
    "config.json": b'{"model_type": "qwen3"}',
    "model.safetensors": bytes(range(256)) * 8000,
    "tokenizer.json": b"{}",
    "pytorch_model.bin": b"a pickle",
    "modeling.py": b"raise SystemExit",
    "onnx/model.onnx": b"other",
    "LICENSE": b"do as you like",
}
LARGE = "model.safetensors"


class Hub(http.server.BaseHTTPRequestHandler):
    """What the hub's library asks: the list of a repository, then each file, whole or its rest."""

    files, gated, breaks, ranges = FILES, False, 0, []

    def do_GET(self):
        kind = type(self)
        if self.path.startswith("/api/models/"):
            self._list()
            return
        name = self.path.split("/resolve/")[1].split("/", 1)[1]
        if kind.gated:
            self._head(403, {"X-Error-Code": "GatedRepo"}, b"")
            return
        if name not in kind.files:
            self._head(404, {"X-Error-Code": "EntryNotFound"}, b"")
            return
        content, start = kind.files[name], 0
        asked = self.headers.get("Range")
        if asked and self.command == "GET":
            kind.ranges.append(asked)
            start = int(asked.removeprefix("bytes=").split("-")[0])
        digest = hashlib.sha256(content).hexdigest()
        headers = {"X-Repo-Commit": COMMIT, "ETag": f'"{digest}"', "Accept-Ranges": "bytes"}
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        cut = name == LARGE and kind.breaks > 0 and self.command == "GET"
        if cut:
            kind.breaks -= 1
        self._head(
            206 if start else 200, headers, content[start:], len(content) // 2 if cut else None
        )

    do_HEAD = do_GET

    def _list(self):
        rows = []
        for name, content in type(self).files.items():
            lfs = {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
            rows.append({"rfilename": name, "size": len(content), "blobId": "0" * 40})
            rows[-1] |= {"lfs": {**lfs, "pointerSize": 1}} if name == LARGE else {}
        found = {"id": "someone/tiny", "sha": COMMIT, "siblings": rows, "private": False}
        found |= {"tags": [], "downloads": 0, "cardData": {"license": "apache-2.0"}}
        self._head(200, {"Content-Type": "application/json"}, json.dumps(found).encode())

    def _head(self, status, headers, content, only=None):
        self.send_response(status)
        for name, value in {"Content-Length": len(content), **headers}.items():
            self.send_header(name, str(value))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content[:only])
        if only:
            self.connection.close()

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    """A hub of its own for each test, which may change its files."""

    class Own(Hub):
        files, ranges = dict(FILES), []

    served = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Own)
    threading.Thread(target=served.serve_forever, daemon=True).start()
    yield served, Own
    served.shutdown()
    served.server_close()


PROGRAM = """
import json, sys
from hornbook.core.errors import HornbookError
from hornbook.workflows.exchange.pull import pull
from tests.tiny import QUIET
try:
    print(json.dumps(pull(sys.argv[1], None, QUIET)))
except HornbookError as error:
    print(json.dumps(str(error)))
"""


def pulled(server, home, name="hf://someone/tiny"):
    """What pulling gives, or says, in a process that knows this hub only."""
    address = f"http://127.0.0.1:{server.server_port}"
    own = {"HF_ENDPOINT": address, "HF_HOME": str(home / "hf"), "HORNBOOK_HOME": str(home / "own")}
    own |= {
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_OFFLINE": "0",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "NO_PROXY": "127.0.0.1",
    }
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, name],
        env=os.environ | own, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return json.loads(done.stdout)


@pytest.mark.slow
def test_any_repository_is_pulled_noted_and_found_by_its_name(server, tmp_path, monkeypatch):
    served, _ = server
    found = pulled(served, tmp_path)
    assert not isinstance(found, str), found
    assert (found["licence"], found["revision"]) == ("apache-2.0", COMMIT)
    folder = tmp_path / "own/models/someone--tiny"
    names = {path.name for path in folder.iterdir()}
    assert names == {"config.json", LARGE, "tokenizer.json", "LICENSE", RECORD, "stage.json"}
    assert (folder / LARGE).read_bytes() == FILES[LARGE]
    monkeypatch.setenv("HORNBOOK_HOME", str(tmp_path / "own"))
    assert resolve(Path("hf://someone/tiny")) == folder
    assert pulled(served, tmp_path)["source"] == "here"


@pytest.mark.slow
def test_a_download_that_breaks_off_goes_on(server, tmp_path):
    served, own = server
    own.files[LARGE] = bytes(range(256)) * 100_000  # the library writes pieces of ten megabytes
    own.breaks = 1
    found = pulled(served, tmp_path)
    if isinstance(found, str):  # the library gave up: called again, it goes on
        found = pulled(served, tmp_path)
    assert found["revision"] == COMMIT
    assert own.ranges and int(own.ranges[-1].removeprefix("bytes=").split("-")[0]) > 0
    folder = tmp_path / "own/models/someone--tiny"
    assert (folder / LARGE).read_bytes() == own.files[LARGE]


@pytest.mark.slow
def test_another_file_under_the_commit_of_the_first_pull_is_refused(server, tmp_path):
    served, own = server
    pulled(served, tmp_path)
    folder = tmp_path / "own/models/someone--tiny"
    (folder / "config.json").write_text("{}")
    own.files["config.json"] = b'{"model_type": "other"}'
    shutil.rmtree(tmp_path / "hf")
    assert "config.json is not the file it should be" in pulled(served, tmp_path)


@pytest.mark.slow
def test_a_gated_model_says_where_its_licence_is_accepted(server, tmp_path):
    served, own = server
    own.gated = True
    assert "licence must be accepted first" in pulled(served, tmp_path)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("hf://a/b", Named("a/b", None, None)),
        ("hf:/a/b@v1.0/m-Q4_K_M.gguf", Named("a/b", "v1.0", "m-Q4_K_M.gguf")),
    ],
)
def test_names(name, expected):
    assert parse(name) == expected


@pytest.mark.parametrize(
    "name",
    ["hf://a", "hf://../b", "hf://a/..", "hf://a/b/c/d", "hf://a/b@x/../y.gguf", "hf://a/b/x.bin"],
)
def test_what_is_no_name_is_refused(name):
    with pytest.raises(UsageError, match="hf://owner/name"):
        parse(name)


def test_of_a_repository_only_what_a_model_needs_is_chosen():
    named = Named("a/b", None, None)
    shards = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
    beside = ["config.json", "model.safetensors.index.json", "1_Pooling/config.json"]
    others = [
        "model.py",
        "x.bin",
        "onnx/model.safetensors",
        "../config.json",
        "consolidated.safetensors",
    ]
    assert chosen([*shards, *beside, *others], named) == [
        *shards,
        *sorted(beside, key=hub._BESIDE.index),
    ]
    assert chosen(["README.md", "m.gguf", "mmproj-F16.gguf"], named) == ["m.gguf"]
    parts = ["m-00001-of-00002.gguf", "m-00002-of-00002.gguf"]
    assert chosen(parts, named) == parts
    assert chosen([*parts, "n.gguf"], named._replace(file=parts[0])) == parts
    assert chosen(["m.gguf", "n.gguf"], named._replace(file="n.gguf")) == ["n.gguf"]
    with pytest.raises(UsageError, match=r"several models.*m\.gguf, n\.gguf"):
        chosen(["m.gguf", "n.gguf"], named)
    with pytest.raises(UsageError, match=r"Did you mean 'n\.gguf'"):
        chosen(["m.gguf", "n.gguf"], named._replace(file="nn.gguf"))
    with pytest.raises(Unreachable, match="no safetensors"):
        chosen(["pytorch_model.bin"], named)
