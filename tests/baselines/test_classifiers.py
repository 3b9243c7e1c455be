"""Contracts that every registered feature and every classifier keeps, and planted cases."""

import json
import math
import time

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from hornbook.baselines import learners
from hornbook.baselines.character_runs import CharacterRuns
from hornbook.baselines.features import FEATURES, measure_all
from hornbook.baselines.linear_classifier import ABOUT, ARRAYS, CLASSIFIERS, LinearClassifier, make
from hornbook.baselines.links import links
from hornbook.baselines.tuning import _downhill
from hornbook.core.claims import MARKER
from hornbook.core.errors import HornbookError, UsageError

SPAM = [
    f"WIN a £{n}00 prize!! Call 0906170{n:04} now, reply STOP to {80000 + n}" for n in range(30)
]
HAM = [
    f"ok see you at home around {n % 12}... shall we have dinner with mum? :)" for n in range(30)
]
CHINESE = [f"恭喜您中奖{n}万元，请点击链接领取！" for n in range(30)]
TEXTS, LABELS = [*SPAM, *HAM, *CHINESE], ["spam"] * 30 + ["ham"] * 30 + ["zh"] * 30
ODD = ["", " \n", "qwzx vbnm", "你好", "\u200b\ufeff", "🎉🎉", "\0", "a" * 300, "٣٤٥ ४५६ ²³"]

every_feature = pytest.mark.parametrize("name", FEATURES)
every_classifier = pytest.mark.parametrize("name", CLASSIFIERS)


@pytest.fixture(scope="module")
def fitted():
    return {name: make(name).fit(TEXTS, LABELS) for name in CLASSIFIERS}


LONG = (
    "a",
    "1",
    "a-",
    "a.",
    " ",
    "[",
    "<a ",
    "1 ",
    "www.",
    "http://a@",
    "你好",
    "1-",
    "x ",
    "o.*",
    "(1",
)


@every_feature
def test_a_feature_takes_any_text_in_time(name):
    known = FEATURES[name]
    assert known.about.endswith(".")
    for text in [*ODD, *TEXTS]:
        value = known.measure(text)
        assert math.isfinite(value)
        assert value >= 0
    for part in LONG:
        text = (part * 60_000)[:60_000]  # what is quadratic takes minutes here
        start = time.process_time()
        assert math.isfinite(known.measure(text))
        assert time.process_time() - start < 2, part


PLANTED = {
    "prize_words": ("You have won a prize", "You have a dog"),
    "offer_words": ("免费贷款", "今天下雨"),
    "urgency_words": ("Act now, final notice", "Whenever you like"),
    "account_words": ("Verify your password", "Nice weather"),
    "reply_words": ("Reply STOP", "Nice weather"),
    "intimacy_words": ("sexy singles", "Nice weather"),
    "conversation_words": ("I think my mum is home", "Prize draw"),
    "exclamation_marks": ("Hey!！", "Hey."),
    "question_marks": ("Why?？", "Why."),
    "capital_words": ("FREE entry", "Free UK entry"),
    "capital_share": ("ABc", "abc"),
    "links": ("see www.a.com/x", "see e.g. this. That"),
    "short_links": ("http://bit.ly/2ab", "http://habit.lyon.com/2ab"),
    "number_links": ("http://192.168.0.1/a", "version 1.2.3.4 of http://a.com"),
    "odd_endings": ("http://prizes.xyz", "http://xyz.com"),
    "disguised_links": ("http://bank.com@evil.com/", "mail bob@bank.com"),
    "mismatched_links": ("[www.bank.com](http://evil.com)", "[www.bank.com](http://bank.com/a)"),
    "characters": ("abc", ""),
    "words": ("你好", ""),
    "word_length": ("abc", ""),
    "digit_share": ("a1", "a"),
    "phone_numbers": ("call 0906 170 1461", "in 1999 or 2000"),
    "short_codes": ("text to 87121", "£87121 or 871215555"),
    "money": ("150p or £5", "5 pears"),
    "mixed_codes": ("code K52X", "code 5212"),
    "punctuation_share": ("a, b", "a b"),
    "ellipses": ("well...", "well."),
    "emoticons": ("see you :)", "see http://a.com"),
    "emoji": ("🎉", "a"),
    "stretched_words": ("sooo", "soo www.a.com"),
    "spaced_letters": ("F R E E now", "I am a man"),
    "hidden_characters": ("fr\u200bee раypal", "free paypal"),
    "han_share": ("你好", "hello"),
}


@every_feature
def test_a_feature_sees_what_it_is_for(name):
    there, not_there = PLANTED[name]
    assert FEATURES[name].measure(there) > 0
    assert FEATURES[name].measure(not_there) == 0


