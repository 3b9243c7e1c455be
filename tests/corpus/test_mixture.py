"""Sources with settings of their own: rules, caps, weights, budgets; what one pass then sees."""

import json
import random
from collections import Counter

import numpy as np
import pytest

from hornbook.core.errors import UsageError
from hornbook.corpus.build import build
from hornbook.corpus.mix import Documents, copies_of
from hornbook.corpus.pipeline import Count
from hornbook.corpus.recipe import CorpusRecipe, SourceConfig, recipe_of
from tests.tiny import QUIET

WORDS = ["river", "boat", "morning", "teacher", "letter", "child", "bird", "page", "stone"]


def text(draw, words=80):
    return " ".join(draw.choice(WORDS) + str(draw.randrange(1000)) for _ in range(words))


@pytest.fixture
def sources(tmp_path):
    draw = random.Random(0)
    for name, count in (("web", 300), ("law", 60), ("poems", 30)):
        rows = [{"text": text(draw), "from": name} for _ in range(count)]
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    return tmp_path


def recipe(**settings):
    parts = {name: SourceConfig(match=(f"*/{name}.jsonl",)) for name in ("web", "law", "poems")}
    for name, own in settings.pop("sources", {}).items():
        parts[name] = parts[name].model_copy(update=own)
    return CorpusRecipe(sources=parts, near_mode="ignore", **settings)


def seen(corpus):
    """Documents by source in one pass over the training side."""
    return Counter(document.metadata["from"] for document in corpus.mixture())


def documents(sizes, tokens=None):
    """Documents of one size for each source: {name: (count, size)}."""
    names = list(sizes)
    count = [n for n, _ in sizes.values()]
    keys = np.arange(sum(count)).astype(np.uint64) * np.uint64(7919)
    amount = np.repeat([size for _, size in sizes.values()], count)
    return Documents(amount, tokens, np.repeat(np.arange(len(names)), count), names, keys)


def shares(found, copies):
    seen = np.bincount(found.sources, found.bytes * copies, len(found.names))
    return dict(zip(found.names, (seen / seen.sum()).tolist(), strict=True))


def weights(**of):
    return {name: SourceConfig(match=("*",), weight=weight) for name, weight in of.items()}


def test_weights_are_met_to_a_document():
    found = documents({"a": (1000, 10), "b": (500, 30), "c": (200, 7)})
    copies = copies_of(found, CorpusRecipe(sources=weights(a=2, b=1, c=0.3)))
    got = shares(found, copies)
    for name, weight in (("a", 2), ("b", 1), ("c", 0.3)):
        assert got[name] == pytest.approx(weight / 3.3, abs=0.003)
    assert (found.bytes * copies).sum() == pytest.approx(found.bytes.sum(), rel=0.005)


def test_no_document_is_seen_more_often_than_allowed_and_others_take_the_rest():
    found = documents({"small": (10, 10), "large": (1000, 10), "middle": (300, 10)})
    copies = copies_of(found, CorpusRecipe(sources=weights(small=1, large=1, middle=1)))
    assert set(copies[:10]) == {4}
    seen = np.bincount(found.sources, found.bytes * copies)
    assert seen.sum() == pytest.approx(found.bytes.sum(), rel=0.005)
    assert seen[1] == pytest.approx(seen[2], rel=0.01)


def test_copies_of_one_source_differ_by_one_at_most():
    found = documents({"a": (100, 10), "b": (1000, 10)})
    copies = copies_of(found, CorpusRecipe(sources=weights(a=1, b=4)))
    assert set(copies[found.sources == 0]) == {2, 3}
    assert set(copies[found.sources == 1]) == {0, 1}


def test_a_budget_without_weights_keeps_the_proportions():
    found = documents({"a": (1000, 10), "b": (500, 20)})
    copies = copies_of(found, CorpusRecipe(budget_bytes=5000))
    assert set(copies) == {0, 1}
    assert (found.bytes * copies).sum() == pytest.approx(5000, abs=20)
    assert shares(found, copies)["a"] == pytest.approx(0.5, abs=0.01)


def test_a_budget_above_what_is_there_repeats_nothing():
    found = documents({"a": (10, 10)})
    assert set(copies_of(found, CorpusRecipe(budget_bytes=10**9))) == {1}


def test_a_cap_comes_before_the_weights():
    found = documents({"a": (1000, 10), "b": (1000, 10)})
    parts = weights(a=1, b=1)
    parts["a"] = parts["a"].model_copy(update={"most_bytes": 500})
    copies = copies_of(found, CorpusRecipe(sources=parts, most_copies=2))
    assert (found.bytes * (copies > 0))[found.sources == 0].sum() == 500
    assert (found.bytes * copies)[found.sources == 0].sum() == 1000


