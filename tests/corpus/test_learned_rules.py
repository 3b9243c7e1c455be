"""Rules with a model keep the contract of all rules; what training reports can be trusted."""

import json
import math
from collections import Counter

import numpy as np
import pytest
from safetensors.numpy import save_file
from typer import Typer
from typer.testing import CliRunner

from hornbook.cli.corpus_train import train
from hornbook.core.errors import HornbookError, UsageError
from hornbook.corpus import byte_ngrams, word_bags
from hornbook.corpus.model_file import write_model
from hornbook.corpus.rule_models import (
    load_perplexity,
    load_quality,
    train_perplexity,
    train_quality,
)
from hornbook.corpus.rules import RULES
from hornbook.corpus.texts import Texts
from tests.schemas import check

ENGLISH = ("river", "boat", "noon", "stone", "calm", "tree", "bird", "letter", "house", "garden")
CHINESE = tuple("春眠不覺曉處聞啼鳥夜來風雨聲")
STRANGE = [
    "",
    "\n",
    "x",
    "!!!",
    "The river.",
    "RIVER, boat!",
    "春眠不覺曉，處處聞啼鳥。\n\n夜來風雨聲。",
    "zq" * 300,
    "été\x00 ﷽ 7",
]


def ordered(words, count, seed, forwards):
    """Documents of the same words on both sides, whose order alone tells which side they are of."""
    draw = np.random.default_rng(seed)
    joint = " " if words is ENGLISH else ""
    documents = []
    for _ in range(count):
        pieces = []
        for _ in range(draw.integers(8, 30)):
            pair = sorted(draw.choice(len(words), 2, replace=False), reverse=not forwards)
            pieces += [words[i] for i in pair]
        documents.append(joint.join(pieces))
    return documents


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    good = [*ordered(ENGLISH, 300, 1, True), *ordered(CHINESE, 300, 2, True)]
    bad = [*ordered(ENGLISH, 300, 3, False), *ordered(CHINESE, 300, 4, False)]
    train_quality(good, bad, folder / "quality")
    train_perplexity(good, folder / "perplexity")
    return {kind: folder / kind for kind in ("quality", "perplexity")}


@pytest.fixture
def _quick(monkeypatch):
    """Few steps, where what is learned does not matter."""
    monkeypatch.setattr(word_bags, "_LEAST_STEPS", 40)


@pytest.fixture(params=["quality", "perplexity"])
def rule(request, models):
    more = {"most": 30.0} if request.param == "perplexity" else {}
    return RULES[request.param].parse({"model": str(models[request.param]), **more}, "rule")


def test_a_batch_is_judged_as_each_document_alone(rule):
    documents = [*STRANGE, *ordered(ENGLISH, 5, 9, True), *ordered(CHINESE, 5, 9, False)]
    values, kept = rule.judge(Texts(documents))
    for i, document in enumerate(documents):
        value, keep = rule.judge(Texts([document]))
        np.testing.assert_allclose(value[0], values[i], rtol=1e-5)
        assert keep[0] == kept[i]
    assert np.isnan(values[0]) and kept[0]
    assert rule.judge(Texts([]))[0].shape == (0,)


@pytest.mark.parametrize("words", [ENGLISH, CHINESE], ids=["en", "zh"])
def test_quality_learns_what_only_pairs_of_words_tell(models, words):
    """Single words are the same on both sides: without pairs this is a coin's toss."""
    made = RULES["quality"].parse({"model": str(models["quality"])}, "rule")
    _, good = made.judge(Texts(ordered(words, 200, 11, True)))
    _, bad = made.judge(Texts(ordered(words, 200, 12, False)))
    assert good.mean() > 0.95 and bad.mean() < 0.05


def test_quality_does_not_tell_case_and_punctuation(models):
    made = RULES["quality"].parse({"model": str(models["quality"])}, "rule")
    values, _ = made.judge(Texts(["river boat noon", "River, BOAT (noon)!"]))
    assert values[0] == values[1]


