"""Small parts of real texts in four languages of use: novels, laws, poems, medical answers.

What synthetic text cannot show: that books balance on what people really write, that tokenizers
are lossless on it, and that a model and its report come out of it.
"""

import gzip
import itertools
import json
import math
import re

import numpy as np
import pytest
from tokenizers import Tokenizer as Reference

from hornbook.core.claims import Claim
from hornbook.corpus.build import build
from hornbook.tokenize.measure import measure
from hornbook.workflows.curate.encode import prepare_tokenizer
from hornbook.workflows.projects.text.project import Text
from hornbook.workflows.runs.run import run as train
from tests.tiny import QUIET

pytestmark = pytest.mark.data

TEXTS = {
    "novel": "text_books_en/Haggard_Mines_1885.txt.gz",
    "law": "text_legal_de/gmbhg.md.gz",
    "poems": "text_poetry_zh/tang.jsonl.gz",
    "answers": "text_medical_medquad/medquad.jsonl.gz",
}
FEWEST = {"novel": 1, "law": 1, "poems": 1500, "answers": 300}
"""Documents that must be kept of each part; poems and answers are cut to their first 2,000 and
400 lines."""
LINES = {"poems": 2000, "answers": 400}


@pytest.fixture(scope="module", params=TEXTS)
def name(request):
    return request.param


@pytest.fixture(scope="module")
def corpus(data, name, tmp_path_factory):
    source = data / TEXTS[name]
    if name in LINES:
        part = tmp_path_factory.mktemp("text") / source.with_suffix("").name
        with gzip.open(source, "rt", encoding="utf-8") as lines:
            part.write_text("".join(itertools.islice(lines, LINES[name])), encoding="utf-8")
        source = part
    return build([source], tmp_path_factory.mktemp("corpus") / "corpus", progress=QUIET)


@pytest.fixture(scope="module")
def tokenizer(corpus, tmp_path_factory):
    return prepare_tokenizer(
        corpus, tmp_path_factory.mktemp("tokenizer") / "t", 1024, QUIET, Claim("t")
    )


def test_books_balance(corpus, name):
    documents, sizes = corpus.facts["documents"], corpus.facts["bytes"]
    assert documents["kept"] >= FEWEST[name]
    for books in (documents, sizes):
        assert books["in"] == books["kept"] + sum(books["dropped"].values())
    stored = sum(len(text.encode("utf-8")) for text in corpus.texts())
    assert stored == sizes["kept"] == corpus.bytes("train") + corpus.bytes("validation")
    assert 0 < corpus.bytes("validation") <= sizes["kept"] / 4
    held_out, trained = set(corpus.texts("validation")), set(corpus.texts("train"))
    assert not held_out & trained


def test_tokenizers_are_lossless_and_exact(corpus, tokenizer):
    texts = list(itertools.islice(corpus.texts(), 200))
    found = tokenizer.encode_batch(texts)
    reference = Reference.from_file(str(tokenizer.where))
    wanted = reference.encode_batch_fast(texts, add_special_tokens=False)
    assert all(np.array_equal(ours, theirs.ids) for ours, theirs in zip(found, wanted, strict=True))
    assert [tokenizer.decode(ids.tolist()) for ids in found] == texts
    facts = measure(tokenizer, corpus.texts("validation"))
    assert facts["lossless"]
    assert facts["bytes_per_token"] > 1.3


@pytest.fixture(scope="module")
def run(corpus, tmp_path_factory):
    sizes = {"depth": 1, "width": 64, "context": 64, "rows": 8, "vocab": 1024}
    values = {
        "tokens": 60_000, "plan": sizes, "compiled": False, "device": "cpu", "dtype": "float32"
    }  # fmt: skip
    folder = tmp_path_factory.mktemp("run") / "run"
    project = Text(corpus)
    return folder, train(project, folder, project.request(values), progress=QUIET)


def test_a_model_comes_out(run, name):
    folder, result = run
    bits, floors = result["bits_per_byte"], result["floors"]
    assert all(map(math.isfinite, bits.values()))
    assert 0.5 < bits["low"] <= bits["value"] <= bits["high"] < 5
    assert 1.0 < floors["xz"] < floors["gzip"] + 0.1 < 5
    assert floors["xz_given"] < floors["xz"]
    if name == "novel":  # on a few kilobytes, the compressors' headers count
        assert floors["gzip"] > floors["xz"]
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    losses = [row["loss"] for row in rows if row["kind"] == "train"]
    assert losses[-1] < losses[0] - 1


def test_the_report_reads_naturally(run, name):
    folder, result = run
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert f"{result['bits_per_byte']['value']:.3f}" in page
    assert "src=" not in page and 'href="http' not in page
    prompts = [
        json.loads(line)["prompt"]
        for line in (folder / "samples.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    assert prompts
    if name == "poems":
        assert all(re.search(r"[\u3400-\u9fff]{4}", prompt) for prompt in prompts)
        assert all(prompt in page for prompt in prompts)
        assert "&#" not in re.sub(r"&#(34|39);", "", page), "characters stand there as they are"
