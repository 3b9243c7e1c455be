"""Ways to understand a model: which command a form becomes, and what is refused."""

from pathlib import Path

import pytest

from hornbook.core.errors import UsageError
from hornbook.serve.studio.reports import BY_BROWSER
from hornbook.serve.studio.understanding_ways import WAYS

PAGE, OF = Path("/w/report.html"), Path("/w/run")


def command(way, **form):
    return WAYS[way].command(way, OF, form, PAGE)


def test_a_form_becomes_a_command():
    found = command("explain", text="--version", position="3")
    assert found == [
        "explain", "--text=--version", "--position", "3", "--contexts", "0", "--html", str(PAGE),
        "--json", "--", str(OF),
    ]  # fmt: skip
    found = command("biography", text="--x", retrain="yes", minutes="2.5")
    assert found[:4] == ["biography", "--retrain", "--minutes", "2.5"]
    assert found[-3:] == ["--", str(OF), "--x"]
    assert command("memorization", samples="5") == [
        "memorization", "--samples", "5", "--json", "--", str(OF)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("way", "form"),
    [
        ("explain", {"text": ""}),
        ("explain", {"text": "x", "position": "0"}),
        ("explain", {"text": "x", "position": "nan"}),
        ("biography", {"text": "x", "retrain": "yes", "minutes": "inf"}),
        ("memorization", {"samples": "x"}),
    ],
)
def test_a_wrong_form_is_refused(way, form):
    with pytest.raises(UsageError):
        command(way, **form)


def test_nothing_else_is_understood(studio):
    for path in ("/understand/x", "/understood?id=x", "/understood?id=../x"):
        assert studio.get(path).status_code == 404
    for of in ("../tablet", "nothing", "deep"):
        for way in WAYS:
            found = studio.post(f"/understand/{way}", {"of": of, "text": "x", "samples": "1"})
            assert found.status_code == 404 and 'role="alert"' in found.text
    assert not (studio.folder / "understood").exists()


def test_a_page_speaks_the_language_of_the_studio(studio):
    from hornbook.workflows.report.page import render

    folder = studio.folder / "spoken"
    folder.mkdir()
    text = render("page.html.jinja", title="x", sections=(), next=(), choices=(), machine={})
    assert BY_BROWSER in text
    (folder / "report.html").write_text(text)
    found = studio.get("/report?id=spoken", headers={"Accept-Language": "zh"})
    assert "chinese.checked = true;" in found.text and "frame-ancestors" not in found.headers
