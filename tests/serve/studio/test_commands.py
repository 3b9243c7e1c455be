"""Every command has a form with all its options, or a page of its own, and is begun as it says."""

import csv
import io
import json
import time

import pytest
import typer

from hornbook.cli import app
from hornbook.core.errors import UsageError
from hornbook.core.language import chinese
from hornbook.serve.studio.command_forms import find_form
from hornbook.serve.studio.command_pages import as_csv, table_of_answer
from tests.serve.studio.conftest import FORMS, HOSTILE, open_studio, write_run
from tests.serve.studio.hostile import write_job
from tests.tiny import slow

ELSEWHERE = {"serve", "studio", "chat", "corpus-review"}
"""They run until they are stopped, or ask at a terminal: each has a page of its own, or is this."""
BY_THE_PAGE = {"json", "dry_run", "resume", "html"}
"""Options that pages give by themselves."""


@pytest.fixture(scope="module")
def studio(tmp_path_factory):
    folder = tmp_path_factory.mktemp("commands") / "work"
    write_run(folder / "tablet")
    write_run(folder / "my run's “第一”")
    rows = [{"text": HOSTILE, "label": "=1+1", "probability": 0.5}, {"text": "b", "more": None}]
    write_job(folder, "commands/classify-1", ["classify", "--json"], {"rows": rows, "n": 2})
    (folder / "vectors.npy").write_bytes(b"numbers")
    out = folder / "vectors.npy"
    write_job(folder, "commands/embed-1", ["embed", f"--out={out}", "--json"], {"out": str(out)})
    away = ["embed", f"--out={folder.parent / 'secret'}"]
    write_job(folder, "commands/embed-2", away, {"out": ""})
    (folder.parent / "secret").write_text("nobody's business")
    with open_studio(folder) as found:
        yield found


def leaves(command, words=()):
    for name, one in getattr(command, "commands", {}).items():
        yield from leaves(one, (*words, name))
    if not hasattr(command, "commands"):
        yield "-".join(words), command


def test_every_command_and_option_has_a_field(studio):
    listed = studio.get("/commands").text
    for name, command in leaves(typer.main.get_command(app)):
        form = find_form(FORMS, name)
        if name in ELSEWHERE:
            assert form is None and studio.get(f"/commands/{name}").status_code == 404
            continue
        assert f'href="/commands/{name}"' in listed
        text = studio.get(f"/commands/{name}").text
        for one in command.params:
            assert one.name in BY_THE_PAGE or f'name="{one.name}"' in text, (name, one.name)
    assert set(ELSEWHERE) <= {one.name for one in FORMS}


@pytest.mark.parametrize("language", ["en", *slow("zh")])
def test_forms_are_in_the_language_of_whoever_looks(studio, language):
    text = studio.get("/commands/evaluate", headers={"Accept-Language": language}).text
    assert ("A model folder, a run folder" in text) == (language == "en")


def test_every_form_is_in_chinese_as_well():
    for form in FORMS:
        texts = [form.summary, form.group]
        texts += [text for one in form.options for text in (one.help, one.group)]
        assert [text for text in texts if text and chinese(text) == text] == [], form.name


def command_of(name, work, /, **fields):
    return find_form(FORMS, name).command(fields, work, work / "page" / "report.html")


