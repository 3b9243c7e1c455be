"""A browser that asks nobody for anything."""

import shutil

import pytest

from hornbook.serve.config import ServeConfig
from hornbook.serve.shelf import Shelf, named
from hornbook.serve.state import ServerState
from hornbook.serve.studio.app import create_studio
from hornbook.serve.studio.config import StudioConfig
from tests.serve.conftest import listening
from tests.serve.studio.conftest import FORMS, HOSTILE, KEY, write_forecast, write_run
from tests.serve.studio.hostile import PAGES as MORE
from tests.serve.studio.hostile import write_hostile
from tests.sources import ROOT
from tests.tiny import every_kind

CHROMIUM = shutil.which("chromium")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


PAGES = (
    "/",
    "/runs",
    "/new",
    "/new?kind=labels",
    "/new?kind=answers",
    "/new?kind=pairs",
    "/new?kind=images",
    "/new?name=ahead",
    "/run?id=tablet",
    "/run?id=deep/letters",
    "/together?id=tablet&id=deep/letters",
    "/talk",
    "/talk?use=summarise",
    "/talk?use=classify",
    "/talk?use=translate",
    "/talk?use=decide",
    "/ask",
    "/understand",
    "/commands",
    "/commands/evaluate",
    "/commands/corpus-forget?folder=corpus&id=1",
    *MORE,
)
"""Of the studio: every one, as a browser opens it."""
MINUTE = 60_000
KINDS = ("decoder", "network", "pairs")
AXE = ROOT / "build" / "axe" / "node_modules" / "axe-core" / "axe.min.js"
"""By `make build/axe`, as `make test-browser` does it."""


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api")
    if CHROMIUM is None:
        pytest.skip("chromium is not installed")
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def studio(tmp_path_factory):
    """The address, and the work folder."""
    folder = tmp_path_factory.mktemp("studio")
    write_run(folder / "work" / "tablet")
    write_run(folder / "work" / "deep" / "letters", rows=20, finished=False, text=HOSTILE)
    write_forecast(folder / "work", "ahead")
    write_hostile(folder / "work", folder / "beside")
    models = every_kind(folder / "models")
    config = ServeConfig(key=KEY)
    state = ServerState(
        config, Shelf(named([models / kind for kind in KINDS]), config, device="cpu")
    )
    app = create_studio(state, StudioConfig(folder=folder / "work", commands=FORMS))
    with listening(app) as url:
        yield url, folder


@pytest.fixture
def opened(browser, studio):
    """Open a page with the key; whatever a browser complains of, or asks elsewhere, fails."""
    url, _ = studio
    contexts, complaints = [], []

    def show(path, width=1100, **options):
        context = browser.new_context(viewport={"width": width, "height": 800}, **options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda said: said.type == "error" and complaints.append(said.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda asked: asked.url.startswith(url) or complaints.append(asked.url))
        page.goto(f"{url}/enter?key={KEY}")
        page.goto(url + path)
        return page

    yield show
    for context in contexts:
        context.close()
    assert not complaints


@pytest.fixture(scope="module")
def axe():
    """The source of axe-core, which looks for what keeps people out."""
    if not AXE.is_file():
        pytest.skip("axe-core is not there: make build/axe")
    return AXE.read_text(encoding="utf-8")
