"""Claims: verdicts follow from paired differences alone, and a stopped pass goes on."""

import gzip
import json
import random
import re

import numpy as np
import pytest

from hornbook.core.errors import HornbookError, UsageError
from hornbook.core.files import read_json
from hornbook.core.stats import bootstrap_nested, bootstrap_ratio
from hornbook.workflows.claims import chapter
from hornbook.workflows.claims.chapter import ClaimsConfig, choose, claims, scale_of
from hornbook.workflows.claims.judge import FAILS, HOLDS, OPEN, UNTRIED, judge, verdict_of
from hornbook.workflows.claims.lab import Lab
from hornbook.workflows.claims.page import claims_page, picture
from hornbook.workflows.claims.sources import LABELLED, TEXTS
from hornbook.workflows.claims.statement import Also, Mark, Picture, Statement, Trial, statements
from tests.clock import set_clock
from tests.schemas import check
from tests.tiny import QUIET

NOTHING = ("nothing", "无")


def trial(centre, count=40, also=(), seed=0):
    gains = np.random.default_rng(seed).normal(centre, 1, count)
    marks = [Mark("one", 1, centre), Mark("one", 10, centre + 1), Mark("two", 1, -centre)]
    return Trial(gains.tolist(), marks, also=also, more=[[Mark("two", 3, centre + seed)]])


def made(number, tried, axis=("words", "词")):
    drawn = Picture(("height", "高度"), {"one": "一", "two": "二"}, axis)
    said = (("It is said.", "有人说。"), ("It is tried.", "试过。"), ("the gain", "增益"))
    more = (drawn._replace(height=("depth", "深度")),)
    return Statement(number, f"claim-{number}", *said, drawn, (), tried, more)


@pytest.mark.parametrize(
    ("gains", "verdict"),
    [
        ([1.0, 2.0, 1.5, 1.2, 1.1, 1.9], HOLDS),
        ([-1.0, -2.0, -1.5, -1.2, -1.1, -1.9], FAILS),
        ([1.0, -2.0, 1.5, -1.2, 1.1, -0.9], OPEN),
        ([0.0] * 50, OPEN),
        ([1.0, 1.0], OPEN),  # two samples tell nothing, however alike
    ],
)
def test_the_interval_decides(gains, verdict):
    found = judge([Trial(gains, []).plain()])
    assert found.verdict == verdict
    assert found.gain.low <= found.gain.value <= found.gain.high
    assert found.samples == len(gains)


def test_what_is_needed_counts_and_a_price_does_not():
    def of(centre, needed):
        also = Also(NOTHING, trial(centre).gains, needed=needed)
        return verdict_of([trial(3, also=[also]).plain()])

    assert (of(3, True), of(-3, True), of(0, True)) == (HOLDS, FAILS, OPEN)
    assert of(-3, False) == HOLDS


def test_seeds_that_differ_widen_the_interval():
    alike = [(trial(1, seed=i).gains, [1.0] * 40) for i in range(4)]
    apart = [([gain + 3 * i for gain in gains], ones) for i, (gains, ones) in enumerate(alike)]
    narrow, wide = (bootstrap_nested(groups) for groups in (alike, apart))
    assert wide.high - wide.low > 5 * (narrow.high - narrow.low)


def test_one_seed_alone_has_the_interval_of_its_pairs():
    gains, sizes = trial(1).gains, list(np.random.default_rng(1).uniform(1, 3, 40))
    one, other = bootstrap_nested([(gains, sizes)]), bootstrap_ratio(gains, sizes)
    assert one.value == pytest.approx(other.value)
    assert (one.low, one.high) == pytest.approx((other.low, other.high), abs=0.03)


def test_more_time_makes_trials_larger_and_more_of_them():
    assert scale_of(20 * 60 / 14) == 1
    assert [scale_of(seconds) for seconds in (80, 320, 1280, 20)] == [1, 2, 4, 0.5]


def test_every_claim_is_whole():
    found = statements()
    assert [one.number for one in found] == sorted({one.number for one in found})
    for one in found:
        for english, chinese in (one.sentence, one.experiment, one.measure, one.picture.height):
            assert english and re.search(r"[\u4e00-\u9fff]", chinese), one.name
        assert "—" not in one.sentence[0] and one.picture.names


def test_a_claim_that_is_not_there_is_named():
    with pytest.raises(UsageError, match="features"):
        choose(["feature"])
    assert [one.name for one in choose(["domain", "features"])] == ["features", "domain"]


def test_data_that_are_not_there_are_refused(tmp_path):
    with pytest.raises(UsageError, match="no such folder"):
        claims(ClaimsConfig(data=tmp_path / "no"), tmp_path / "out", QUIET)
    with pytest.raises(UsageError, match=next(iter(LABELLED.values()))):
        claims(ClaimsConfig(data=tmp_path), tmp_path / "out", QUIET)
    assert not (tmp_path / "out").exists()


