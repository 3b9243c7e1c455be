"""A new run of each kind: its form, its command, what is understood of files, a forecast."""

import base64
import json

import pytest

from hornbook.core.errors import UsageError
from hornbook.serve.studio.jobs import Jobs
from hornbook.serve.studio.previews import PREVIEWS
from hornbook.serve.studio.run_kinds import KINDS, RunForm, command_of, sides_of
from tests.serve.studio.conftest import HOSTILE, write_forecast

MODELS = {"mine": "/models/mine"}


def form(paths, **fields):
    return RunForm({"minutes": "3", "paths": "\n".join(map(str, paths)), **fields}, MODELS)


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    """A folder for each kind of rows."""
    folder = tmp_path_factory.mktemp("rows")
    for name in ("labels", "pairs", "answers", "text"):
        (folder / name).mkdir()
    lines = [
        f'"{word} {i}, {HOSTILE.replace(chr(34), "")}",{word}'
        for i in range(9)
        for word in ("ham", "spam")
    ]
    (folder / "labels" / "mail.csv").write_text("\n".join(["text,label", *lines]))
    for side in ("train", "valid", "test"):
        (folder / "pairs" / f"{side}.tsv").write_text("eins\t一\nzwei\t二\n")
    asked = [{"instruction": f"Say {i}.", "output": f"It is {i}. {HOSTILE}"} for i in range(12)]
    (folder / "answers" / "rows.json").write_text(json.dumps(asked))
    (folder / "text" / "a.txt").write_text("春眠不覺曉")
    return folder


def test_forms_become_commands(rows):
    out = rows / "out"
    sets = {"set.plan.depth": "4", "set.plan.width": ""}
    assert command_of("text", form([rows / "text"], **sets), out, "--dry-run") == [
        "quickstart", f"--text={rows / 'text'}", "--minutes=3", f"--out={out}",
        "--set=plan.depth=4", "--dry-run",
    ]  # fmt: skip
    fields = {"model": "mine", "method": "lora", "label_column": "label"}
    assert command_of("labels", form([rows / "labels"], **fields), out) == [
        "finetune", "--task=classify", f"--data={rows / 'labels' / 'mail.csv'}", "--minutes=3",
        "--method=lora", "--label-column=label", f"--out={out}", "--", "/models/mine",
    ]  # fmt: skip
    command = command_of("answers", form([rows / "answers"], model="mine", task="instruct"), out)
    assert command[-2:] == ["--", "/models/mine"] and "--task=instruct" in command
    command = command_of("pairs", form([rows / "pairs"], family="lstm"), out)
    assert [part for part in command if "tsv" in part] == [
        f"--pairs={rows / 'pairs' / 'train.tsv'}", f"--validation={rows / 'pairs' / 'valid.tsv'}",
        f"--test={rows / 'pairs' / 'test.tsv'}",
    ]  # fmt: skip
    command = command_of("images", form([rows]), out)
    assert command[:3] == ["pretrain", f"--images={rows}", "--minutes=3"]


@pytest.mark.parametrize(
    ("kind", "fields", "said"),
    [
        ("text", {"minutes": "soon"}, "Minutes are a number"),
        ("text", {"minutes": "0.1"}, "must be 0.5"),
        ("text", {"set.--out": "x"}, "is no key"),
        ("labels", {"model": "../other"}, "Unknown model"),
        ("labels", {"paths": "relative"}, "whole path"),
    ],
)
def test_what_cannot_be_meant_is_said(rows, kind, fields, said):
    filled = {"model": "mine", "minutes": "3", "paths": str(rows / kind), **fields}
    with pytest.raises(UsageError, match=said):
        command_of(kind, RunForm(filled, MODELS), rows / "out")


def test_files_of_pairs_are_told_apart_by_their_names(rows, tmp_path):
    assert {side: len(files) for side, files in sides_of(form([rows / "pairs"])).items()} == {
        "pairs": 1, "validation": 1, "test": 1,
    }  # fmt: skip
    (tmp_path / "train.tsv").write_text("a\tb\n")
    with pytest.raises(UsageError, match="files are called valid"):
        sides_of(form([tmp_path]))
    (tmp_path / "other.tsv").write_text("a\tb\n")
    with pytest.raises(UsageError, match=r"other\.tsv"):
        sides_of(form([tmp_path]))