def test_folded_text_keeps_its_places():
    texts = Texts(["The Cat's, HAT!", "", "春眠，不覺曉。Ä-b"], ["en", "", "zh"])
    folded = texts.folded()
    assert folded.data.tobytes().decode() == "the cat s  hat 春眠，不覺曉。Ä b"
    assert texts.data.tobytes().decode().startswith("The Cat's")
    assert (folded.edges == texts.edges).all() and (folded.languages == texts.languages).all()
    assert folded.per_document(folded.words).tolist() == [4, 0, 7]


def test_held_out_figures_are_of_documents_that_were_not_learned(tmp_path):
    """Labels that mean nothing are learned by heart, and must not look learned."""
    draw = np.random.default_rng(0)
    texts = [" ".join(f"w{i}" for i in draw.integers(0, 3000, 40)) for _ in range(1200)]
    facts = train_quality(texts[:600], texts[600:], tmp_path / "m")
    assert 0.3 < facts["held_out"]["auc"] < 0.7
    made = RULES["quality"].parse({"model": str(tmp_path / "m")}, "rule")
    assert made.judge(Texts(texts[:600]))[1].mean() > 0.85  # what was learned by heart is known
    assert facts["held_out"]["documents"] == 120


def test_reported_figures(tmp_path):
    good, bad = ordered(ENGLISH, 400, 1, True), ordered(ENGLISH, 100, 2, False)
    again = [good[0] + "\n", good[0]]  # the same content up to white space
    facts = train_quality(good, [*bad, *again, "", "?!"], tmp_path / "m")
    words = [sum(len(text.split()) for text in side) for side in (good, bad)]
    assert facts["good"] == {"documents": 400, "words": words[0], "repeated": 0}
    assert facts["bad"] == {"documents": 100, "words": words[1], "repeated": 2}
    held = facts["held_out"]
    assert held["documents"] == 50 and held["auc"] > 0.99
    accuracy = held["accuracy"]
    assert accuracy["low"] < accuracy["value"] <= accuracy["high"] + 1e-9
    assert accuracy["value"] > 0.95
    right = held["good_kept"]["value"] * 40 + held["bad_dropped"]["value"] * 10
    assert accuracy["value"] * 50 == pytest.approx(right)


@pytest.mark.usefixtures("_quick")
def test_training_is_the_same_again_and_in_another_order(tmp_path):
    good, bad = ordered(ENGLISH, 60, 1, True), ordered(ENGLISH, 60, 2, False)
    first = train_quality(good, bad, tmp_path / "a", seed=3)
    assert train_quality(iter(good), iter(bad), tmp_path / "b", seed=3) == first
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    train_quality(good, bad, tmp_path / "c", seed=4)
    assert (tmp_path / "a").read_bytes() != (tmp_path / "c").read_bytes()
    assert (
        train_perplexity(good, tmp_path / "d")["held_out"]
        == (train_perplexity(good[::-1], tmp_path / "e")["held_out"])
    )
    assert (tmp_path / "d").read_bytes() == (tmp_path / "e").read_bytes()


def reference(learned, text, order=byte_ngrams.ORDER):
    """Perplexity by the formula, with exact counts in a dictionary, a byte at a time."""
    counts = Counter()
    for document in learned:
        raw = document.encode()
        for size in range(1, order + 1):
            counts.update(raw[i : i + size] for i in range(len(raw) - size + 1))
    whole, raw, total = sum(n for run, n in counts.items() if len(run) == 1), text.encode(), 0.0
    for i in range(len(raw)):
        chance = 1 / 256
        for size in range(1, min(order, i + 1) + 1):
            run = raw[i - size + 1 : i + 1]
            before = counts[run[:-1]] if size > 1 else whole
            weight = 2 * math.sqrt(before + 1)
            chance = (counts[run] + weight * chance) / (before + weight)
        total -= math.log(chance)
    return math.exp(total / len(text))