def test_links_of_many_kinds():
    text = 'a.com/x, (see www.b.co.uk). <a href="http://evil.com/q">www.bank.com</a> hxxp://c.org'
    found = [link.host for link in links(text)]
    assert found == ["a.com", "b.co.uk", "evil.com", "bank.com", "c.org"]
    assert FEATURES["mismatched_links"].measure(text) > 0
    assert not links("end of a sentence.Next one, e.g. at 10.30 a.m. or bob@bank.com")


def test_features_in_one_table():
    assert measure_all([]).shape == (0, len(FEATURES))
    assert (measure_all(TEXTS)[5] == measure_all([TEXTS[5]])[0]).all()


@every_classifier
def test_probabilities_are_such_and_a_batch_is_its_texts(fitted, name):
    model = fitted[name]
    assert model.labels == ["ham", "spam", "zh"]
    texts = [*ODD, *TEXTS[::7], "x" * 50_000, "free " * 10_000]
    together = model.probabilities(texts)
    assert together.dtype == np.float64
    assert together.shape == (len(texts), 3)
    assert np.isfinite(together).all()
    assert together.sum(1) == pytest.approx(np.ones(len(texts)))
    alone = np.concatenate([model.probabilities([text]) for text in texts])
    assert (alone == together).all()
    assert model.probabilities([]).shape == (0, 3)


@every_classifier
def test_what_was_planted_is_learned_and_shown(fitted, name):
    model = fitted[name]
    right = np.mean([a == b for a, b in zip(model.predict(TEXTS), LABELS, strict=True)])
    weights = model.explain(3)
    assert list(weights) == model.labels
    if name == "majority":
        assert right == pytest.approx(1 / 3)
        assert weights == {"ham": [], "spam": [], "zh": []}
        return
    assert right == 1
    assert all(len(found) == 3 for found in weights.values())
    for found in weights.values():
        assert [w.weight for w in found] == sorted((w.weight for w in found), reverse=True)
    reasons = model.contributions("call 09061701234 for your prize", 5)["spam"]
    assert any("prize" in w.feature or "phone" in w.feature for w in reasons)


@every_classifier
def test_the_same_seed_gives_the_same_bits(fitted, name):
    again = make(name).fit(TEXTS, LABELS)
    assert (again.probabilities(TEXTS) == fitted[name].probabilities(TEXTS)).all()


@every_classifier
def test_what_was_saved_loads_with_the_same_bits(fitted, name, tmp_path):
    fitted[name].save(tmp_path / "model")
    assert sorted(path.name for path in (tmp_path / "model").iterdir()) == [ABOUT, ARRAYS, MARKER]
    loaded = LinearClassifier.load(tmp_path / "model")
    texts = [*ODD, *TEXTS]
    assert (loaded.probabilities(texts) == fitted[name].probabilities(texts)).all()
    assert loaded.explain(5) == fitted[name].explain(5)
    assert (loaded.name, loaded.features) == (name, fitted[name].features)


@every_classifier
def test_one_class_is_refused(name):
    with pytest.raises(UsageError, match="at least two classes; there is only 'a'"):
        make(name).fit(["x", "y"], ["a", "a"])
    with pytest.raises(UsageError, match="no label"):
        make(name).fit([], [])


@every_classifier
@pytest.mark.parametrize(
    ("texts", "labels"),
    [
        (["a b", "c"], ["0", "1"]),
        (["", " "], ["0", "1"]),
        (["same"] * 40, ["0", "1"] * 20),
        ([f"text {n}" for n in range(40)], ["0"] * 39 + ["1"]),
        ([" " * n for n in range(1, 40)], ["0", "1", "2"] * 13),
    ],
    ids=["two", "empty", "equal", "rare", "blank"],
)
def test_little_to_learn_from_is_no_failure(name, texts, labels):
    found = make(name).fit(texts, labels).probabilities([*texts, "new"])
    assert np.isfinite(found).all()


def test_two_classes_are_calibrated_on_what_was_held_out():
    draw = np.random.default_rng(0)
    truth = draw.integers(0, 2, 600)
    # Each word lies in a third of the cases: no classifier can be surer than two thirds.
    said = np.where(draw.random(600) < 2 / 3, truth, 1 - truth)
    texts = [f"{'good' if s else 'bad'} film {draw.integers(10**6)}" for s in said]
    for name in ("naive_bayes", "tfidf"):
        model = make(name).fit(texts[:400], [str(t) for t in truth[:400]])
        assert model.probabilities(texts[400:]).max(1).mean() == pytest.approx(2 / 3, abs=0.08)


