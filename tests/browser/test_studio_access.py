"""What keeps people out: axe-core finds no serious fault on any page, in light and in dark."""

import pytest

from tests.browser.conftest import PAGES

pytestmark = pytest.mark.browser
RUN = "axe.run(document, { resultTypes: ['violations'] })"


def faults(page, axe):
    """What is serious or critical, with the first place of each."""
    page.evaluate(axe)
    return [
        (fault["id"], fault["nodes"][0]["html"][:200], fault["nodes"][0]["failureSummary"])
        for fault in page.evaluate(RUN)["violations"]
        if fault["impact"] in ("serious", "critical")
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_has_a_serious_fault(opened, studio, axe, scheme):
    page = opened("/", color_scheme=scheme)
    found = {}
    for path in PAGES:
        page.goto(studio[0] + path)
        page.wait_for_timeout(200)  # charts are drawn
        if some := faults(page, axe):
            found[path] = some
    assert not found


def test_a_fault_is_noticed(opened, axe):
    page = opened("/new")
    page.evaluate(
        "document.querySelector('label:has([name=minutes])').replaceWith(document.querySelector('[name=minutes]'))"
    )
    assert "label" in [fault[0] for fault in faults(page, axe)]


@pytest.mark.parametrize(
    "path", ["/new?name=ahead", "/talk", "/talk?use=decide", "/together?id=tablet"]
)
def test_every_field_has_a_name(opened, path):
    """As axe finds it, where axe is not there."""
    page = opened(path)
    nameless = page.evaluate(
        "[...document.querySelectorAll('input:not([type=hidden]), select, textarea')]"
        ".filter(field => !field.labels?.length && !field.ariaLabel).map(field => field.name)"
    )
    assert nameless == []