def test_what_is_learned_of_rows_is_told(rows):
    found = PREVIEWS["labels"](form([rows / "labels"]))
    assert (found.rows, found.text, found.label) == (18, "text", "label")
    assert dict(found.classes) == {"ham": 9, "spam": 9} and found.columns == ["text", "label"]
    assert [[piece.learned for piece in sample] for sample in found.samples] == [[False, True]] * 5
    found = PREVIEWS["pairs"](form([rows / "pairs"]))
    assert found.samples[0] == [("eins", False), ("一", True)]
    wrong = PREVIEWS["labels"](form([rows / "labels"], label_column="lable"))
    assert "'label'" in wrong.problem and wrong.columns == ["text", "label"]


def test_images_are_shown_by_their_class(tmp_path):
    image = pytest.importorskip("PIL.Image")
    for part, label, grey in (("train", "dark", 10), ("train", "light", 250), ("test", "dark", 9)):
        (tmp_path / part / label).mkdir(parents=True)
        for i in range(3):
            place = tmp_path / part / label / f"{i}.png"
            image.new("L", (8, 8), grey + i).save(place)
    (tmp_path / "train" / "dark" / "broken.png").write_bytes(b"no image")
    found = PREVIEWS["images"](form([tmp_path]))
    assert found.rows == 6 and dict(found.classes) == {"dark": 3, "light": 3}
    assert [name for name, _ in found.pictures[:4]] == ["dark", "light", "dark", "light"]
    assert base64.b64decode(found.pictures[0][1]).startswith(b"\x89PNG")
    assert "broken.png" in found.refused[0][1]


def test_answers_are_shown_as_the_tokens_that_are_learned(rows, tmp_path):
    from hornbook.tokenize.train import train_tokenizer
    from tests.tiny import QUIET

    (tmp_path / "config.json").write_text("{}")
    train_tokenizer(["Say it is 1. " * 50], 300, tmp_path, QUIET)
    asked = RunForm({"paths": str(rows / "answers"), "model": "mine"}, {"mine": str(tmp_path)})
    found = PREVIEWS["answers"](asked)
    assert found.rows == 12 and found.tokens and len(found.samples) == 5
    learned = "".join(piece.text for piece in found.samples[0] if piece.learned)
    assert learned.lstrip().startswith("It is 0.") and "Say 0." not in learned
    assert "Say 0." in "".join(piece.text for piece in found.samples[0] if not piece.learned)


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_has_its_page(studio, kind):
    text = studio.get(f"/new?kind={kind}").text
    assert f'name="kind" value="{kind}"' in text and 'aria-current="page"' in text
    assert ('name="model"' in text) == bool(KINDS[kind].tunes)
    assert studio.get("/new?kind=other").status_code == 404


def test_a_look_escapes_what_others_wrote(studio, rows):
    found = studio.post("/new/look", {"kind": "labels", "paths": str(rows / "labels")})
    assert "18 rows can be used" in found.text and "&lt;script&gt;document" in found.text
    assert "<script>document" not in found.text and "<img src=x" not in found.text


def test_a_forecast_stands_on_the_page_and_is_no_run(studio):
    write_forecast(studio.folder, "ahead")
    text = studio.get("/new?kind=text&name=ahead").text
    assert "7 min 30 s" in text and "2.0 GB" in text and "50.0 MB" in text
    assert "1.700" in text and "1.500 to 1.900, eight times in ten" in text
    assert (
        'name="set.plan.depth" placeholder="4" value="4"' in text and 'name="set.steps"' not in text
    )
    assert "<script>document" not in text and "blocks" in text
    for page in ("/", "/runs"):
        assert "ahead" not in studio.get(page).text
    assert "Foretold" not in studio.get("/runs").text
    assert studio.get("/new/forecast?name=ahead").status_code == 200
    assert not Jobs(studio.folder).find("ahead.forecast").makes("ahead.forecast/pretrain")


def test_why_there_is_no_forecast_is_said(studio):
    write_forecast(
        studio.folder, "broken", json.dumps({"error": f"No text. {HOSTILE}", "exit_code": 1})
    )
    text = studio.get("/new/forecast?name=broken").text
    assert 'role="alert"' in text and "No text." in text and "<script>document" not in text
    write_forecast(studio.folder, "killed", "")
    assert "ended without a result" in studio.get("/new/forecast?name=killed").text
    assert studio.get("/new/forecast?name=../ahead").text.strip() == ""
    refused = studio.post(
        "/new", {"kind": "text", "name": "x.forecast", "paths": "/", "minutes": "1"}
    )
    assert refused.status_code == 400
