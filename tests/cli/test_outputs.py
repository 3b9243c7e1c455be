"""Every command with --out, on every kind of place: what lay there stays, and it is said at once.

Commands are found in the app itself: a new one with --out fails here until it is named below.
"""

import errno
import json
import os
import resource
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
import typer

from hornbook.batches import packing
from hornbook.cli import app
from hornbook.core import asides
from hornbook.core.claims import Claim, marker_of
from hornbook.core.folders import atomic_folder, damage, sign
from hornbook.core.pool import Local
from hornbook.corpus.build import build
from hornbook.models.encoder_presets import BertSizes, bert
from hornbook.models.folder import save_model
from hornbook.models.presets import PRESETS
from hornbook.models.sizes import DecoderSizes
from hornbook.models.tensors import TensorFiles
from hornbook.tokenize.masking import add_mask
from hornbook.tokenize.train import train_tokenizer
from hornbook.workflows.runs import folder as layout
from hornbook.workflows.runs.folder import PART, RUN
from tests.in_process import hornbook
from tests.tiny import QUIET, slow

WORDS = ["red", "blue", "green", "seven", "nine", "river", "stone", "apple", "tree", "cloud"]

CALLS = {
    "quickstart": ["--text", "text", "--minutes", "1"],
    "corpus build": ["text", "--vocab-size", "300"],
    "corpus train": ["quality", "--good", "text", "--bad", "bad"],
    "tokenizer train": ["corpus", "--vocab-size", "300"],
    "pretrain": ["--corpus", "corpus", "--tokens", "99"],
    "pretrain, pairs": [
        "--pairs", "pairs.tsv", "--validation", "pairs.tsv", "--test", "pairs.tsv", "--minutes", "1"
    ],
    "pretrain, images": ["--images", "images", "--minutes", "1"],
    "finetune": ["model", "--data", "rows.jsonl", "--general", "text/0.txt"],
    "finetune, classify": ["encoder", "--task", "classify", "--data", "labels.csv"],
    "compare": ["--task", "classify", "--data", "labels.csv", "--rung", "majority"],
    "compare, lm": ["--task", "lm", "--domain", "text", "--general", "bad", "--minutes", "1"],
    "claims": ["--only", "shots", "--minutes", "0.25"],
    "embed": ["encoder", "--file", "lines.txt"],
    "evaluate": ["model", "--task", "task.yaml", "--no-register"],
    "export": ["model", "--to", "hf", "--text", "text/0.txt"],
    "export, gguf": ["model", "--to", "gguf", "--type", "f32", "--text", "text/0.txt"],
    "export, peft": ["tuned", "--to", "peft", "--text", "text/0.txt"],
    "index": ["text", "--encoder", "none"],
    "pull": ["all-minilm-l6-v2"],
}  # fmt: skip
"""How each is called, in a folder of small inputs; what comes after a comma is a way of it."""
FILES = {"embed": "out.npy", "export, gguf": "out.gguf", "corpus train": "out.model"}
"""Those that write one file, and how it must be called."""


def commands(group=None, name=""):
    """The names of all commands of the app, with their options."""
    for word, command in (group or typer.main.get_command(app)).commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, f"{name}{word} ")
        else:
            yield name + word, {option for one in command.params for option in one.opts}