def test_a_form_is_its_command_line(tmp_path):
    (tmp_path / "corpus").mkdir()
    found = command_of(
        "evaluate", tmp_path, model="smollm2", task="rt\n bbc \n", corpus="corpus", limit="20",
        register="no",
    )  # fmt: skip
    assert found == [
        "evaluate", "--task=rt", "--task=bbc", "--limit=20", f"--corpus={tmp_path / 'corpus'}",
        "--no-register", "--json", "--", "smollm2",
    ]  # fmt: skip
    found = command_of("embed", tmp_path, model="e5", out="v.npy", file=str(tmp_path / "a.txt"))
    assert f"--out={tmp_path / 'v.npy'}" in found and f"--file={tmp_path / 'a.txt'}" in found
    found = command_of("explain", tmp_path, model="m", text="--test -- it\nlines")
    assert found[:2] == ["explain", "--text=--test -- it\nlines"] and found[-2:] == ["--", "m"]
    assert f"--html={tmp_path / 'page' / 'report.html'}" in found and "--test" not in found
    (tmp_path / "letters" / "index").mkdir(parents=True)
    found = command_of("index", tmp_path, out="letters/index")
    assert f"--out={tmp_path / 'letters' / 'index'}" in found
    assert "--drill" in command_of("doctor", tmp_path, drill="yes")
    assert command_of("pull", tmp_path, name="hf://owner/name")[-1] == "hf://owner/name"


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("evaluate", {"model": "m"}),
        ("embed", {"model": "m", "out": "../v.npy"}),
        ("embed", {"model": "m", "out": "/v.npy"}),
        ("embed", {"model": "m", "out": "tablet/../../v.npy"}),
        ("embed", {"model": "m", "out": "."}),
        ("embed", {"model": "https://example.org/m", "out": "v.npy"}),
        ("corpus-build", {"sources": "s3://bucket/x", "out": "c"}),
        ("trace", {"run": "r", "text": "t", "least": "0"}),
        ("trace", {"run": "r", "text": "t", "least": "1.5"}),
        ("trace", {"run": "r", "text": "t", "least": "nan"}),
    ],
)
def test_what_cannot_be_is_refused_before_anything_begins(studio, name, fields):
    with pytest.raises(UsageError):
        command_of(name, studio.folder, **fields)
    found = studio.post(f"/commands/{name}", fields)
    assert found.status_code == 400 and 'role="alert"' in found.text
    assert not any((studio.folder / ".studio").glob(f"commands.{name}-[0-9][0-9]*"))


def test_fields_come_filled_in_by_the_address(studio):
    place = studio.folder / "my run's “第一”"
    text = studio.get("/commands/doctor", params={"target": place.name, "drill": "yes"}).text
    assert "checked" in text and "my run&#39;s “第一”" in text
    assert f"--target={place}" not in text
    assert command_of("doctor", studio.folder, target=place.name)[-1] == str(place)


def test_a_command_is_begun_and_says_why_it_failed(studio):
    begun = studio.post("/commands/trace", {"run": "tablet", "text": HOSTILE})
    assert begun.status_code == 303
    until = time.monotonic() + 60
    while "failed" not in (text := studio.get(begun.headers["location"]).text):
        assert time.monotonic() < until
        time.sleep(0.1)
    assert "no text to look in" in text and "<script>document" not in text


def test_what_came_out_is_shown_and_taken_away(studio):
    text = studio.get("/command?id=commands/classify-1").text
    assert "&lt;script&gt;document" in text and "<script>document" not in text
    whole = studio.get("/command/answer?id=commands/classify-1")
    assert whole.json()["n"] == 2 and "attachment" in whole.headers["content-disposition"]
    table = studio.get("/command/answer?id=commands/classify-1&form=csv").text
    rows = list(csv.reader(io.StringIO(table.removeprefix("\ufeff"))))
    assert rows[0] == ["text", "label", "probability", "more"]
    assert rows[1] == [HOSTILE, "'=1+1", "0.5", ""]  # no formula
    assert studio.get("/command/file?id=commands/embed-1").content == b"numbers"
    assert studio.get("/command/file?id=commands/embed-2").status_code == 404
    for wrong in ("commands/nothing", "../commands/embed-1", "tablet", ""):
        for path in ("", "/now", "/file", "/answer", "/changes"):
            assert studio.get(f"/command{path}", params={"id": wrong}).status_code == 404


def test_rows_are_those_of_the_one_list():
    rows = [{"a": 1}]
    assert table_of_answer({"n": 1, "rows": rows, "empty": []}) == rows
    assert table_of_answer({"one": rows, "other": rows}) == []
    assert as_csv([{"a": json.loads("1.5"), "b": ["x"]}]) == '\ufeffa,b\r\n1.5,"[""x""]"\r\n'
