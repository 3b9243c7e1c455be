"""Links in a text, and what makes one suspicious. Nothing is ever fetched."""

import ipaddress
import re
from typing import NamedTuple

SHORTENERS = frozenset(
    (
        *("bit.ly", "tinyurl.com", "t.co", "goo.gl", "ow.ly", "is.gd", "buff.ly", "rebrand.ly"),
        *(
            "cutt.ly",
            "rb.gy",
            "shorturl.at",
            "tiny.cc",
            "bl.ink",
            "s.id",
            "v.gd",
            "t.ly",
            "lnkd.in",
        ),
        *("t.cn", "url.cn", "dwz.cn", "suo.im", "w.url.cn", "0rz.tw", "reurl.cc", "u.nu", "qr.ae"),
    )
)
"""Hosts whose addresses hide where they lead."""

ODD_ENDINGS = frozenset(
    (
        *(
            "zip",
            "mov",
            "xyz",
            "top",
            "club",
            "click",
            "link",
            "work",
            "loan",
            "win",
            "bid",
            "date",
        ),
        *("stream", "download", "racing", "review", "party", "trade", "gdn", "icu", "cyou", "buzz"),
        *("rest", "monster", "quest", "cam", "tk", "ml", "ga", "cf", "gq", "men", "vip", "live"),
    )
)
"""Top-level domains whose names cost next to nothing, where abuse is far above the usual share."""

_HOST = r"(?:[^\W_](?:[\w-]{0,62})\.){1,8}[^\W\d_]{2,24}"
_LINK = re.compile(
    # With a scheme; without one, but with www; or the bare name of a host with a usual ending.
    r"(?:https?|hxxps?|ftp)://[^\s<>\"'）】]{1,2000}|"
    r"(?<![\w.@-])www\.[^\s<>\"'）】]{1,2000}|"
    rf"(?<![\w.@-]){_HOST}(?=[/?:]|(?![\w@.-]))(?:[/?][^\s<>\"'）】]{{0,2000}})?",
    re.IGNORECASE,
)
_USUAL_ENDINGS = frozenset(
    (
        *(
            "com",
            "net",
            "org",
            "info",
            "biz",
            "co",
            "uk",
            "tv",
            "mobi",
            "me",
            "io",
            "cn",
            "hk",
            "tw",
        ),
        *("de", "fr", "eu", "us", "in", "sg", "ru", "nu", "ac", "edu", "gov", "cc", "app", "dev"),
    )
)
_MARKDOWN = re.compile(r"\[([^\[\]\n]{1,200})\]\(([^\s()]{1,500})\)")
_ANCHOR = re.compile(r"<a\s([^<>]{1,500})>([^<>]{1,200})</a", re.IGNORECASE)
_HREF = re.compile(r"href\s*=\s*[\"']?([^\"'\s>]+)", re.IGNORECASE)
_AUTHORITY = re.compile(r"(?:[a-z]+://)?([^/?#\s]*)", re.IGNORECASE)


class Link(NamedTuple):
    """written: as in the text. host: in small letters, without user, port and www."""

    written: str
    host: str


def links(text: str) -> list[Link]:
    """All that looks like a link; of bare names only those with a known ending."""
    found = []
    for match in _LINK.finditer(text):
        written = match[0].rstrip(".,;:!?)]}。，！")
        host = host_of(written)
        explicit = "://" in written or written.lower().startswith("www.")
        ending = host.rpartition(".")[2]
        if host and (explicit or ending in _USUAL_ENDINGS or ending in ODD_ENDINGS):
            found.append(Link(written, host))
    return found


def host_of(address: str) -> str:
    """The host of an address, or "" where there is none."""
    match = _AUTHORITY.match(address)
    host = match[1].rpartition("@")[2].lower() if match else ""
    if not host.startswith("["):
        host = host.partition(":")[0]
    return host.removeprefix("www.").strip("[].")


def is_short(link: Link) -> bool:
    """Whether it goes through a service that hides where it leads."""
    return link.host in SHORTENERS


def is_bare_address(link: Link) -> bool:
    """Whether the host is a number (IPv4, IPv6 or one decimal) and not a name."""
    if link.host.isdecimal() and link.host.isascii():
        return "://" in link.written
    try:
        ipaddress.ip_address(link.host)
    except ValueError:
        return False
    return True


def has_odd_ending(link: Link) -> bool:
    """Whether the top-level domain is one of those that are mostly abused."""
    return link.host.rpartition(".")[2] in ODD_ENDINGS


def is_disguised(link: Link) -> bool:
    """Whether the name pretends: a user before @, letters of other scripts, a heap of parts."""
    authority = _AUTHORITY.match(link.written)
    has_user = "://" in link.written and authority is not None and "@" in authority[1]
    foreign = "xn--" in link.host or not link.host.isascii()
    return has_user or foreign or link.host.count("-") >= 3 or link.host.count(".") >= 5


def mismatches(text: str) -> int:
    """How many links in Markdown or HTML show one host and lead to another."""
    pairs = [(match[1], match[2]) for match in _MARKDOWN.finditer(text)]
    for match in _ANCHOR.finditer(text):
        reference = _HREF.search(match[1])
        if reference:
            pairs.append((match[2], reference[1]))
    count = 0
    for shown, target in pairs:
        named, leads = links(shown), host_of(target)
        count += bool(named) and not _same(named[0].host, leads)
    return count


def _same(one: str, other: str) -> bool:
    return one == other or one.endswith(f".{other}") or other.endswith(f".{one}")
