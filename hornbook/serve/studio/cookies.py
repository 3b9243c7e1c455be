"""What a browser keeps for a studio: cookies that no studio at another port takes for its own.

Browsers send the cookies of a machine to all of its ports, and keep one of each name.
"""

import re
from http.cookies import CookieError, SimpleCookie

from fastapi import Request
from starlette.responses import Response

_PORT = re.compile(r":([0-9]{1,5})\Z")


def kept_by_browser(request: Request, kind: str) -> str:
    """What was kept, "" where nothing was."""
    try:
        cookies = SimpleCookie(request.headers.get("cookie", ""))
    except CookieError:
        return ""
    name = _name(request, kind)
    return cookies[name].value if name in cookies else ""


def keep_in_browser(
    request: Request, response: Response, kind: str, value: str, seconds: int | None = None
) -> None:
    """Let the browser keep it, until it ends if `seconds` are not given."""
    response.set_cookie(
        _name(request, kind), value, max_age=seconds, httponly=True, samesite="strict", path="/"
    )


def _name(request: Request, kind: str) -> str:
    """By the port as the browser sees it, which may be another one than ours."""
    found = _PORT.search(request.headers.get("host", ""))
    return f"studio_{found[1] if found else 'default'}_{kind}"
