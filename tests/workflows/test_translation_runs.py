"""Pairs to a translator: trained, measured, saved, opened, resumed to the same bits."""

import json

import pytest
from safetensors.numpy import load_file

from hornbook.core.errors import UsageError
from hornbook.core.progress import Progress
from hornbook.generate.beam import BeamConfig
from hornbook.generate.translate import translate
from hornbook.models.translators import TRANSLATORS
from hornbook.workflows import translation
from hornbook.workflows.open_model import open_translator
from hornbook.workflows.resume import resume
from hornbook.workflows.translation import train_translation
from hornbook.workflows.translation_run import PairFiles, request_of

QUIET = Progress(quiet=True)
WORDS = {
    "eins": "one",
    "zwei": "two",
    "drei": "three",
    "vier": "four",
    "rot": "red",
    "blau": "blue",
}
PLAN = {
    "vocab": 300, "width": 32, "depth": 1, "heads": 2, "hidden": 32, "context": 48, "tokens": 512,
    "dropout": 0.1,
}  # fmt: skip


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder, names = tmp_path_factory.mktemp("pairs"), list(WORDS)
    splits = []
    for split, count in (("train", 120), ("validation", 8), ("test", 8)):
        sources = [f"{names[i % 6]} {names[(i * 5 + i // 6) % 6]}" for i in range(count)]
        targets = [" ".join(WORDS[word] for word in source.split()) for source in sources]
        paths = folder / f"{split}.de", folder / f"{split}.en"
        for path, lines in zip(paths, (sources, targets), strict=True):
            path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        splits.append(paths)
    return PairFiles(*splits)


def request(files, family, **values):
    values = {"steps": 12, "plan": PLAN, "dtype": "float32", "device": "cpu", **values}
    return request_of(files, {"family": family, **values})


@pytest.mark.parametrize("family", TRANSLATORS)
def test_trained_measured_saved_and_opened(files, family, tmp_path):
    run = tmp_path / "run"
    result = train_translation(files, run, request(files, family), progress=QUIET)
    assert 0 <= result["bleu"]["low"] <= result["bleu"]["value"] <= result["bleu"]["high"] <= 100
    assert "tok:13a" in result["bleu"]["signature"]
    assert sum(part["sentences"] for part in result["bleu_by_length"]) == 8
    model, tokenizer = open_translator(run)
    sources = (files.test[0]).read_text().splitlines()
    found = translate(model, tokenizer, sources, BeamConfig(beams=4))
    rows = [json.loads(line) for line in (run / "outputs.jsonl").read_text().splitlines()]
    assert [one.text for one in found] == [row["text"] for row in rows]
    assert train_translation(files, run, request(files, family), progress=QUIET) == result


def test_stopped_and_resumed_is_undisturbed(files, tmp_path, monkeypatch):
    """With dropout, whose draws must be those of the step and not of the process."""
    straight, stopped = tmp_path / "straight", tmp_path / "stopped"
    train_translation(files, straight, request(files, "transformer"), progress=QUIET)

    def fail(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as broken, pytest.raises(KeyboardInterrupt):
        broken.setattr(translation, "finish", fail)
        train_translation(files, stopped, request(files, "transformer"), progress=QUIET)
    newest = sorted((stopped / "checkpoints").iterdir())[-1]
    for file in newest.iterdir():
        file.unlink()
    newest.rmdir()  # the one before it is where it goes on
    resume(stopped, QUIET)
    one, other = (load_file(run / "model" / "model.safetensors") for run in (straight, stopped))
    assert all((one[name] == other[name]).all() for name in one)


@pytest.mark.parametrize(
    ("family", "values", "message"),
    [
        ("transfromer", {}, "Did you mean 'transformer'"),
        ("lstm", {"steps": None}, "either --minutes or --steps"),
        ("lstm", {"plan": {**PLAN, "heads": 5}}, "width 32 is not divided by heads 5"),
        ("transformer", {"plan": {**PLAN, "context": 3}}, "raise the context"),
    ],
)
def test_what_cannot_be_is_refused(files, family, values, message, tmp_path):
    with pytest.raises(UsageError, match=message):
        train_translation(files, tmp_path / "r", request(files, family, **values), progress=QUIET)


def test_a_missing_file_is_named(files, tmp_path):
    gone = files._replace(test=(tmp_path / "gone.de", tmp_path / "gone.en"))
    with pytest.raises(UsageError, match=r"gone\.de does not exist"):
        request(gone, "lstm")
