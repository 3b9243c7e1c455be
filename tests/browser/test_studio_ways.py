"""Ways of a person through the studio: a forecast, a lost key, two tabs, a table to labels."""

import itertools
import json

import pytest

from hornbook.serve.studio.jobs import Jobs
from tests.browser.conftest import MINUTE
from tests.serve.studio.conftest import HOSTILE, KEY, write_run
from tests.tiny import sentences

pytestmark = pytest.mark.browser


def test_who_lost_the_key_gives_it_again(browser, studio):
    page = browser.new_page()  # of which nobody says that it complains of nothing
    page.goto(f"{studio[0]}/enter?key={KEY}")
    page.context.clear_cookies()
    page.goto(studio[0] + "/run?id=tablet")
    assert page.get_by_text("This studio needs its key").is_visible()
    page.fill("[name=key]", "wrong")
    page.click("button.main")
    assert page.get_by_text("This is not its key").is_visible()
    page.fill("[name=key]", KEY)
    page.click("button.main")
    page.get_by_text("What would you like to do?").wait_for()
    page.close()


@pytest.mark.parametrize(
    "name", [HOSTILE.replace("/", "") + ".txt", "a\u202etxt.exe.txt", "春眠 #1?&.txt"]
)
def test_a_file_with_a_hostile_name_is_a_file_or_refused(opened, studio, name):
    page = opened("/new")
    page.fill("[name=name]", f"hostile-{len(name)}")
    page.set_input_files(
        "#files",
        {"name": name, "mimeType": "text/plain", "buffer": b"The hornbook holds words. " * 9},
    )
    page.wait_for_function(
        "document.getElementById('sent').hidden && document.getElementById('coming').textContent"
    )
    if "1 of 1" in page.inner_text("#coming"):
        page.click("button:has-text('Look at them')")
        page.wait_for_selector("#look h2", timeout=MINUTE)
        assert name in page.inner_text("#look")
    else:
        assert "is no path of a file" in page.inner_text("#coming")
    assert page.title() != "taken" and not page.query_selector("#look img")
    texts = studio[1] / "work" / "texts"
    assert all(path.is_relative_to(texts) for path in texts.rglob("*"))


@pytest.mark.slow
def test_what_one_tab_stops_another_sees(opened, studio):
    work = studio[1] / "work"
    text = sentences(studio[1] / "watched", "The {} reads the {} and the {}. ")
    Jobs(work).begin(
        "watched",
        ["index", "--watch", "--encoder", "none", "--out", str(work / "watched"), str(text)],
    )
    one, other = opened("/run?id=watched"), opened("/run?id=watched")
    one.click("button:has-text('Stop')")
    for page in (one, other):
        page.wait_for_selector("button:has-text('Go on')", timeout=MINUTE)
    other.click("button:has-text('Go on')")
    one.wait_for_selector("button:has-text('Stop')", timeout=MINUTE)
    one.click("button:has-text('Stop')")
    other.wait_for_selector("button:has-text('Go on')", timeout=MINUTE)


def test_runs_are_chosen_and_shown_together(opened, studio):
    page = opened("/runs")
    for name in ("tablet", "deep/letters"):
        page.check(f"[name=id][value='{name}']")
    (studio[1] / "work" / "tablet" / "recipe.yaml").touch()  # the rows come anew
    with page.expect_response("**/runs/now"):
        pass
    page.wait_for_timeout(200)
    page.click("button:has-text('together')")
    page.wait_for_selector("#together canvas")
    assert page.locator(".u-legend").inner_text().count("tablet") == 1
    page.select_option("#shown", "train")
    page.select_option("#across", "elapsed_s")
    assert page.locator(".u-legend th").first.inner_text() == "seconds"
    assert page.locator("#across option[value=passes]").is_disabled()


