"""What lies in the current folder never runs, whatever command is given there."""

import json
import os
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hornbook.core import isolation
from hornbook.core.progress import Progress
from hornbook.workflows.exchange.export import export
from tests.fuzz.test_models import model_folder

NAMES = (
    "numpy", "torch", "pip", "gguf", "yaml", "sitecustomize", "usercustomize", "token", "typer",
    "random", "tempfile", "struct", "jinja2", "tokenizers", "safetensors", "pyarrow", "pydantic",
    "multiprocessing", "sklearn", "triton", "regex", "signal", "runpy", "pkgutil", "ray", "inspect",
)  # fmt: skip
MARKER = "import pathlib; pathlib.Path({place!r}).open('a').write(__name__ + chr(10))\n"
PROBE = "import sys; from hornbook.core.isolation import isolate; isolate(); print(sys.path)"


@pytest.fixture
def planted(tmp_path):
    """A folder with modules and programs that write down that they ran; returns where."""
    folder, ran = tmp_path / "here", tmp_path / "ran"
    folder.mkdir()
    for at, name in enumerate(NAMES):
        text = MARKER.format(place=str(ran))
        if at % 2:
            (folder / f"{name}.py").write_text(text)
        else:
            (folder / name).mkdir()
            (folder / name / "__init__.py").write_text(text)
            (folder / name / "__main__.py").write_text(text)
    for name in ("g++", "clang++", "c++", "gcc", "ld", "as"):
        (folder / name).write_text(f"#!/bin/sh\necho {name} >> {ran}\nexit 1\n")
        (folder / name).chmod(0o755)
    return folder, ran


def started(folder, *command, **more):
    """A command in a folder, with an environment that points there in all ways."""
    environment = {**os.environ, "PATH": f":.:{os.environ['PATH']}:", "CXX": "./g++", **more}
    done = subprocess.run(
        list(map(str, command)), cwd=folder, env=environment, capture_output=True, text=True
    )
    return done.returncode, done.stdout, done.stderr


HORNBOOK = (sys.executable, "-m", "hornbook")
COMMANDS = {
    "pull": "smollm2-135m-instruct",
    "generate": "m.gguf --prompt the --max-tokens 2",
    "chat": "m.gguf",
    "bench": "m --tokens 2 --length 4 --rounds 1",
    "decide": "m.gguf --question q --text the",
    "embed": "m --file table.csv --out vectors.npy",
    "export": "m --to gguf --out other.gguf",
    "evaluate": "m --task perplexity --data text.txt",
    "summarize": "m.gguf text.txt --max-tokens 4 --prompt {text}",
    "corpus": "build texts --out c",
    "tokenizer": "train c --out t",
    "trace": "c the",
    "biography": "run the",
    "memorization": "run --samples 1",
    "claims": "--only images --minutes 0.25",
    "plan": "--corpus c --minutes 0.3",
    "doctor": "m",
    "explain": "m --text the",
    "pretrain": "--corpus c --out run --minutes 0.1",
    "finetune": "m --task instruct --data rows.jsonl --out tuned --minutes 0.1",
    "compare": "--task classify --data table.csv --out ladder --minutes 0.1 --rung naive_bayes",
    "classify": "m the",
    "translate": "m --text the",
    "index": "texts --out i --encoder none",
    "search": "i the --by words",
    "ask": "i the",
    "filter": "i the",
    "quickstart": "--text texts --minutes 0.5 --out q",
    # What would go on for ever is refused, after its libraries were loaded.
    "serve": "m --host 0.0.0.0",
    "studio": "m --folder text.txt --no-browser",
}
"""Every command, with arguments that take it to its libraries and processes."""


def test_all_commands_are_tried():
    from hornbook.cli import app

    names = {each.name for each in (*app.registered_commands, *app.registered_groups)}
    assert names == set(COMMANDS)


