"""`python -m hornbook.kernels` builds the kernels; how a command lets them be built and tried."""

import contextlib
import sys
from pathlib import Path

from hornbook.core.isolation import end_with_starter
from hornbook.kernels import build, builder, check, store


def main(what: str = "", path: str = "") -> None:
    """what: `builder.BESIDE`, `builder.CHECK`, or nothing."""
    if what == builder.CHECK:
        try:
            check.checked(store.load(Path(path)), threads=None)
        except OSError as error:
            sys.exit(str(error))
        return
    if what == builder.BESIDE:
        end_with_starter(builder.LONGEST_S)
        with contextlib.suppress(BlockingIOError):  # another one is at it
            build(wait=False)
        return
    build()


if __name__ == "__main__":
    main(*sys.argv[1:])