def test_perplexity_is_that_of_the_formula():
    learned = [*ordered(ENGLISH, 50, 1, True), *ordered(CHINESE, 50, 2, True)]
    asked = [*learned[:3], *learned[-3:], "a river", "xylophone quartz", "曉不眠春"]
    counts, texts = byte_ngrams.empty(), Texts(learned)
    byte_ngrams.count(counts, texts.data, texts.edges)
    texts = Texts(asked)
    trained = sum(len(document.encode()) for document in learned)
    found = byte_ngrams.perplexities(byte_ngrams.coded(counts), trained, texts.data, texts.edges)
    # Counts are kept to within 5 %, and slots are rarely shared by so few runs.
    np.testing.assert_allclose(found, [reference(learned, text) for text in asked], rtol=0.05)


@pytest.mark.parametrize("words", [ENGLISH, CHINESE], ids=["en", "zh"])
def test_perplexity_tells_order_from_chaos(tmp_path, words):
    facts = train_perplexity(ordered(words, 300, 1, True), tmp_path / "m")
    held = facts["held_out"]["perplexity"]
    assert facts["held_out"]["documents"] == 30
    most = 1.2 * held["0.99"]
    made = RULES["perplexity"].parse({"model": str(tmp_path / "m"), "most": most}, "rule")
    ordinary = ordered(words, 50, 5, True)
    draw = np.random.default_rng(0)
    letters = [chr(i) for i in range(0x4E00, 0x9000)] if words is CHINESE else list(" abcdefghij")
    chaos = ["".join(draw.choice(letters, len(text))) for text in ordinary]
    backwards = [text[::-1] for text in ordered(words, 50, 6, True)]
    assert made.judge(Texts(ordinary))[1].mean() > 0.95
    assert made.judge(Texts(chaos))[1].mean() < 0.05
    assert made.judge(Texts(backwards))[0].mean() > 1.1 * made.judge(Texts(ordinary))[0].mean()
    easy = RULES["perplexity"].parse(
        {"model": str(tmp_path / "m"), "most": most, "least": held["0.5"]}, "rule"
    )
    assert 0.2 < easy.judge(Texts(ordinary))[1].mean() < 0.8


def test_a_model_is_needed_and_checked_before_work(tmp_path, models):
    with pytest.raises(UsageError, match="'model' is missing"):
        RULES["quality"].parse({}, "rule quality")
    with pytest.raises(UsageError, match="'most' is missing"):
        RULES["perplexity"].parse({"model": str(models["perplexity"])}, "rule perplexity")
    with pytest.raises(UsageError, match=r"nowhere.* does not exist"):
        RULES["quality"].parse({"model": str(tmp_path / "nowhere")}, "rule quality")
    with pytest.raises(UsageError, match=r"perplexity is a perplexity model, not a quality model"):
        RULES["quality"].parse({"model": str(models["perplexity"])}, "rule quality")


