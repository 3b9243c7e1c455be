"""Our own CPU kernels for quantised decoders, in C++: built where they run, once, then loaded.

`kernels.cpp` says what they compute. Where there is no compiler, or a processor without AVX2,
`library()` is None and others compute instead. Imports no torch: whoever generates with these
kernels does without.
"""

from functools import cache
from pathlib import Path

from hornbook.kernels import builder, compiler, store
from hornbook.kernels.library import Library


def library() -> Library | None:
    """The kernels if they can be had now.

    Where they are not built yet, that begins in the background, for the next process to find.
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
    tools = compiler.tools()
    if isinstance(tools, str) or not store.is_own(tools.place().parent):
        return None
    built = builder.build(tools, wait)
    _found.cache_clear()
    return built


@cache
def _found() -> Library | str:
    """The kernels, or why there are none: once for the process, which does not change midway."""
    tools = compiler.tools()
    if isinstance(tools, str):
        return tools
    path = tools.place()
    if not store.is_own(path.parent):
        return f"{path.parent} is another user's folder"
    if store.is_whole(path):
        try:
            return builder.checked(path)
        except OSError:  # built anew, which says what is wrong if it still is
            store.drop(path)
    return builder.failure(path) or builder.start(path)
