"""The report: self-contained, hostile text escaped, Chinese kept, verdicts computed."""

from html.parser import HTMLParser

import pytest

from hornbook.corpus.build import build
from hornbook.corpus.recipe import CorpusRecipe, ParagraphConfig
from hornbook.workflows.projects.text import report as module
from hornbook.workflows.projects.text.report import write_report
from hornbook.workflows.report.charts import bars, curve

RESULT = {
    "run": "r", "report": "r", "seconds": 61.0, "tokens": 2000, "tokens_per_second": 33.0,
    "parameters": {"trained": 5_311_232, "all": 5_311_232},
    "bits_per_byte": {"value": 1.9, "low": 1.8, "high": 2.0},
    "floors": {"gzip": 2.5, "xz": 2.2, "xz_given": 1.7, "ngram": 1.95},
    "peak_bytes": 2**30, "disk_bytes": 2**20,
    "tokenizer": {
        "vocabulary": 4096, "bytes_per_token": 3.5, "characters_per_token": 1.2,
        "encoder": "Encodes with x.", "token_lengths": {"1": 5, "3": 9},
    },
}  # fmt: skip
HOSTILE = "<script>alert('x')</script> & 春眠不覺曉"


class Reader(HTMLParser):
    """Collects tags, their references to elsewhere, and the text."""

    def __init__(self):
        super().__init__()
        self.tags, self.references, self.text = [], [], ""

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.references += [v for k, v in attrs if k in ("src", "href", "action") and v]

    def handle_data(self, data):
        self.text += data


class FakeRecipe:
    """What the report asks of a recipe."""

    class machine:
        name, rates = "a machine", {"float32": 3e11, "bfloat16": 1e11}

    class loop:
        dtype, steps = "float32", 10

    class forecast:
        seconds, targets, epochs, peak_bytes, disk_bytes = 60.0, 2000, 1.5, 2**30, 2**20
        measure, score, low, high = "bits_per_byte", 2.0, 1.85, 2.2

    choices, versions, compiled, compiled_reason = [], {"python": "3"}, True, "faster"


@pytest.fixture
def corpus(tmp_path):
    (tmp_path / "t").mkdir()
    for i in range(30):
        line = "A line that every document has, word for word.\n"
        (tmp_path / "t" / f"{i}.txt").write_text(line + f"春眠不覺曉 {i} words of text. " * 20)
    (tmp_path / "t" / "blank.jsonl").write_text('{"text": " "}\n')
    (tmp_path / "t" / "<b>.bin").write_bytes(b"\0\1\2")
    recipe = CorpusRecipe(paragraphs=ParagraphConfig(least_bytes=20))
    return build([tmp_path / "t"], tmp_path / "c", recipe)


def read(path):
    reader = Reader()
    page = path.read_text(encoding="utf-8")
    reader.feed(page)
    return reader, page


@pytest.fixture
def page(corpus, tmp_path, monkeypatch):
    rows = [
        {"step": s, "kind": "validation", "tokens": 200 * s, "bits_per_byte": 3 - s / 10}
        for s in (1, 5, 10)
    ]
    samples = [{"step": 6, "prompt": HOSTILE, "text": "花落知多少"}]
    monkeypatch.setattr(module.TextRecipe, "load", lambda run: FakeRecipe)
    monkeypatch.setattr(
        module.MetricsLog, "rows", lambda log: rows if log.path.name == "metrics.jsonl" else samples
    )

    def make(**options):
        write_report(tmp_path / "report.html", corpus, tmp_path, RESULT, **options)
        return read(tmp_path / "report.html")

    return make


def test_everything_is_in_one_file_and_nothing_is_fetched(page):
    reader, text = page()
    assert all(reference.startswith("#") for reference in reader.references)
    assert "url(" not in text
    assert reader.tags.count("svg") == 3


def test_peoples_text_is_shown_and_never_run(page):
    reader, text = page(following=[("run <x>", "Do it.", "试试。")])
    assert HOSTILE in reader.text
    assert "<script>alert" not in text
    assert "花落知多少" in reader.text
    assert "run <x>" in reader.text


def test_figures_and_verdicts(page):
    reader, text = page()
    for figure in ("5,311,232", "1.900", "2.500", "2.000 (1.850–2.200)", "-5.0%, inside", "+1.7%"):
        assert figure in reader.text, figure
    assert text.count('class="good"') == 2  # gzip and xz lie above the whole interval,
    assert text.count('class="bad"') == 1  # xz that saw the training text below it,
    assert reader.text.count("not clearly apart") == 1  # and the n-gram within


def test_reasons_that_cost_bytes_or_documents_alone(page):
    reader, _ = page()
    for row in ("repeated paragraph", "empty", "unsupported format"):
        assert f"去除：{row}" in reader.text


def test_absent_parts_leave_no_trace(page):
    reader, _ = page()
    assert "Learning to answer" not in reader.text
    assert "#instruct" not in reader.references
    interval = {"value": 4.0, "low": 3.9, "high": 4.1}
    examples = [{"question": "What?", "answer": HOSTILE, "reference": "That."}]
    held_out = {"items": 3, "before": interval, "after": interval}
    facts = {"data": {"train": 9}, "held_out": held_out, "examples": examples}
    reader, _ = page(instruct=facts)
    assert "#instruct" in reader.references
    assert HOSTILE in reader.text


def test_pictures_of_little():
    assert curve({"model": []}, {}, "tokens") == ""
    assert bars([], "x") == ""
    assert "polyline" in curve({"model": [(1, 2.0)]}, {"gzip": 2.0}, "tokens")
    assert bars([("1", 0.0)], "x").count("<rect") == 1
