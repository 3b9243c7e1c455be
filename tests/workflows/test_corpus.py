"""A corpus with tokens and a page: traced, forgotten, reviewed; models that learned from it."""

import json
import random
import subprocess
import sys

import numpy as np
import pytest

from hornbook.core.claims import Claim
from hornbook.core.errors import HornbookError, UsageError
from hornbook.core.pool import Local
from hornbook.corpus.build import stages_of
from hornbook.corpus.corpus import Corpus
from hornbook.corpus.recipe import CorpusRecipe
from hornbook.corpus.review import ReviewAnswer, cases, precision
from hornbook.tokenize.tokenizer import Tokenizer
from hornbook.workflows.curate.corpus import forget, make_corpus, trace
from hornbook.workflows.curate.encode import SHARDS, prepare_shards
from hornbook.workflows.runs import lineage
from tests.schemas import check
from tests.tiny import QUIET

NOUNS = ["river", "boat", "morning", "teacher", "letter", "child", "bird", "page", "stone"]


def prose(draw, sentences=10):
    return " ".join(
        f"The {draw.choice(NOUNS)} of the {draw.choice(NOUNS)} was number {draw.randrange(10**6)}."
        for _ in range(sentences)
    )


@pytest.fixture
def source(tmp_path):
    draw = random.Random(0)
    rows = [{"text": prose(draw)} for _ in range(60)]
    rows += [{"text": prose(draw, 2)} for _ in range(25)]
    rows.append({"text": rows[7]["text"]})
    rows.append({"text": rows[8]["text"].replace("number", "No.", 1)})
    path = tmp_path / "in" / "text.jsonl"
    path.parent.mkdir()
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture(autouse=True)
def own_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HORNBOOK_HOME", str(tmp_path / "home"))


RECIPE = CorpusRecipe(near_mode="drop", rules={"gopher_word_count": {"least": 40}}, pii=("email",))


def made(source, out, recipe=RECIPE, vocabulary=300, **options):
    return make_corpus([source], out, recipe, Local(1), QUIET, vocabulary=vocabulary, **options)


def test_tokens_of_the_corpus_are_those_of_its_tokenizer(source, tmp_path):
    corpus = made(source, tmp_path / "c")
    tokenizer = Tokenizer.load(corpus.folder / "tokenizer")
    counted = [len(tokenizer.encode(text)) for text in corpus.texts()]
    tokens = corpus.facts["tokens"]
    assert tokens["kept"] == sum(counted)
    assert tokens["in"] == tokens["kept"] + sum(tokens["dropped"].values())
    assert corpus.facts["tokenizer"]["vocabulary"] == tokenizer.vocab_size == 300
    train, validation = prepare_shards(corpus, tokenizer, tmp_path / "elsewhere", QUIET, Claim("t"))
    assert train.folder.parent == corpus.folder / SHARDS
    # The end of each document is one token more.
    assert train.tokens + validation.tokens == sum(counted) + len(counted)
    assert "Data card" in (corpus.folder / "card.html").read_text()


def test_a_corpus_is_built_without_torch(source, tmp_path):
    code = (
        "import sys; from hornbook.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print(*{m.partition('.')[0] for m in sys.modules} & {'torch', 'pandas', 'sklearn'})\n"
        "print('pyarrow.dataset' in sys.modules)"
    )
    command = ["corpus", "build", source, "--out", tmp_path / "c", "--json"]
    done = subprocess.run([sys.executable, "-c", code, *command], capture_output=True, text=True)
    assert '"card"' in done.stdout, done.stderr
    assert done.stdout.endswith("\n\nFalse\n"), done.stdout


def test_another_tokenizer_in_the_same_place_is_the_one_that_counts(source, tmp_path):
    for vocabulary in (300, 400):
        corpus = made(source, tmp_path / "c", vocabulary=vocabulary)
        tokenizer = Tokenizer.load(corpus.folder / "tokenizer")
        counted = sum(len(tokenizer.encode(text)) for text in corpus.texts())
        assert corpus.facts["tokens"]["kept"] == counted


def test_a_tokenizer_that_is_there_is_used(source, tmp_path):
    first = made(source, tmp_path / "c")
    again = made(source, tmp_path / "d", tokenizer=first.folder / "tokenizer")
    assert again.facts["tokens"] == first.facts["tokens"]
    assert not (again.folder / "tokenizer").exists()