def test_every_command_with_out_is_here():
    found = {name for name, options in commands() if "--out" in options}
    assert found == {call.partition(",")[0] for call in CALLS}


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """A folder with something small of everything that is read."""
    folder = tmp_path_factory.mktemp("inputs")
    for side, forwards in (("text", 1), ("bad", -1)):
        (folder / side).mkdir()
        for i in range(24):
            some = [WORDS[(i * 7 + j * (3 + i % 4)) % 10] for j in range(40)]
            (folder / side / f"{i}.txt").write_text(f"{i} {' '.join(sorted(some)[::forwards])}\n")
    build([folder / "text"], folder / "corpus", progress=QUIET)
    text = [" ".join(WORDS) * 9]
    tokenizer = train_tokenizer(text, 300, folder / "tokenizer", QUIET)
    sizes = DecoderSizes(
        vocab=tokenizer.vocab_size, width=16, depth=1, context=96, heads=2, kv_heads=2, head=8,
        hidden=16, tied=False,
    )  # fmt: skip
    model = PRESETS["qwen3"](sizes).build()
    save_model(model, folder / "model", tokenizer_folder=folder / "tokenizer")
    masked = add_mask(folder / "tokenizer", folder / "masked")
    small = BertSizes(vocab=masked.vocab_size, width=16, depth=1, context=32, heads=2, hidden=24)
    save_model(bert(small).build(), folder / "encoder", tokenizer_folder=folder / "masked")
    save_model(model, folder / "tuned" / "model", tokenizer_folder=folder / "tokenizer")
    (folder / "tuned" / layout.ADAPTER).mkdir()
    (folder / "tuned" / layout.ADAPTER / "adapter_config.json").write_text("{}")
    base = {"weights": "1", "tokenizer": None, "place": str(folder / "model")}
    (folder / "tuned" / layout.ADAPTER / "hornbook.json").write_text(json.dumps(base))
    rows = [{"instruction": f"Say {word} {i}.", "output": word} for i in range(9) for word in WORDS]
    (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    labels = "".join(f"{w} {i} {w},{'ab'[i % 2]}\n" for i in range(9) for w in WORDS)
    (folder / "labels.csv").write_text(f"text,label\n{labels}")
    (folder / "pairs.tsv").write_text(
        "".join(f"{w} {i}\t{i} {w}\n" for i in range(9) for w in WORDS)
    )
    letters = [{"text": f"{word} {i}."} for i in range(9) for word in WORDS]
    (folder / "letters.jsonl").write_text("\n".join(map(json.dumps, letters)))
    (folder / "lines.txt").write_text("\n".join(WORDS))
    (folder / "task.yaml").write_text("kind: perplexity\ndata: letters.jsonl\nabout: text\n")
    image = pytest.importorskip("PIL.Image")
    for part in ("train", "test"):
        for label in ("one", "two"):
            (folder / "images" / part / label).mkdir(parents=True)
            for i in range(3):
                pixels = np.full((8, 8), 40 * i, np.uint8)
                image.fromarray(pixels).save(folder / "images" / part / label / f"{i}.png")
    return folder


def tree(folder):
    """What lies in a folder, links and times of folders aside."""
    found = {}
    for path in sorted(folder.rglob("*")):
        kind = "link" if path.is_symlink() else "folder" if path.is_dir() else path.read_bytes()
        found[str(path.relative_to(folder))] = kind
    return found


def project(place):
    (place / "src").mkdir(parents=True)
    (place / "src" / "thesis.txt").write_text("years of work")
    for name in ("config.json", "result.json", "report.html", "tokenizer.json", "card.json"):
        (place / name).write_text("{}")


def another(place):
    with atomic_folder(place, Claim("another command")) as aside:
        (aside / "config.json").write_text("{}")


def run_folder(place):
    (place / "checkpoints").mkdir(parents=True)
    (place / layout.RECIPE).write_text("request: {}\n")
    (place / layout.RESULT).write_text("{}")
    with atomic_folder(place / "model", PART) as aside:
        (aside / "config.json").write_text("{}")
    sign(place, RUN, layout.RECIPE)


made = tempfile.TemporaryDirectory(prefix="hornbook-outputs-")


def corpus(place):
    """As it is built, once for all."""
    built = Path(made.name) / "corpus"
    if not built.exists():
        source = Path(made.name) / "letters"
        source.mkdir()
        for i in range(20):
            (source / f"{i}.txt").write_text(f"Letter {i}. " * (9 + i))
        build([source], built, progress=QUIET)
    shutil.copytree(built, place, symlinks=True)


def older(place):
    place.mkdir()
    (place / "stage.json").write_text('{"fingerprint": "1", "inputs": {}}')
    (place / "tokenizer.json").write_text("{}")


def parts_of_a_run(place):
    """Folders of a user with names that a run gives to its own."""
    for name in layout.PARTS:
        (place / name).mkdir(parents=True)
        (place / name / "mine.txt").write_text("mine")


def file(place):
    place.write_text("mine")


def here(place):
    """The folder that one stands in."""
    project(place)


def linked(place):
    project(place.with_name("far"))
    place.symlink_to("far")


KINDS = {
    kind.__name__: kind
    for kind in (project, another, run_folder, corpus, older, parts_of_a_run, file, here, linked)
}


@pytest.fixture
def no_work(monkeypatch):
    """Whatever takes long, or writes, fails the test."""

    def begun(*_, **__):
        raise AssertionError("work has begun")

    for place, name in (
        (asides, "begin"), (TensorFiles, "__init__"), (Local, "map"), (packing, "PackedWindows"),
    ):  # fmt: skip
        monkeypatch.setattr(place, name, begun)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("call", CALLS)
def test_others_keep_what_is_theirs(inputs, tmp_path, monkeypatch, request, call, kind):
    monkeypatch.chdir(inputs)
    place = tmp_path / FILES.get(call, "out")
    KINDS[kind](place)
    before, read = tree(tmp_path), tree(inputs)
    request.getfixturevalue("no_work")
    words = call.partition(",")[0].split()
    arguments = [inputs / one if (inputs / one).exists() else one for one in CALLS[call]]
    if kind == "here":
        monkeypatch.chdir(place)
        place = Path()
    code, out, err = hornbook(*words, *arguments, "--out", place)
    assert code in (1, 2) and out == "", err
    assert err.count("\n") == 1 and err.startswith("error: "), err
    assert str(place) in err
    assert tree(tmp_path) == before and tree(inputs) == read


@pytest.mark.parametrize("call", CALLS)
def test_what_is_read_is_not_written(inputs, tmp_path, monkeypatch, request, call):
    """--out is one of the inputs, by its name, by a link and by another way."""
    monkeypatch.chdir(inputs)
    words, arguments = call.partition(",")[0].split(), CALLS[call]
    read = [argument for argument in arguments if (inputs / argument).exists()]
    before = tree(inputs)
    request.getfixturevalue("no_work")
    for number, name in enumerate(read):
        link = tmp_path / f"{number}-{FILES.get(call, 'out')}"
        link.symlink_to(inputs / name)
        for out in (name, inputs / "text" / ".." / name, link):
            code, _, err = hornbook(*words, *arguments, "--out", out)
            assert code in (1, 2) and err.count("\n") == 1, (out, err)
    assert tree(inputs) == before


QUICK = (
    "tokenizer train", "embed", "evaluate", "export, gguf",
    *(pytest.param(call, marks=pytest.mark.slow) for call in ("export", "corpus train")),
    pytest.param("corpus build", marks=pytest.mark.slow),
    pytest.param("compare", marks=pytest.mark.slow),
)  # fmt: skip
"""Those that take no training of a network."""


@pytest.mark.parametrize("call", QUICK)
def test_the_same_again_keeps_what_a_user_put_there(inputs, tmp_path, monkeypatch, call):
    monkeypatch.chdir(inputs)
    monkeypatch.setenv("HORNBOOK_HOME", str(tmp_path / "home"))
    place = tmp_path / FILES.get(call, "out")
    words, arguments = call.partition(",")[0].split(), CALLS[call]
    for turn in range(2):
        code, _, err = hornbook(*words, *arguments, "--out", place)
        assert code == 0, err
        if turn == 0 and place.is_dir():
            (place / "mine").mkdir()
            (place / "mine" / "thesis.txt").write_text("years of work")
    if place.is_dir():
        assert marker_of(place)["maker"].startswith(call.split(",")[0])
        assert (place / "mine" / "thesis.txt").read_text() == "years of work"
    assert not [path for path in tmp_path.glob(".*") if "stages" not in path.name]


@pytest.mark.parametrize("most", [2_000, *slow(200, 20_000)])
@pytest.mark.parametrize("call", QUICK[:-1])  # the last starts processes of its own
def test_a_disk_that_fills(inputs, tmp_path, monkeypatch, call, most):
    """No file can grow beyond `most` bytes: an error that names it, and the old result."""
    monkeypatch.chdir(inputs)
    monkeypatch.setenv("HORNBOOK_HOME", str(tmp_path / "home"))
    # Python would leave compiled modules cut off at the limit.
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    place = tmp_path / FILES.get(call, "out")
    words, arguments = call.partition(",")[0].split(), CALLS[call]
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, limits[1]))
    try:
        code, _, err = hornbook(*words, *arguments, "--out", place)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert "Traceback" not in err
    if code:
        assert code == 1 and "Nothing half-written was left" in err and "partial" not in err, err
        assert not place.exists() or damage(place) is None
    shown = [path for path in tmp_path.rglob("*") if ".partial" in path.name]
    assert not shown
    code, _, err = hornbook(*words, *arguments, "--out", place)
    assert code == 0, err


