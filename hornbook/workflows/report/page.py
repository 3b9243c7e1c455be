"""The frame of every page that is a file of its own: both languages, all text escaped."""

from functools import cache
from typing import Any

from hornbook.core.language import chinese

Section = tuple[str, str, str]
"""A section's anchor, and its name in English and in Chinese."""


def render(template: str, **facts: Any) -> str:
    """The page that `template` makes of its `facts`; text in them is escaped."""
    return str(_environment().get_template(template).render(**facts))


@cache
def _environment() -> Any:
    """Made once a process, as it keeps the templates that were compiled."""
    import jinja2
    import markupsafe

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("hornbook.workflows.report", "."), autoescape=True
    )
    both = markupsafe.Markup(
        '<span class="en" lang="en">{}</span><span class="zh" lang="zh">{}</span>'
    )
    environment.globals.update(
        t=both.format,
        message=lambda text: both.format(text, chinese(text)),
        chinese=chinese,
        count=lambda value: f"{value:,}",
        megabytes=_megabytes,
    )
    return environment


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"
