"""Failures for programs and terminals: one object with --json, and nothing that steers a screen."""

import json
import os
import pty
import subprocess
import sys

import pytest

from tests.in_process import hornbook

HOSTILE = "a\x1b]0;owned\x07\nerror: fine\u202e"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["corpus", "build", "{}/missing", "--out", "{}/c"], 2),
        (["corpus", "report", "{}"], 1),
        (["pretrain", "--minutes", "x", "--out", "{}/r"], 2),
        (["pretrain", "--out", "{}/r"], 2),
        (["nothing-of-ours"], 2),
        (["tokenizer", "train"], 2),
        (["evaluate", "{}/missing", "--task", "blimp"], 2),
        (["quickstart", "--seed", "-1", "--out", "{}/q"], 2),
        (["corpus", "train", "quality", "--good", "{}", "--out", "{}/q", "--seed", "9" * 30], 2),
        (["corpus", "review", "{}", "--rule", "x", "--seed", "9" * 30], 2),
        (["generate", "{}", "--prompt", "a", "--no-such-option"], 2),
    ],
)
def test_with_json_a_failure_is_one_object(tmp_path, arguments, code):
    found, out, err = hornbook(*(a.format(tmp_path) for a in arguments), "--json")
    assert out.count("\n") == 1, out
    failure = json.loads(out)
    assert failure["error"] and failure["exit_code"] == found
    assert found in (1, 2) and (found == code or code == 1), err
    assert "Traceback" not in err


def test_without_json_stdout_stays_empty(tmp_path):
    code, out, err = hornbook("corpus", "report", tmp_path)
    assert code and not out and err


def test_a_fault_of_ours_is_an_object_too(monkeypatch, tmp_path):
    def broken(*_, **__):
        raise ZeroDivisionError("by us")

    monkeypatch.setattr("hornbook.workflows.exchange.pull.pull", broken)
    printed = {}
    monkeypatch.setattr(
        "hornbook.cli.output.print_json", lambda value, wanted: printed.update(value)
    )
    with pytest.raises(ZeroDivisionError):
        hornbook("pull", "smollm2-135m-instruct", "--json")
    assert printed == {"error": "internal error: ZeroDivisionError: by us", "exit_code": 1}


def test_no_memory_is_a_line_and_no_fault_of_ours(monkeypatch):
    def greedy(*_, **__):
        raise MemoryError

    monkeypatch.setattr("hornbook.workflows.exchange.pull.pull", greedy)
    code, out, err = hornbook("pull", "smollm2-135m-instruct", "--json")
    assert code == 1 and "not enough memory" in json.loads(out)["error"]
    assert "Traceback" not in err


def test_names_of_others_are_shown_and_not_obeyed(tmp_path):
    (tmp_path / HOSTILE).write_text("x")
    code, _, err = hornbook("generate", tmp_path / HOSTILE, "--prompt", "a")
    assert code and err.count("\n") == 1 and "\x1b" not in err and "\u202e" not in err
    code, _, err = hornbook("corpus", "build", tmp_path / (HOSTILE + "x"), "--out", tmp_path / "c")
    assert code and err.count("\n") == 1 and "\x1b" not in err


def test_stdout_of_a_terminal_shows_what_would_steer_it(tmp_path):
    row = {"label": "x\x1b[31m", "n": "一\u202e"}
    code = (
        "from hornbook.cli.output import prepare_streams, print_json; prepare_streams();"
        f"print('\\x1b[2Jone\\ttwo'); print_json({row!r}, True)"
    )
    reader, writer = pty.openpty()
    with subprocess.Popen([sys.executable, "-c", code], stdout=writer) as process:
        process.wait(60)
    os.close(writer)
    shown = os.read(reader, 10_000).decode().replace("\r\n", "\n")
    os.close(reader)
    first, second = shown.splitlines()
    assert first == "\\u001b[2Jone\ttwo"
    assert json.loads(second) == row and "\u202e" not in second
