"""`hornbook serve` as a process: it starts with what it may, and ends well."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time

import pytest

from tests import web
from tests.in_process import hornbook

pytestmark = pytest.mark.slow
ASKED = {"messages": [{"role": "user", "content": "the"}], "max_tokens": 80, "temperature": 0}
SLOW = """
import sys, time
from hornbook.generate.engine import Engine
step = Engine.step
def slow(*given):
    time.sleep({pause})
    return step(*given)
Engine.step = slow
import socket
connect = socket.socket.connect
def local(self, address):
    assert address[0] in ("127.0.0.1", "localhost", "::1"), f"asked for {{address}}"
    return connect(self, address)
socket.socket.connect = local
sys.argv[0] = "hornbook"
from hornbook.cli import main
main()
"""


@contextlib.contextmanager
def process(*arguments, pause=0.0, **environment):
    """The command, with an engine that takes its time, and no way to other machines."""
    command = [sys.executable, "-c", SLOW.format(pause=pause), "serve", *arguments, "--port", "0"]
    started = subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, env={**os.environ, **environment}
    )
    lines = []
    for line in started.stderr:
        lines.append(line)
        if found := re.search(r"Listening on (\S+)/v1", line):
            break
    else:
        raise AssertionError("".join(lines))
    reader = threading.Thread(target=lambda: lines.extend(started.stderr))
    reader.start()
    try:
        yield started, found[1], lines
    finally:
        started.kill()
        started.wait()
        reader.join()
        started.stderr.close()


def wait_for_first_text(url, found):
    body = {**ASKED, "stream": True}
    with web.stream("POST", f"{url}/v1/chat/completions", json=body, timeout=30) as response:
        found.extend(response.iter_lines())


@pytest.mark.parametrize("drain", ["30", "0.5"])
def test_sigterm_finishes_what_runs_up_to_a_limit(folder, drain):
    with process(str(folder / "decoder"), "--drain", drain, pause=0.05) as (started, url, lines):
        found = []
        asking = threading.Thread(target=wait_for_first_text, args=(url, found))
        asking.start()
        while not found and asking.is_alive():
            time.sleep(0.05)
        began = time.monotonic()
        started.send_signal(signal.SIGTERM)
        asking.join(20)
        assert started.wait(20) == 0
        took = time.monotonic() - began
    text = "\n".join(found)
    if drain == "30":
        assert "[DONE]" in text and "error" not in text
    else:
        assert took < 5 and "stopped before the answer was whole" in text
    assert "the" not in [word for line in lines for word in line.split()]


@pytest.mark.parametrize("drain", ["30", "0.5"])
def test_sigterm_while_a_long_prompt_is_read(folder, drain):
    """As while an answer is written: it is finished, or told why not."""
    found = []
    with process(str(folder / "decoder"), "--drain", drain, pause=0.3) as (started, url, _):
        content = {"messages": [{"role": "user", "content": "the " * 700}]}

        def ask():
            body = {**ASKED, **content, "max_tokens": 2}
            found.append(web.post(f"{url}/v1/chat/completions", json=body, timeout=30))

        asking = threading.Thread(target=ask)
        asking.start()
        while 'running{model="decoder"} 1' not in web.get(f"{url}/metrics").text:
            time.sleep(0.05)
        began = time.monotonic()
        started.send_signal(signal.SIGTERM)
        asking.join(20)
        assert started.wait(20) == 0
    if drain == "30":
        assert found[0].status_code == 200 and found[0].json()["usage"]["prompt_tokens"] > 700
    else:
        assert time.monotonic() - began < 5
        assert found[0].status_code == 503 and found[0].json()["error"]["code"] == "stopping"


def test_ctrl_c_ends_it_too(folder):
    with process(str(folder / "linear")) as (started, url, _):
        assert web.get(f"{url}/health").status_code == 200
        started.send_signal(signal.SIGINT)
        assert started.wait(10) == 0


def test_texts_are_logged_only_when_asked(folder):
    for more, logged in (((), False), (("--log-texts",), True)):
        with process(str(folder / "linear"), *more) as (started, url, lines):
            web.post(f"{url}/v1/classify", json={"input": "confidential"})
            web.post(f"{url}/v1/classify", json={"confidential": 1})
            web.get(f"{url}/confidential?confidential=1")
            started.terminate()
            started.wait(10)
        assert any("POST /v1/classify 200" in line for line in lines)
        assert any("confidential" in line for line in lines) == logged


def test_mistakes_are_said_before_anything_is_served(folder, monkeypatch):
    monkeypatch.delenv("HORNBOOK_API_KEY", raising=False)
    for arguments, said in {
        ("--host", "0.0.0.0"): "HORNBOOK_API_KEY",
        ("--index", str(folder)): "index",
        (str(folder / "nothing"),): "does not exist",
        (str(folder / "linear"), str(folder / "linear")): "Two models are called",
    }.items():
        found = hornbook("serve", str(folder / "linear"), *arguments)
        assert found[0] == 2 and said in found[2], found
    assert hornbook("serve")[0] == 2