@pytest.mark.parametrize("kind", ["quality", "perplexity"])
def test_damage_is_noticed(tmp_path, models, kind):
    load = {"quality": load_quality, "perplexity": load_perplexity}[kind]
    whole, path = models[kind].read_bytes(), tmp_path / "damaged"
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 1
    for content in (b"", b"not a model", whole[: len(whole) // 2], whole[:40], bytes(flipped)):
        path.write_bytes(content)
        with pytest.raises(HornbookError, match="damaged"):
            load(str(path))
    save_file({"weights": np.zeros(3, np.float32)}, path)
    with pytest.raises(UsageError, match=r"damaged was not made by"):
        load(str(path))
    with path.open("wb"):
        write_model(path, kind, "0", {"weights": np.zeros(3, np.float32)})
    with pytest.raises(UsageError, match="another version"):
        load(str(path))
    with pytest.raises(UsageError, match=str(tmp_path)):
        load(str(tmp_path))


@pytest.mark.usefixtures("_quick")
def test_a_model_that_was_made_anew_is_read_anew(tmp_path):
    path = tmp_path / "m"
    good, bad = ordered(ENGLISH, 30, 1, True), ordered(ENGLISH, 30, 2, False)
    train_quality(good, bad, path)
    made = RULES["quality"].parse({"model": str(path)}, "rule")
    assert made.files() == (path,)
    before, _ = made.judge(Texts(good))
    train_quality(bad, good, path)
    after, _ = made.judge(Texts(good))
    assert before.mean() > 0.7 and after.mean() < 0.3


def test_too_few_documents_leave_nothing_behind(tmp_path):
    with pytest.raises(HornbookError, match="3 different bad documents"):
        train_quality(ordered(ENGLISH, 20, 1, True), ["a", "b", "c", "c", ""], tmp_path / "m")
    with pytest.raises(HornbookError, match="9 different documents"):
        train_perplexity("abcdefghia", tmp_path / "m")
    assert not list(tmp_path.iterdir())


def test_a_list_of_vulgar_words(tmp_path):
    path = tmp_path / "words.txt"
    path.write_text("Blast\n\ncabin boy\n混蛋\n", encoding="utf-8")
    made = RULES["toxic_words"].parse({"words": str(path), "most": 0.2}, "rule")
    documents = [
        "BLAST! said he.",
        "a blaster",
        "the cabin-boy (cabin, boy) and the boy",
        "你這混蛋！",
        "混。蛋在此處也",
        "",
    ]
    values, kept = made.judge(Texts(documents, ["en", "en", "de", "zh", "zh", ""]))
    np.testing.assert_allclose(values, [1 / 3, 0, 4 / 8, 2 / 4, 2 / 6, 0], rtol=1e-6)
    assert kept.tolist() == [False, True, False, False, False, True]
    built_in = RULES["toxic_words"]()
    values, kept = built_in.judge(Texts(["shit", "shit", "shit"], ["en", "de", ""]))
    assert kept.tolist() == [False, True, True] and np.isnan(values[1:]).all()


def test_a_list_that_cannot_be_read(tmp_path):
    for name, content in (("empty", b"\n ?\n"), ("latin", b"caf\xe9\n"), ("missing", None)):
        if content is not None:
            (tmp_path / name).write_bytes(content)
        with pytest.raises(UsageError, match=name):
            RULES["toxic_words"].parse({"words": str(tmp_path / name)}, "rule toxic_words")


@pytest.mark.usefixtures("_quick")
def test_the_command(tmp_path):
    app = Typer()
    app.command()(train)
    for side, forwards in (("good", True), ("bad", False)):
        for i, text in enumerate(ordered(ENGLISH, 30, 7, forwards)):
            (tmp_path / side).mkdir(exist_ok=True)
            (tmp_path / side / f"{i}.txt").write_text(text, encoding="utf-8")
    good, bad, out = (str(tmp_path / name) for name in ("good", "bad", "model"))
    run = CliRunner().invoke
    made = run(app, ["quality", "--good", good, "--bad", bad, "--out", out, "--json"])
    assert made.exit_code == 0 and '"held_out": {"documents": 6' in made.stdout
    check("corpus_train", json.loads(made.stdout))
    load_quality(out)
    other = run(app, ["perplexity", "--good", good, "--out", out])
    assert "holds what `corpus train quality` made of good, bad" in str(other.exception)
    out = str(tmp_path / "other")
    made = run(app, ["perplexity", "--good", good, "--out", out])
    assert made.exit_code == 0 and "held_out perplexity 0.95: " in made.stdout
    load_perplexity(out)
    for wrong in (["quality"], ["perplexity", "--bad", bad], ["size"], ["quality", "--bad", "no"]):
        made = run(app, [*wrong, "--good", good, "--out", out])
        assert isinstance(made.exception, UsageError)