def test_hand_made_features_that_say_nothing_get_no_weight_beside_tfidf():
    draw = np.random.default_rng(0)
    truth = draw.integers(0, 2, 300)
    texts = [
        f"{'film' if label else 'book'}{'!' * draw.integers(9)} {'9' * draw.integers(9)}"
        for label in truth
    ]
    model = make("handmade_tfidf").fit(texts, [str(label) for label in truth])
    assert model.choice.shares[0] <= 0.1
    assert model.choice.shares[1:] == (1.0, 1.0)
    assert make("handmade").fit(texts, [str(label) for label in truth]).choice.shares == (1.0,)


def test_an_unknown_name_is_corrected():
    with pytest.raises(UsageError, match="Did you mean 'tfidf'"):
        make("tf-idf")


def test_a_broken_folder_is_named(fitted, tmp_path):
    with pytest.raises(HornbookError, match="does not exist"):
        LinearClassifier.load(tmp_path)
    fitted["handmade"].save(tmp_path / "m")
    about = json.loads((tmp_path / "m" / ABOUT).read_text())

    def broken(match, **changes):
        (tmp_path / "m" / ABOUT).write_text(json.dumps(about | changes))
        with pytest.raises(HornbookError, match=match):
            LinearClassifier.load(tmp_path / "m")

    broken("does not describe", kind="other")
    broken("does not describe", version=1)
    broken("broken classifier", labels=["a"])
    broken("broken classifier", choice={"setting": 1, "shares": [], "sharpness": 1})
    broken("broken classifier", parts=[{"kind": "other"}])
    broken("other hand-made features", parts=[{"kind": "handmade", "features": ["links"]}])
    (tmp_path / "m" / ABOUT).write_text(json.dumps(about))
    whole = load_file(tmp_path / "m" / ARRAYS)
    spoiled = whole["weights"].copy()
    spoiled[0, 0] = np.nan
    save_file({**whole, "weights": spoiled}, tmp_path / "m" / ARRAYS)
    broken(f"{ARRAYS}: weights holds NaN or infinite")
    (tmp_path / "m" / ARRAYS).write_bytes(b"\x08")
    broken("broken classifier")


@pytest.mark.parametrize("texts", [TEXTS, ODD, ["", "\x0b", "a"], ["ΣΑΣ Σ İi", "a" * 9, "ab a"]])
def test_runs_of_characters_are_counted_as_scikit_learn_does(texts):
    from sklearn.feature_extraction.text import CountVectorizer

    plain = CountVectorizer(analyzer="char_wb", ngram_range=(2, 5), dtype=np.float64)
    ours = CharacterRuns(2, 5, None)
    wanted, found = plain.fit_transform(texts), ours.fit_transform(texts)
    assert ours.get_feature_names_out().tolist() == plain.get_feature_names_out().tolist()
    assert (wanted != found).nnz == 0 and found.has_sorted_indices
    known = CharacterRuns(2, 5, plain.vocabulary_)
    assert (known.transform(["", "win £"]) != plain.transform(["", "win £"])).nnz == 0
    assert known.transform([" "]).shape == (1, wanted.shape[1])


def test_a_search_goes_to_the_bottom_of_the_valley_and_no_further():
    for bottom in range(5):
        asked = []

        def loss(value, bottom=bottom, asked=asked):
            asked.append(value)
            return abs(value - bottom)

        assert _downhill(range(5), 2, loss) == bottom
        assert len(asked) == len(set(asked)) <= 5
    assert _downhill(range(4), 2, lambda value: 1.0) == 0, "the simplest of equal ones"


@pytest.mark.filterwarnings("ignore:Liblinear failed to converge")
def test_each_class_against_the_rest_is_as_good_as_all_at_once():
    """The fast learner of many columns beside the slow one, on rows that neither has seen."""
    draw = np.random.default_rng(0)
    centres = draw.normal(size=(3, 800))
    classes = draw.integers(0, 3, 600)
    import scipy.sparse

    rows = scipy.sparse.csr_matrix(0.1 * centres[classes] + draw.normal(size=(600, 800)))
    found = {}
    for name, solve in (("one", learners._against_rest), ("all", learners._multinomial)):
        weights, bias = solve(rows[:300], classes[:300], np.arange(3), 1.0)
        logits = rows[300:] @ weights.T + bias
        sharp = learners.sharpness(logits, classes[300:])
        found[name] = learners.nats(sharp * logits, classes[300:])
    assert found["one"] < 1.05 * found["all"] < 0.9 * np.log(3)