def test_a_model_labels_translates_and_decides(opened):
    page = opened("/talk?use=classify")
    page.fill("#text", "the hornbook\nother books")
    page.click("#use button.main")
    page.wait_for_selector("#found table", timeout=MINUTE)
    assert page.locator("#found tbody tr").count() == 2
    shares = [
        float(text[:-2]) for text in page.locator("#found tr >> nth=1 >> .n").all_inner_texts()
    ]
    assert sum(shares) == pytest.approx(100, abs=2)
    page.click("nav.tabs >> text=Translate")
    page.fill("#text", "the hornbook")
    page.click("#use button.main")
    page.wait_for_selector("#found .sample", timeout=MINUTE)
    page.click("nav.tabs >> text=Decide")
    page.fill("#text", "the hornbook and other books")
    page.fill("#questions", "Is it about books?\nWhich word comes? the | other")
    page.click("#use button.main")
    page.wait_for_selector("#found table", timeout=MINUTE)
    answers = page.locator("#found tbody tr td:nth-child(2)").all_inner_texts()
    assert answers[0] in ("yes", "no") and answers[1] in ("the", "other")
    page.click("nav.tabs >> text=Summarise")
    page.fill("#text", "the hornbook and other books")
    page.fill("[name=most]", "8")
    page.click("#use button.main")
    page.wait_for_selector("#halt", state="hidden", timeout=MINUTE)
    assert page.inner_text("#found").strip()


@pytest.mark.slow
def test_a_forecast_is_made_changed_and_started(opened, studio):
    folder = sentences(studio[1] / "forecast", "The {} reads the {} and the {} until it is tired. ")
    page = opened("/new")
    page.fill("#paths", str(folder))
    page.fill("[name=minutes]", "0.7")
    page.fill("[name=name]", "planned")
    page.click("button:has-text('Forecast')")
    page.wait_for_selector("#foretold .facts", timeout=2 * MINUTE)
    assert "bits per byte" in page.inner_text("#foretold .facts")
    assert "planned" in page.url
    page.fill("[name='set.plan.depth']", "1")
    page.click("button:has-text('Forecast')")
    page.wait_for_selector("#foretold .running", timeout=MINUTE)
    page.reload()
    page.wait_for_selector("[name='set.plan.depth'][value='1']", timeout=2 * MINUTE)
    assert not (studio[1] / "work" / "planned").exists()
    page.click("button:has-text('Start')")
    page.wait_for_selector("#charts:not([hidden]) canvas", timeout=2 * MINUTE)
    assert "as asked for" in page.inner_text("#more")
    page.click("button:has-text('Stop')")
    page.wait_for_selector("button:has-text('Go on')", timeout=MINUTE)


@pytest.mark.slow
def test_a_table_becomes_labels_with_their_probabilities(opened, studio):
    words = {"good": ("sun", "joy", "gift", "song"), "bad": ("rain", "grief", "debt", "loss")}
    rows = [
        f"{label},{' '.join(some)} {i}"
        for i in range(6)
        for label, known in words.items()
        for some in itertools.permutations(known, 2)
    ]
    table = studio[1] / "mood.csv"
    table.write_text("\n".join(["mood,said", *rows]))
    page = opened("/new?kind=labels")
    page.fill("#paths", str(table))
    page.click("button:has-text('Look at them')")
    page.wait_for_selector("#look [name=label_column]", timeout=MINUTE)
    page.select_option("#look [name=label_column]", "mood")
    page.select_option("#look [name=text_column]", "said")
    page.select_option("[name=model]", "lstm")
    page.fill("[name=minutes]", "0.4")
    page.fill("[name=name]", "moods")
    page.click("button:has-text('Start')")
    page.wait_for_selector("a:text-is('Report')", timeout=3 * MINUTE)
    page.goto(studio[0] + "/talk?use=classify")
    page.select_option("[name=model]", "moods")
    page.fill("#text", "sun joy\nrain debt")
    page.click("#use button.main")
    page.wait_for_selector("#found table", timeout=MINUTE)
    assert page.locator("#found tbody b").all_inner_texts() == ["good", "bad"]


@pytest.mark.slow
def test_a_chart_moves_on_without_being_drawn_anew(opened, studio):
    folder = studio[1] / "work" / "moving"
    write_run(folder, steps=10_000, rows=9_000, finished=False)
    page = opened("/run?id=moving")
    page.wait_for_selector("#train canvas")
    page.evaluate("window.canvas = document.querySelector('#train canvas')")
    with (folder / "metrics.jsonl").open("a") as log:
        for step in range(9_001, 9_004):
            row = {
                "step": step,
                "kind": "train",
                "tokens": 128 * step,
                "loss": 4.0,
                "elapsed_s": step / 10,
            }
            log.write(json.dumps(row) + "\n")
            log.flush()
            with page.expect_response("**/run/figures**", timeout=10_000):
                pass
            page.wait_for_timeout(100)
    assert page.evaluate("window.canvas === document.querySelector('#train canvas')")
