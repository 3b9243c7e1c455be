"""What goes wrong while a page is open: no scripts, a studio or folder that goes, a kill."""

import contextlib
import os
import shutil
import signal
import time

import pytest

from hornbook.serve.studio.jobs import Jobs
from tests import web
from tests.browser.conftest import MINUTE
from tests.lived import SENTENCE, lived_run
from tests.serve.studio.conftest import KEY, open_studio, write_run
from tests.tiny import sentences

pytestmark = pytest.mark.browser


@contextlib.contextmanager
def page_at(browser, url, path, **options):
    """A page with the key, which may complain."""
    context = browser.new_context(**options)
    page = context.new_page()
    page.goto(f"{url}/enter?key={KEY}")
    page.goto(url + path)
    yield page
    context.close()


def test_forms_work_without_scripts(browser, studio):
    folder = sentences(studio[1] / "plain", "The {} reads the {}. ")
    with page_at(browser, studio[0], "/new", java_script_enabled=False) as page:
        page.fill("#paths", str(folder))
        page.click("noscript button:has-text('Look at them')")
        page.get_by_text("What was understood").wait_for()
        assert page.locator(".sample").count() and page.locator("header nav").count()
        page.go_back()
        page.click("nav.tabs >> text=Labels")
        page.click("noscript a[href*=models]")
        assert page.locator("[name=model] option").count() > 2
        page.goto(studio[0] + "/talk")
        page.click("main noscript a")
        page.click("a[href='/commands/trace']")
        page.fill("[name=run]", "tablet")
        page.fill("[name=text]", "the hornbook")
        page.click("button:has-text('Begin')")
        for _ in range(100):
            if page.get_by_text("no text to look in").count():
                break
            time.sleep(0.2)
            page.reload()
        assert page.get_by_text("no text to look in").is_visible()


def test_going_back_after_a_form_was_refused_loses_nothing(browser, studio):
    with page_at(browser, studio[0], "/commands/embed?model=given") as page:
        page.fill("[name=out]", "../vectors.npy")
        page.click("button:has-text('Begin')")
        page.get_by_text("is no name for a folder").wait_for()
        assert page.input_value("[name=out]") == "../vectors.npy"
        page.go_back()
        assert page.input_value("[name=model]") == "given"


@pytest.mark.slow
def test_a_studio_that_stops_and_begins_again_is_noticed(browser, tmp_path):
    write_run(tmp_path / "tablet", rows=20, finished=False)
    with contextlib.ExitStack() as stack:
        with open_studio(tmp_path) as one:
            page = stack.enter_context(page_at(browser, one.url, "/run?id=tablet"))
            page.get_by_text("20 / 40").wait_for()
            page.wait_for_timeout(1500)
        port = int(one.url.rpartition(":")[2])
        page.get_by_role("alert").get_by_text("no longer answers").wait_for(timeout=MINUTE)
        with open_studio(tmp_path, port=port):  # as where HORNBOOK_API_KEY is set
            page.locator("#notice").wait_for(state="detached", timeout=MINUTE)
            with (tmp_path / "tablet" / "metrics.jsonl").open("a") as log:
                log.write('{"step": 21, "kind": "train", "loss": 4.0, "elapsed_s": 2.1}\n')
            page.get_by_text("21 / 40").wait_for(timeout=MINUTE)
        with open_studio(tmp_path, key="another", port=port):
            page.get_by_text("This studio needs its key").wait_for(timeout=MINUTE)
            page.fill("[name=key]", "another")
            page.click("button.main")
            page.get_by_text("What would you like to do?").wait_for()
            assert "another" not in page.url


@pytest.mark.slow
def test_a_folder_that_goes_is_said(browser, tmp_path):
    write_run(tmp_path / "tablet", rows=20, finished=False)
    with (
        open_studio(tmp_path) as one,
        page_at(browser, one.url, "/run?id=tablet") as page,
    ):
        page.get_by_text("20 / 40").wait_for()
        page.wait_for_timeout(1500)
        shutil.rmtree(tmp_path / "tablet")
        page.get_by_text("There is no 'tablet' in the work folder").first.wait_for(timeout=MINUTE)
        shutil.rmtree(tmp_path)
        for path in ("/", "/runs", "/models", "/corpora", "/ask", "/commands"):
            assert page.goto(one.url + path).status == 200, path


@pytest.mark.slow
def test_a_command_that_is_killed_can_be_gone_on_with(browser, tmp_path):
    text = sentences(tmp_path / "text", "The {} reads the {} and the {}. ")
    work = tmp_path / "work"
    command = ["index", "--watch", "--encoder", "none", "--out", str(work / "watched"), str(text)]
    begun = Jobs(work).begin("watched", command)
    with (
        open_studio(work) as one,
        page_at(browser, one.url, "/run?id=watched") as page,
    ):
        page.locator("button", has_text="Stop").wait_for(timeout=MINUTE)
        os.kill(begun.pid, signal.SIGKILL)
        page.locator("button", has_text="Go on").click(timeout=MINUTE)
        page.locator("button", has_text="Stop").click(timeout=MINUTE)
        page.locator("button", has_text="Go on").wait_for(timeout=MINUTE)


@pytest.mark.slow
def test_a_life_a_memory_and_claims_have_their_pages(browser, tmp_path):
    work = lived_run(tmp_path / "work")
    with (
        open_studio(work) as one,
        page_at(browser, one.url, "/understand/biography") as page,
    ):
        page.fill("#text", SENTENCE)
        page.click("button:has-text('Begin')")
        shown = page.frame_locator("iframe.page")
        shown.get_by_text(SENTENCE).first.wait_for(timeout=2 * MINUTE)
        page.goto(f"{one.url}/understand/memorization")
        page.fill("[name=samples]", "2")
        page.click("button:has-text('Begin')")
        page.get_by_text("Longest passage, characters").wait_for(timeout=2 * MINUTE)
        page.get_by_text("None were planted").wait_for()
        page.goto(f"{one.url}/understand/claims")
        page.fill("[name=minutes]", "1")
        page.click("button:has-text('Try them')")
        page.locator(".state", has_text="running").wait_for(timeout=MINUTE)
        page.click("button:has-text('Stop')")
        page.locator(".state", has_text="failed").wait_for(timeout=2 * MINUTE)
        cookies = {each["name"]: each["value"] for each in page.context.cookies()}
        policy = web.get(f"{one.url}/understand/claims", cookies=cookies).headers
        assert "default-src 'self'" in policy["content-security-policy"]


def test_claims_that_were_tried_are_listed(opened):
    page = opened("/understand/claims")
    assert page.locator(".claims li").count() == 2
    page.click("a:has-text('The whole report')")
    page.get_by_text("Claims.").wait_for()
