"""Text of documents, models and commands is shown as text, whatever it says, on every page."""

import pytest

from tests.serve.studio.conftest import HOSTILE, open_studio
from tests.serve.studio.hostile import NAME, PAGES, RULE, write_hostile
from tests.tiny import slow

PARTS = (
    "/", "/now", "/runs", "/models/now", "/corpora/now", "/understand", "/job/now?name=pull-x",
    "/job/now?name=exports.x",
)  # fmt: skip
FORMS = (
    ("/models/pull", {"name": HOSTILE}),
    ("/models/pull", {"name": f"hf://{HOSTILE}"}),
    ("/model/export", {"origin": HOSTILE, "name": HOSTILE, "to": HOSTILE, "file": HOSTILE}),
    ("/corpora", {"name": HOSTILE, "paths": HOSTILE, "recipe": HOSTILE}),
    ("/corpora", {"name": "new", "paths": f"/{HOSTILE}", "recipe": HOSTILE}),
    ("/corpus/find", {"id": HOSTILE, "document": HOSTILE}),
    ("/corpus/review", {"id": "corpus", "rule": HOSTILE, "document": HOSTILE, "good": "y"}),
    ("/corpus/review", {"id": "corpus", "rule": RULE, "document": HOSTILE, "good": HOSTILE}),
    ("/compare", {"name": "new", "minutes": HOSTILE, "paths": HOSTILE, "curve": HOSTILE}),
    ("/compare", {"name": "new", "minutes": "1", "paths": f"/{HOSTILE}", "text_column": HOSTILE}),
    ("/compare/look", {"paths": f"/{HOSTILE}"}),
    ("/understand/explain", {"of": HOSTILE, "text": HOSTILE}),
    ("/understand/biography", {"of": HOSTILE, "text": HOSTILE, "minutes": HOSTILE}),
    ("/job/stop", {"name": HOSTILE}),
)


@pytest.fixture(scope="module")
def studio(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile")
    write_hostile(folder / "work", folder / "beside")
    with open_studio(folder / "work") as found:
        yield found


def is_shut(text):
    return "<script>document" not in text and "<img src=x" not in text


@pytest.mark.parametrize("language", ["en", *slow("zh")])
def test_every_page(studio, language):
    shown = 0
    for path in (*PAGES, *PARTS):
        found = studio.get(path, headers={"Accept-Language": language})
        assert found.status_code == 200, (path, found.text)
        assert is_shut(found.text), path
        shown += "&lt;script&gt;document" in found.text
    assert shown > 12  # the text of others is there


def test_every_document_and_reason(studio):
    seen = set()
    for reason in ("", "short", "duplicate", "not JSON"):
        text = studio.get("/corpus/documents", params={"id": "corpus", "reason": reason}).text
        assert is_shut(text)
        seen |= {f"{studio.folder.parent}/beside/text/{NAME} {i}.txt:0" for i in range(12)}
    for document in sorted(seen)[::4]:
        found = studio.get("/corpus/document", params={"id": "corpus", "document": document})
        assert found.status_code == 200, found.text
        assert is_shut(found.text) and "&lt;script&gt;document" in found.text


@pytest.mark.parametrize(("path", "form"), FORMS)
def test_every_form(studio, path, form):
    found = studio.post(path, form)
    assert found.status_code in (200, 303, 400, 404, 422), found.text
    assert is_shut(found.text)
    assert not (studio.folder / "new").exists()


@pytest.mark.slow
def test_every_address(studio):
    text = HOSTILE.replace("&", "")
    for path in ("/model", "/corpus", "/comparison", "/understood", "/job/now", "/corpus/document"):
        for name in ("id", "name", "origin", "document", "way"):
            found = studio.get(
                path, params={"id": "corpus", "name": "x", "origin": "x", name: text}
            )
            assert is_shut(found.text), (path, name)
    assert studio.get(f"/understand/{text.replace('/', '')}").status_code == 404
