"""Our own CPU kernels for quantised decoders, in C++: prebuilt for most processors, or built once.

`kernels.cpp` says what they compute. A wheel brings them along (`prebuilt`); from the sources the
machine's compiler builds them. Where there are none, `library()` is None and others compute
instead. Imports no torch: whoever generates with these kernels does without.
"""

import contextlib
from functools import cache
from pathlib import Path

from hornbook.kernels import builder, check, compiler, prebuilt, store
from hornbook.kernels.library import Library


def library() -> Library | None:
    """The kernels if they can be had now.

    Where they have to be built, that begins in the background, for the next process to find.
    """
    found = _found()
    return None if isinstance(found, str) else found


def missing() -> str | None:
    """Why `library()` is None, in a line; None where it is there."""
    found = _found()
    return found if isinstance(found, str) else None


def build(wait: bool = True) -> Path | None:
    """Compile the kernels unless they are there, for this process too; some seconds.

    Returns where they lie, or None where they cannot be built. wait, raises: as `builder.build`.
    """
    if came := _came_along():
        return came[0]
    tools = compiler.tools()
    if isinstance(tools, str) or not store.is_own(tools.place().parent):
        return None
    built = builder.build(tools, wait)
    _found.cache_clear()
    return built


@cache
def _found() -> Library | str:
    """The kernels, or why there are none: once for the process, which does not change midway."""
    if came := _came_along():
        return came[1]
    tools = compiler.tools()
    if isinstance(tools, str):
        return tools
    path = tools.place()
    if not store.is_own(path.parent):
        return f"{path.parent} is another user's folder"
    if store.is_whole(path):
        try:
            return check.checked(store.load(path))
        except OSError:  # built anew, which says what is wrong if it still is
            store.drop(path)
    return builder.failure(path) or builder.start(path)


def _came_along() -> tuple[Path, Library] | None:
    """The best of those that came with the package and are right. They are as fast as those built
    for this very processor (docs/log.md), and need no waiting."""
    for path in prebuilt.paths():
        with contextlib.suppress(OSError):
            return path, check.checked(prebuilt.load(path))
    return None