def test_a_crash_between_corpus_and_page_is_made_up_for(source, tmp_path, monkeypatch):
    straight = made(source, tmp_path / "c")
    page = (straight.folder / "card.html").read_bytes()

    def fail(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as broken, pytest.raises(KeyboardInterrupt):
        broken.setattr("hornbook.workflows.curate.corpus.prepare_shards", fail)
        made(source, tmp_path / "d")
    assert (made(source, tmp_path / "d").folder / "card.html").read_bytes() == page


def test_trace_leads_to_the_very_tokens(source, tmp_path):
    corpus = made(source, tmp_path / "c")
    tokenizer = Tokenizer.load(corpus.folder / "tokenizer")
    documents = {document.id: document.text for document in corpus.documents()}
    for id in list(documents)[:5]:
        (place,) = trace(corpus.folder, id)["tokens"]
        shard = np.load(corpus.folder / SHARDS / place["side"] / f"tokens-{place['shard']:05d}.npy")
        ids = shard[place["offset"] : place["offset"] + place["tokens"] - 1]
        assert tokenizer.decode(ids.tolist()) == documents[id]


def test_a_forgotten_document_is_nowhere_and_stays_away(source, tmp_path):
    corpus = made(source, tmp_path / "c")
    id, text = f"{source}:7", json.loads(source.read_text().splitlines()[7])["text"]
    before = corpus.facts
    found = forget(corpus.folder, id)
    check("corpus_forget", found)
    check("corpus_report", before)
    check("corpus_trace", trace(corpus.folder, id))
    assert found["models"] == [] and found["side"] in ("train", "validation")
    after = Corpus.open(corpus.folder)
    assert after.fingerprint != corpus.fingerprint
    assert id not in {document.id for document in after.documents()}
    needle = text[20:80].encode()
    held = [p for p in tmp_path.rglob("*") if p.is_file() and p.suffix != ".parquet"]
    assert not any(needle in p.read_bytes() for p in held if "in" not in p.parts)
    assert not any(needle.decode() in other for other in after.texts())
    for unit in ("documents", "bytes", "tokens"):
        books = after.facts[unit]
        assert books["in"] == books["kept"] + sum(books["dropped"].values())
        assert books["kept"] < before[unit]["kept"]
    assert after.facts["bytes"]["kept"] == sum(len(t.encode()) for t in after.texts())
    assert [p.name for p in stages_of(corpus.folder).iterdir()] == ["pseudonyms.key"]
    assert trace(corpus.folder, id)["reason"] == "forgotten"
    # The same command reuses what is there, and a changed one does not bring it back.
    assert made(source, tmp_path / "c").fingerprint == after.fingerprint
    changed = made(source, tmp_path / "c", RECIPE.model_copy(update={"seed": 3}))
    assert not any(needle.decode() in other for other in changed.texts())
    assert changed.facts["documents"]["dropped"]["forgotten"] == 2  # and its copy
    with pytest.raises(UsageError, match="holds no document"):
        forget(corpus.folder, id)


def test_a_document_can_be_forgotten_whatever_stands_in_those_that_were_dropped(source, tmp_path):
    rows = [json.loads(line) for line in source.read_text(encoding="utf-8").splitlines()]
    odd = "A dropped\u2028text\u2029with\x85odd\x0cends.\n" * 9
    extra = [{"text": odd}, {"text": odd}]
    path = tmp_path / "odd.jsonl"
    lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in [*rows, *extra])
    path.write_text("".join(lines), encoding="utf-8")
    corpus = made(path, tmp_path / "c")
    forget(corpus.folder, f"{path}:7")
    assert trace(corpus.folder, f"{path}:7")["reason"] == "forgotten"


def test_a_crash_while_forgetting_leaves_the_corpus_as_it_was(source, tmp_path, monkeypatch):
    corpus = made(source, tmp_path / "c")
    before = {p: p.read_bytes() for p in corpus.folder.rglob("*") if p.is_file()}

    def fail(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as broken, pytest.raises(KeyboardInterrupt):
        broken.setattr("hornbook.corpus.forget.card_text", fail)
        forget(corpus.folder, f"{source}:7")
    assert {p: p.read_bytes() for p in corpus.folder.rglob("*") if p.is_file()} == before


def test_models_that_learned_from_it_are_named(source, tmp_path):
    corpus = made(source, tmp_path / "c")
    lineage.record(tmp_path / "run", corpus.fingerprint, None)
    lineage.record(tmp_path / "other", "another", None)
    lineage.record(tmp_path / "tuned", "another", tmp_path / "run" / "model")
    first = forget(corpus.folder, f"{source}:7")
    assert first["models"] == [str(tmp_path / "run"), str(tmp_path / "tuned")]
    lineage.record(tmp_path / "later", Corpus.open(corpus.folder).fingerprint, None)
    second = forget(corpus.folder, f"{source}:9")
    assert str(tmp_path / "later") in second["models"] and len(second["models"]) == 3


def test_a_rule_is_measured_by_a_persons_answers(source, tmp_path):
    corpus = made(source, tmp_path / "c")
    found = cases(stages_of(corpus.folder), RECIPE, "gopher_word_count", 20, 0)
    assert sum(case.dropped for case in found) == sum(not case.dropped for case in found) == 20
    assert all((len(case.text.split()) < 40) == case.dropped for case in found)
    assert [case.dropped for case in found] != sorted(case.dropped for case in found)
    right = [ReviewAnswer(case, not case.dropped) for case in found]
    assert precision(right)["precision"].value == 1 == precision(right)["kept_good"].value
    wrong = [answer._replace(good=True) for answer in right]
    assert precision(wrong)["precision"].value == 0 < precision(wrong)["precision"].high < 0.2
    with pytest.raises(UsageError, match="without the rule gopher_symbols"):
        cases(stages_of(corpus.folder), RECIPE, "gopher_symbols", 20, 0)
    with pytest.raises(UsageError, match="Did you mean 'gopher_symbols'"):
        cases(stages_of(corpus.folder), RECIPE, "gopher_symbol", 20, 0)
    with pytest.raises(HornbookError, match="build the corpus again"):
        cases(tmp_path / "nothing", RECIPE, "gopher_symbols", 20, 0)


def test_a_review_on_the_command_line(source, tmp_path):
    corpus = made(source, tmp_path / "c")
    command = [sys.executable, "-m", "hornbook", "corpus", "review", str(corpus.folder)]
    done = subprocess.run(
        [*command, "--rule", "gopher_word_count", "--each", "3", "--json"],
        input="y\nperhaps\nn\ny\nq\n",
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout)
    check("corpus_review", facts)
    assert facts["answers"]["dropped"] + facts["answers"]["kept"] == 3
    rows = (tmp_path / "c.review.jsonl").read_text().splitlines()
    assert [json.loads(row)["good"] for row in rows] == [True, False, True]