@pytest.mark.parametrize("call", QUICK[:-1])
def test_a_disk_that_is_full_at_any_file(inputs, tmp_path, monkeypatch, call):
    """Every file in turn cannot be made: the old result stays, byte for byte."""
    monkeypatch.chdir(inputs)
    monkeypatch.setenv("HORNBOOK_HOME", str(tmp_path / "home"))
    place = tmp_path / "there" / FILES.get(call, "out")
    words, arguments = call.partition(",")[0].split(), CALLS[call]
    assert hornbook(*words, *arguments, "--out", place)[0] == 0
    again = {
        "corpus build": [*arguments, "--set", "text_field=words"],
        "tokenizer train": ["corpus", "--vocab-size", "290"],
    }.get(call, arguments)
    before, step = tree(place.parent) if place.is_dir() else place.read_bytes(), 0
    full = Full(place.parent)
    while step < 60:
        full.step, full.met = step, 0
        code, _, err = hornbook(*words, *again, "--out", place)
        full.step = None
        if code == 0:
            break
        assert code == 1 and "disk is full while writing" in err, err
        now = tree(place.parent) if place.is_dir() else place.read_bytes()
        same = {n: v for n, v in now.items() if "stages" not in n} if place.is_dir() else now
        old = {n: v for n, v in before.items() if "stages" not in n} if place.is_dir() else before
        assert same == old
        step += 1
    assert step > 0


