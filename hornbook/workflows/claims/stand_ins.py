"""Texts that every machine has, in place of real sets: Python's own documentation, some of it taken
apart by subject, some of it spoiled by program.
"""

import random
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import cache
from typing import NamedTuple

from hornbook.core.lines import lines_of
from hornbook.read import pydocs
from hornbook.workflows.claims.said import Twice

WINDOWS = ("tkinter", "turtle")
NETWORK = (
    "email",
    "http",
    "urllib",
    "xml",
    "xmlrpc",
    "html",
    "wsgiref",
    "ssl",
    "smtplib",
    "ftplib",
)
"""Packages of Python's library about windows and about the network."""


class StandIn(NamedTuple):
    """A text that is always there. called: for people. texts: its documents."""

    called: Twice
    texts: Callable[[], Iterator[str]]


@cache
def documents() -> list[tuple[str, str]]:
    """The name of each document of Python's documentation, `topic NAME` or `MODULE:N`; its text."""
    return [(document.id.partition(":")[2], document.text) for document in pydocs.read_pydocs()]


def is_topic(name: str) -> bool:
    """Whether it is of the language reference."""
    return name.startswith("topic ")


def package_of(name: str) -> str:
    """The package that a docstring is of."""
    return name.partition(":")[0].partition(".")[0]


def topics() -> Iterator[str]:
    """The language reference."""
    return (text for name, text in documents() if is_topic(name))


def docstrings(packages: Collection[str] = (), without: Collection[str] = ()) -> Iterator[str]:
    """Those of the library, or of some packages."""
    for name, text in documents():
        package = package_of(name)
        if not is_topic(name) and package not in without and (not packages or package in packages):
            yield text


def pages() -> Iterator[str]:
    """A page for each module of the library."""
    found = defaultdict[str, list[str]](list)
    for name, text in documents():
        if not is_topic(name):
            found[name.partition(":")[0]].append(text)
    return ("\n\n".join(parts) for parts in found.values())


def spoiled() -> Iterator[str]:
    """These pages, and as many that a crawler finds besides: menus, notices, tables, repeated
    lines, and copies of a page with a word changed."""
    draw = random.Random(0)
    for number, page in enumerate(pages()):
        yield page
        yield _SPOILS[number % len(_SPOILS)](page, draw)


def _menu(page: str, draw: random.Random) -> str:
    words = page.split()
    lines = (" | ".join(draw.choice(words) for _ in range(3)) for _ in range(60))
    return "\n".join(("Home | About | Contact | Log in", *lines))


def _notice(page: str, draw: random.Random) -> str:
    site = draw.choice(page.split())
    return (
        f"Please enable JavaScript to see {site}.\nWe use cookies. By using {site} you accept our "
        "terms of use, privacy policy and cookie policy.\n"
    ) * 8


def _table(page: str, draw: random.Random) -> str:
    rows = ("\t".join(f"{draw.random() * 1000:.2f}" for _ in range(8)) for _ in range(40))
    return "\n".join(rows)


def _repeated(page: str, draw: random.Random) -> str:
    lines = [line for line in lines_of(page) if line.strip()]
    return "\n".join(f"{draw.choice(lines)}\n" * 12 for _ in range(5))


def _copy(page: str, draw: random.Random) -> str:
    words = page.split(" ")
    words[draw.randrange(len(words))] = str(draw.randrange(1000))
    return " ".join(words)


_SPOILS = (_menu, _notice, _table, _repeated, _copy)

STAND_INS: Mapping[str, StandIn] = {
    "topics": StandIn(
        ("the language reference in Python's documentation", "Python 文档中的语言参考"), topics
    ),
    "docstrings": StandIn(
        ("the docstrings of Python's library", "Python 标准库的文档字符串"), docstrings
    ),
    "windows": StandIn(
        ("docstrings of packages about windows", "关于窗口的包的文档字符串"),
        lambda: docstrings(WINDOWS),
    ),
    "all but network": StandIn(
        ("docstrings of all packages but those about the network", "除网络之外所有包的文档字符串"),
        lambda: docstrings(without=NETWORK),
    ),
    "network": StandIn(
        ("docstrings of packages about the network", "关于网络的包的文档字符串"),
        lambda: docstrings(NETWORK),
    ),
    "spoiled pages": StandIn(
        (
            "the docstrings of Python's library by module, and as many pages spoiled by program",
            "按模块的 Python 文档字符串，以及同样多由程序弄坏的页面",
        ),
        spoiled,
    ),
}
