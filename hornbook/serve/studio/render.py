"""Pages: templates in the language of whoever looks, and the policy that their browser keeps."""

import datetime
import re
from functools import cache
from typing import Any
from urllib.parse import quote

import jinja2
import markupsafe
from fastapi import Request
from fastapi.responses import HTMLResponse

from hornbook import __version__
from hornbook.core.language import LANGUAGES, Language, chinese, chinese_pattern
from hornbook.serve.studio.cookies import kept_by_browser
from hornbook.serve.studio.scores import written

POLICY = (
    "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
    "object-src 'none'; img-src 'self' data:"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
LANGUAGE_COOKIE = "language"
_CODE = re.compile(r"`([^`<>]+)`")


def language_of(request: Request) -> Language:
    """What was chosen, or what the browser asks for."""
    chosen = kept_by_browser(request, LANGUAGE_COOKIE)
    for language in LANGUAGES:
        if chosen == language:
            return language
    return "zh" if request.headers.get("accept-language", "").lower().startswith("zh") else "en"


def page(request: Request, template: str, status: int = 200, **facts: Any) -> HTMLResponse:
    """A page, or a part of one, of a template and its facts; all text in them is escaped."""
    language = language_of(request)
    path, query = request.url.path, request.url.query
    text = (
        _templates(language)
        .get_template(template)
        .render(
            language=language,
            path=path,
            here=path + (query and f"?{query}"),
            version=__version__,
            **facts,
        )
    )
    return HTMLResponse(text, status, HEADERS)


def is_part(request: Request) -> bool:
    """Whether a part of a page is asked for, as its script does."""
    return request.headers.get("hx-request") == "true"


def part(request: Request, template: str, status: int = 200, **facts: Any) -> HTMLResponse:
    """A part of a page; where no script asked for it, in a page of its own."""
    if is_part(request):
        return page(request, template, status, **facts)
    return page(request, "part.html.jinja", status, part=template, **facts)


@cache
def _templates(language: Language) -> jinja2.Environment:
    found = jinja2.Environment(
        loader=jinja2.PackageLoader("hornbook.serve.studio", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )

    def t(text: str, *values: Any) -> Any:
        """A sentence with its values, in the language of the page."""
        pattern = chinese_pattern(text) if language == "zh" else text
        return markupsafe.escape(pattern).format(*values) if values else pattern

    found.globals.update(t=t, message=chinese if language == "zh" else str)
    found.filters.update(
        count=lambda value: f"{value:,}",
        duration=lambda seconds: duration(seconds, t),
        marked=marked,
        instant=lambda when: datetime.datetime.fromisoformat(when).timestamp(),
        moment=moment,
        score=lambda value, measure: written(measure, value),
        size=size,
        short=short,
        url=lambda text: quote(text, safe="/"),
    )
    return found


def marked(text: str) -> markupsafe.Markup:
    """A text of ours whose words between backticks are code."""
    return markupsafe.Markup(_CODE.sub(r"<code>\1</code>", str(markupsafe.escape(text))))


def duration(seconds: float, t: Any) -> str:
    """As people say it, in two units at most."""
    whole = round(seconds)
    if whole < 60:
        return str(t("{} s", whole))
    if whole < 3600:
        return str(t("{} min {} s", whole // 60, whole % 60))
    return str(t("{} h {} min", whole // 3600, whole % 3600 // 60))


def moment(when: float | str) -> str:
    """A time of this machine's clock. when: seconds since 1970, or ISO 8601."""
    if isinstance(when, str):
        found = datetime.datetime.fromisoformat(when).astimezone()
    else:
        found = datetime.datetime.fromtimestamp(when).astimezone()
    return found.strftime("%Y-%m-%d %H:%M")


def size(count: float) -> str:
    """Bytes, in the unit that fits."""
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:,.0f} {unit}" if unit == "B" else f"{count:,.1f} {unit}"
        count /= 1000
    return f"{count:,.1f} GB"


def short(count: float) -> str:
    """A large number in three digits: 22.7M, 1.24B."""
    for unit in ("", "k", "M"):
        if count < 999.5:
            return f"{count:.3g}{unit}"
        count /= 1000
    return f"{count:.3g}B"
