"""What a form sends: fields of text, each once, none longer than anybody writes."""

import math
from urllib.parse import parse_qsl

from fastapi import Request

from hornbook.core.errors import UsageError
from hornbook.serve.errors import RequestRefused

_LONGEST = 100_000
"""Characters of a field."""


async def form_of(request: Request) -> dict[str, str]:
    """The fields of a body of application/x-www-form-urlencoded. Raises RequestRefused."""
    body = await request.body()
    try:
        pairs = parse_qsl(
            body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=100
        )
    except ValueError:
        raise RequestRefused("The form cannot be read.", code="bad_form") from None
    found: dict[str, str] = {}
    for name, value in pairs:
        found.setdefault(name, value.replace("\r\n", "\n").replace("\0", "").strip())
        if len(value) > _LONGEST:
            raise RequestRefused(f"{name[:40]} is too long.", name[:40])
    return found


def number_of(text: str, least: float, most: float) -> float:
    """A number of a form. Raises UsageError for any other text, and for one out of range."""
    try:
        found = float(text)
    except ValueError:
        found = math.nan
    if not least <= found <= most:
        raise UsageError(f"{text[:40]!r} is no number from {least:g} to {most:g}.")
    return found