class Full:
    """Opening the file of number `step` that is written below a folder fails as a full disk."""

    hooked: "Full | None" = None

    def __init__(self, folder):
        self.folder, self.step, self.met = str(folder), None, 0
        if Full.hooked is None:
            sys.addaudithook(Full.look)
        Full.hooked = self

    @staticmethod
    def look(event, arguments):
        self = Full.hooked
        if self is None or self.step is None or event != "open":
            return
        name, _, flags = arguments
        if not isinstance(name, str | bytes | os.PathLike) or not flags & (os.O_WRONLY | os.O_RDWR):
            return
        if os.fsdecode(name).startswith(self.folder):
            self.met += 1
            if self.met > self.step:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), name)


@pytest.mark.slow
@pytest.mark.parametrize("how", ["inside", "link", "dot"])
def test_a_result_inside_a_source_is_no_text(inputs, tmp_path, monkeypatch, how):
    source = tmp_path / "source"
    source.mkdir()
    for i in range(20):
        (source / f"{i}.txt").write_text(f"Letter {i}. " * (9 + i))
    monkeypatch.chdir(source)
    out, name = source / "out", source
    if how == "link":
        (tmp_path / "link").symlink_to(source)
        out = tmp_path / "link" / "out"
    elif how == "dot":
        out, name = "out", "."
    first = build([source], tmp_path / "first", progress=QUIET).facts["documents"]
    for turn in range(2):
        code, text, err = hornbook(
            "corpus", "build", name, "--out", out, "--vocab-size", 300, "--json"
        )
        assert code == 0, err
        assert json.loads(text)["documents"] == first, turn
    code, text, err = hornbook(
        "corpus", "build", name, "--out", tmp_path / "c", "--vocab-size", 300, "--json"
    )
    assert json.loads(text)["documents"] == first
    assert "Left out: " in err and "out, which Hornbook wrote" in err


def test_a_source_inside_the_result(tmp_path):
    (tmp_path / "out" / "source").mkdir(parents=True)
    (tmp_path / "out" / "source" / "a.txt").write_text("mine")
    code, _, err = hornbook(
        "corpus", "build", tmp_path / "out" / "source", "--out", tmp_path / "out"
    )
    assert (code, "holds other files" in err) == (2, True), err
    assert (tmp_path / "out" / "source" / "a.txt").read_text() == "mine"