@pytest.mark.slow
@pytest.mark.parametrize("name", COMMANDS)
def test_no_command_runs_what_lies_beside(name, planted, tmp_path):
    folder, ran = planted
    _fill(folder)
    home = {"HORNBOOK_HOME": str(tmp_path / "home"), "PIP_NO_INDEX": "1", "HF_HUB_OFFLINE": "1"}
    if "c" in COMMANDS[name].split():
        started(folder, *HORNBOOK, "corpus", *COMMANDS["corpus"].split(), **home)
    if COMMANDS[name].split()[0] == "i":
        started(folder, *HORNBOOK, "index", *COMMANDS["index"].split(), **home)
    code, out, err = started(folder, *HORNBOOK, name, *COMMANDS[name].split(), **home)
    assert "Traceback" not in err
    time.sleep(0.5)  # kernels are built in the background
    assert not ran.exists(), (ran.read_text(), code, out, err)


def _fill(folder):
    """A model and data of every kind that the commands read."""
    draw = random.Random(0)
    words = ["".join(draw.choices("abcdefghij", k=draw.randint(2, 7))) for _ in range(300)]
    texts = [" ".join(draw.choices(words, k=60)) + ".\n" for _ in range(60)]
    (folder / "texts").mkdir()
    for at, text in enumerate(texts):
        (folder / "texts" / f"{at}.txt").write_text(text)
    (folder / "text.txt").write_text("".join(texts[:3]))
    rows = [{"instruction": text[:20], "output": text[20:40]} for text in texts]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    table = "".join(f"{text.strip()},{'ab'[at % 2]}\n" for at, text in enumerate(texts))
    (folder / "table.csv").write_text("text,label\n" + table)
    shutil.move(model_folder(folder / "made"), folder / "m")
    export(folder / "m", "gguf", "q8_0", folder / "m.gguf", None, Progress(quiet=True))


def test_the_current_folder_is_not_on_the_path(planted):
    folder, ran = planted
    code, out, err = started(folder, sys.executable, "-P", "-c", PROBE)
    assert code == 0, err
    assert str(folder) not in out
    assert "Usage" in started(folder, *HORNBOOK, "--help")[1]
    assert not ran.exists()


def test_children_find_what_this_process_finds_and_nothing_else(planted, monkeypatch):
    folder, ran = planted
    monkeypatch.chdir(folder)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(["", ".", "sub"]))
    monkeypatch.syspath_prepend("")
    command = isolation.python("json.tool", "--help")
    assert Path(command[0]).is_absolute()
    assert all(Path(entry).is_absolute() for entry in json.loads(command[4]))
    done = isolation.run(command, folder)
    assert done.returncode == 0, done.stderr
    assert "usage" in done.stdout
    assert not ran.exists()


def test_processes_that_share_work_import_nothing_from_here(planted):
    folder, ran = planted
    code, out, err = started(
        folder,
        *(sys.executable, "-P", "-c"),
        "from hornbook.core.pool import Local\n"
        "if __name__ == '__main__': print(sum(Local(2).map(abs, [-1, -2, -3, -4])))",
    )
    assert (code, out) == (0, "10\n"), err
    assert not ran.exists(), ran.read_text()


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        ("PATH", ":/usr/bin:.:bin", "/usr/bin"),
        ("CPATH", ":", None),
        ("LD_LIBRARY_PATH", "/opt/lib:", "/opt/lib"),
        ("CXX", "./g++", None),
        ("CXX", "g++ -m64", "g++ -m64"),
        ("CXX", "sub/ccache g++", None),
        ("PYTHONSTARTUP", "start.py", None),
        ("PYTHONPYCACHEPREFIX", "cache", None),
        ("LANG", "de_DE", "de_DE"),
    ],
)
def test_only_absolute_places_are_passed_on(name, value, wanted, monkeypatch):
    monkeypatch.setenv(name, value)
    assert isolation.environment().get(name) == wanted


def test_a_compiler_is_found_by_absolute_paths_only(planted, monkeypatch):
    folder, _ = planted
    monkeypatch.chdir(folder)
    real = shutil.which("sh")
    monkeypatch.setenv("PATH", f".:{Path(real).parent}")
    assert isolation.program("./g++", "nothing-of-the-kind", "sh -c") == [real, "-c"]
    assert isolation.program("here/g++", "", None) is None
    assert isolation.program("'") is None
    assert isolation.program(str(folder / "g++")) == [str(folder / "g++")]


def test_a_package_found_only_here_is_still_found(monkeypatch):
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if "site-packages" in entry])
    root = str(Path(isolation.__file__).parents[2])
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry != root])
    assert isolation.import_path()[-1] == root
