"""Every mistake is one line that names the value, before any work, and leaves nothing behind."""

import io
import sys

import pytest

from hornbook.cli import input as cli_input
from hornbook.cli import main
from hornbook.core.errors import UsageError
from hornbook.core.progress import Progress
from hornbook.corpus.build import build
from hornbook.corpus.corpus import Corpus
from tests.in_process import hornbook


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    text = tmp_path_factory.mktemp("text")
    for i in range(30):
        (text / f"{i}.txt").write_text("".join(f"Page {i}, line {j * i}.\n" for j in range(20)))
    return build([text], tmp_path_factory.mktemp("made") / "corpus", progress=Progress(True)).folder


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--minutes", "nan"], "--minutes nan: must be 0.1 to 525,600"),
        (["--minutes", "inf"], "--minutes inf"),
        (["--minutes", "1e12"], "--minutes 1e+12"),
        (["--tokens", "0"], "--tokens 0: must be 1 to"),
        (["--tokens", "9" * 30], "--tokens 999"),
        (["--minutes", "1", "--tokens", "5"], "either --minutes or --tokens"),
        (["--tokens", "5", "--seed", "-1"], "seed = -1"),
        (["--tokens", "5", "--set", "plan=1"], "plan = 1"),
        (["--tokens", "5", "--set", "seed=[1"], "'[1' is not a YAML value"),
        (["--tokens", "5", "--set", "seed"], "not key=value"),
        (["--tokens", "5", "--set", "optimiser.matrx_rate=1"], "Did you mean 'matrix_rate'?"),
        (["--tokens", "5", "--set", "optimiser.matrix_rate=.nan"], "optimiser.matrix_rate = nan"),
        (["--tokens", "5", "--set", "schedule.warmup=2"], "schedule.warmup = 2"),
    ],
)
def test_what_cannot_be_trained(corpus, tmp_path, options, message):
    code, _, err = hornbook("pretrain", "--corpus", corpus, "--out", tmp_path / "run", *options)
    assert (code, message in err, err.count("\n")) == (2, True, 1), err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", ["file", "folder", "corpus"])
def test_a_run_does_not_move_in_with_others(corpus, tmp_path, kind):
    place = {"file": tmp_path / "file", "folder": tmp_path, "corpus": corpus}[kind]
    (tmp_path / "file").write_text("mine")
    before = sorted(place.rglob("*"))
    code, _, err = hornbook("pretrain", "--corpus", corpus, "--out", place, "--tokens", 5)
    assert (code, str(place) in err) == (2, True), err
    assert sorted(place.rglob("*")) == before


def test_a_bad_path_is_no_traceback(corpus, tmp_path):
    (tmp_path / "file").write_text("x")
    for out in (tmp_path / "file" / "below", tmp_path / ("n" * 300)):
        code, _, err = hornbook("corpus", "build", corpus, "--out", out)
        assert (code, str(out) in err) == (1, True), err


def test_a_missing_text_names_its_neighbour(tmp_path):
    (tmp_path / "letters").mkdir()
    code, _, err = hornbook("quickstart", "--text", tmp_path / "leters", "--out", tmp_path / "out")
    assert (code, "leters does not exist. Did you mean 'letters'?" in err) == (2, True), err
    assert not (tmp_path / "out").exists()


def test_results_are_not_read_as_text(tmp_path):
    for i in range(30):
        (tmp_path / f"{i}.txt").write_text(f"Text {i}.\n" * (20 + i))
    out = tmp_path / "out"
    first = build([tmp_path], out / "corpus", progress=Progress(True), place=out).fingerprint
    (out / "pretrain").mkdir()
    (out / "pretrain" / "samples.jsonl").write_text('{"text": "made by the model"}\n')
    assert (
        build([tmp_path], out / "corpus", progress=Progress(True), place=out).fingerprint == first
    )
    with pytest.raises(UsageError, match="where the results go"):
        build([tmp_path], tmp_path / "corpus", progress=Progress(True), place=tmp_path)
    assert Corpus.open(out / "corpus").fingerprint == first


def given(monkeypatch, data):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data), encoding="ascii"))


def test_input_is_utf8_whatever_the_language(monkeypatch):
    given(monkeypatch, "春眠\n".encode())
    assert cli_input.read_all() == "春眠\n"
    given(monkeypatch, "春眠\nb".encode())
    assert [cli_input.read_line() for _ in range(3)] == ["春眠", "b", None]
    given(monkeypatch, b"caf\xe9")
    with pytest.raises(UsageError, match="byte 0xe9 at 3"):
        cli_input.read_all()
    monkeypatch.setattr(sys, "stdin", None)
    assert (cli_input.read_all(), cli_input.read_line()) == ("", None)


def test_a_stream_that_knows_little_gets_escapes(monkeypatch, corpus):
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stream)
    monkeypatch.setattr(sys, "argv", ["hornbook", "corpus", "report", str(corpus), "--json"])
    with pytest.raises(SystemExit) as leaving:
        main()
    assert not leaving.value.code
    assert stream.buffer.getvalue().isascii()


def test_messages_nobody_reads_do_no_harm(monkeypatch):
    class Gone(io.StringIO):
        def write(self, text):
            raise BrokenPipeError

    for stream in (Gone(), None):
        monkeypatch.setattr(sys, "stderr", stream)
        Progress().say("step 1")
        with Progress().bar("reading", 1, "MB") as advance:
            advance(1)


@pytest.mark.parametrize("kind", ["--pairs", "--images"])
@pytest.mark.parametrize("option", ["--init", "--tokenizer", "--preset"])
def test_options_of_a_corpus_are_not_passed_over(tmp_path, kind, option):
    asked = ["pretrain", kind, tmp_path / "x", option, "gpt2", "--minutes", "1", "--out"]
    code, _, err = hornbook(*asked, tmp_path / "run")
    assert (code, f"{option} goes with --corpus, not with {kind}" in err) == (2, True), err


def test_what_training_on_pairs_lacks_is_named(tmp_path):
    asked = ["pretrain", "--pairs", tmp_path / "x", "--validation", tmp_path / "y"]
    code, _, err = hornbook(*asked, "--minutes", "1", "--out", tmp_path / "run")
    assert (code, "--test is missing" in err) == (2, True), err