def test_the_order_of_documents_changes_nothing():
    found = documents({"a": (100, 10), "b": (80, 13)})
    parts = CorpusRecipe(sources=weights(a=1, b=3), budget_bytes=900)
    mixed = np.random.default_rng(0).permutation(len(found.bytes))
    moved = found._replace(
        bytes=found.bytes[mixed], sources=found.sources[mixed], keys=found.keys[mixed]
    )
    assert (copies_of(moved, parts) == copies_of(found, parts)[mixed]).all()
    other = CorpusRecipe(sources=weights(a=1, b=3), budget_bytes=900, seed=1)
    assert (copies_of(found, other) != copies_of(found, parts)).any()


def test_one_pass_sees_what_the_card_says(sources):
    mixture = {"web": {"weight": 1}, "law": {"weight": 1}, "poems": {"weight": 0.5}}
    corpus = build([sources], sources / "c", recipe(sources=mixture), QUIET)
    facts = {row["name"]: row for row in corpus.facts["mixture"]}
    once = seen(corpus)
    held = Counter(d.metadata["from"] for d in corpus.documents("validation"))
    for name in ("web", "law", "poems"):
        in_train = facts[name]["documents"]["kept"] - held[name]
        assert once[name] == pytest.approx(in_train * facts[name]["copies"], rel=0.15)
    assert once.total() == corpus.facts["one_pass"]["documents"]
    size = sum(len(document.text.encode()) for document in corpus.mixture())
    assert size == corpus.mixture_bytes
    assert corpus.facts["documents"]["dropped"]["mixture"] > 100
    ids = [document.id for document in corpus.documents()]
    assert len(ids) == len(set(ids)) == corpus.facts["documents"]["kept"]


def test_a_small_budget_leaves_text_to_measure_on(sources):
    corpus = build([sources], sources / "c", recipe(budget_bytes=20_000), QUIET)
    held, learned = corpus.bytes("validation"), corpus.bytes("train")
    assert 0.03 < held / (held + learned) < 0.2


def test_a_source_has_rules_of_its_own(sources):
    rules = {"gopher_word_count": {"least": 100}}
    own = {"law": {"rules": {"gopher_word_count": {"least": 10}}}}
    own["poems"] = {"rules": {"gopher_word_count": None}}
    corpus = build([sources], sources / "c", recipe(rules=rules, sources=own), QUIET)
    kept = Counter(document.metadata["from"] for document in corpus.documents())
    assert kept == {"law": 60, "poems": 30}
    assert corpus.facts["rules"]["gopher_word_count"] == {"hits": 300, "judged": 360}


def test_tokens_are_counted_once_and_the_books_balance(sources, tmp_path):
    corpus = build(
        [sources],
        tmp_path / "c",
        recipe(budget_tokens=10_000, rules={"gopher_word_count": {}}),
        QUIET,
        tokens=ByWords(),
    )
    tokens = corpus.facts["tokens"]
    assert tokens["in"] == 390 * 80
    assert tokens["in"] == tokens["kept"] + sum(tokens["dropped"].values())
    assert tokens["kept"] == pytest.approx(10_000, abs=160)
    assert sum(row["tokens"] for row in corpus.facts["languages"]) == tokens["kept"]
    assert ByWords.shown > 0


class ByWords:
    """Tokens are words; the sample that a tokenizer would be trained on is counted."""

    shown = 0

    def __init__(self):
        self.inputs = {"tokens": "words"}

    def __call__(self, texts, size, folder):
        ByWords.shown = sum(len(t.encode()) for t in texts)
        assert ByWords.shown == size
        return Count(lengths, {"name": "words", "vocabulary": 1}, "words", None)


def lengths(texts):
    return [len(text.split()) for text in texts]


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["sources.a={match: [x], weight: 1}", "sources.b={match: [y]}"], "'b' has no weight"),
        (["sources.other={match: [x]}"], "may not be called 'other'"),
        (["sources.a={match: [x], rules: {gopher_word_cont: {}}}"], "Did you mean"),
        (["budget_bytes=1", "budget_tokens=1"], "not both"),
        (["paragraph_languages=true"], "needs languages"),
        (["most_copies=0.5"], "most_copies = 0.5"),
    ],
)
def test_a_mixture_is_refused_before_work(overrides, message):
    with pytest.raises(UsageError, match=message):
        recipe_of(None, overrides)


def test_a_budget_of_tokens_needs_a_tokenizer(sources):
    with pytest.raises(UsageError, match="needs a tokenizer"):
        build([sources], sources / "c", CorpusRecipe(budget_tokens=100), QUIET)
