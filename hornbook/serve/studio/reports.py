"""Pages that commands wrote: reports of runs and cards of corpora, each shut in by itself.

They are whole, with their style and their script inside; what belongs to them is told by its hash,
and they are sandboxed: they reach neither the studio nor anybody else.
"""

import base64
import hashlib
from collections.abc import Iterator

from fastapi import APIRouter, Request, Response

from hornbook.serve.studio.config import Studio
from hornbook.serve.studio.page_route import PageRoute, nothing_there
from hornbook.serve.studio.render import HEADERS, language_of

router = APIRouter(route_class=PageRoute, include_in_schema=False)
BY_BROWSER = 'chinese.checked = (navigator.language || "").toLowerCase().startsWith("zh");'
"""How a page chooses its language by itself; here it is that of the studio."""
PAGES = ("report.html", "card.html")


@router.get("/report")
def report(request: Request, studio: Studio, id: str, name: str = "report.html") -> Response:
    """A page in a folder of the work folder."""
    folder = studio.work.inside(id)
    path = None if folder is None or name not in PAGES else folder / name
    if path is None or path.is_symlink() or not path.is_file():
        raise nothing_there(f"{id}/{name}")
    chosen = "true" if language_of(request) == "zh" else "false"
    text = path.read_text(encoding="utf-8").replace(BY_BROWSER, f"chinese.checked = {chosen};")
    return Response(
        text, media_type="text/html", headers=HEADERS | {"Content-Security-Policy": _policy(text)}
    )


def _scripts(text: str) -> Iterator[str]:
    """What stands in its script elements."""
    for rest in text.split("<script>")[1:]:
        script, end, _ = rest.partition("</script>")
        if end:
            yield script


def _policy(text: str) -> str:
    """Its own scripts, its own style, pictures that lie in it, and nothing else."""
    hashes = " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(one.encode()).digest()).decode()}'"
        for one in _scripts(text)
    )
    return (
        f"sandbox allow-scripts; default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
        f"script-src {hashes or chr(39) + 'none' + chr(39)}"
    )