@pytest.fixture
def passes(tmp_path, monkeypatch):
    """A pass over three made-up claims, of which the last cannot be tried; what was tried."""
    done, now = [], [0.0]

    def tried(number):
        def work(lab, seed):
            if number == 3:
                raise HornbookError("There is too little.")
            done.append((number, seed))
            now[0] += 10
            return trial(3 if number == 1 else 0, seed=seed)

        return work

    monkeypatch.setattr(chapter, "statements", lambda: [made(i, tried(i)) for i in (1, 2, 3)])
    set_clock(monkeypatch, lambda: now[0])

    def go(minutes):
        found = claims(ClaimsConfig(minutes=minutes), tmp_path / "out", QUIET, now[0])
        check("claims", found)
        assert read_json(tmp_path / "out" / "result.json") == found
        return found

    return go, done, tmp_path / "out"


def test_each_has_its_turn_and_what_is_done_is_not_done_again(passes):
    go, done, _ = passes
    first = go(0.9)
    assert done[:4] == [(1, 0), (2, 0), (1, 1), (2, 1)]
    assert [row["verdict"] for row in first["claims"]] == [HOLDS, OPEN, UNTRIED]
    assert first["claims"][2]["reason"] == "There is too little."
    before = len(done)
    again = go(0.9)
    assert len(set(done)) == len(done) > before
    assert again["claims"][0]["seeds"] > first["claims"][0]["seeds"]
    narrow, wide = (row["claims"][0] for row in (again, first))
    assert narrow["high"] - narrow["low"] < wide["high"] - wide["low"]


def test_the_page_says_what_the_json_has_and_no_more(passes):
    go, _, out = passes
    result = go(0.9)
    seeds = result["claims"][0]["seeds"]
    page = (out / "report.html").read_text(encoding="utf-8")
    for row in result["claims"]:
        assert row["sentence"] in page and row["zh"]["sentence"] in page
    assert f"{result['claims'][0]['value']:+.3f}" in page
    assert "There is too little." in page
    drawn = re.findall(r"<polyline[^>]*points=\"([^\"]*)\"", picture(result["claims"][0])[0])
    assert [len(line.split()) for line in drawn] == [2, 1]
    (more,) = result["claims"][0]["more"]
    assert [(mark["x"], mark["value"]) for mark in more["marks"]] == [(3, 3 + (seeds - 1) / 2)]
    assert "Depth" in page and "深度" in page and page.count("<figure>") == 4


def test_rows_are_drawn_where_there_is_no_axis():
    row = {"marks": [{"name": "one", "x": None, "value": 2.0, "seeds": [1.0, 3.0]}]}
    row |= {
        "axis": None,
        "height": "h",
        "zh": {"axis": None, "height": "高", "names": {"one": "一"}},
    }
    english, chinese = picture(row)
    assert english.count("<circle") == 3 and ">one<" in english and ">一<" in chinese


def test_the_page_escapes():
    result = {"minutes": 1.0, "scale": 1.0, "data": "<b>", "claims": []}
    assert "<b>" not in claims_page(result)


COURT = "court may order that a party shall pay costs of an appeal under this act"
WAVES = "grey waves broke over rocks while gulls cried above cold salt wind and rain"
SIDES = {"court": COURT.split(), "waves": WAVES.split()}


def tell(words, draw, count):
    return " ".join(draw.choices(words, k=count)).capitalize() + "."


def write_sets(folder, domain, general, shuffled):
    """Sets of --data, small: rows that one of two sets of words makes, and texts of either."""
    draw = random.Random(0)
    rows = [(label, tell(SIDES[label], draw, 12)) for label in SIDES for _ in range(300)]
    labels = [label for label, _ in rows]
    if shuffled:
        draw.shuffle(labels)
    table = "".join(f"{label}\t{text}\n" for label, (_, text) in zip(labels, rows, strict=True))
    texts = {"domain": domain, "general": general}
    files = {LABELLED["spam"]: table.encode()}
    files[LABELLED["sentiment"]] = gzip.compress(
        "".join(
            json.dumps({"label": label, "text": text}) + "\n"
            for label, (_, text) in zip(labels, rows, strict=True)
        ).encode()
    )
    for name, side in texts.items():
        lines = [json.dumps({"text": tell(SIDES[side], draw, 200)}) for _ in range(150)]
        files[TEXTS[name].files[0]] = gzip.compress("\n".join(lines).encode())
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory):
    """What becomes of claims on data as they should be, and on data on which they must fail."""
    found = {}
    for name, sides in {"good": ("court", "waves", False), "bad": ("waves", "waves", True)}.items():
        folder = tmp_path_factory.mktemp(name)
        lab = Lab(folder / "lab", write_sets(folder / "data", *sides), 0.125, QUIET)
        for one in choose(["features", "pretraining", "domain"]):
            found[name, one.name] = verdict_of([one.tried(lab, 0).plain()])
    return found


@pytest.mark.slow
def test_other_data_give_another_verdict(verdicts):
    assert verdicts["good", "features"] == verdicts["good", "domain"] == HOLDS


@pytest.mark.slow
@pytest.mark.parametrize("name", ["features", "pretraining", "domain"])
def test_claims_fail_where_they_must(verdicts, name):
    assert verdicts["bad", name] != HOLDS
