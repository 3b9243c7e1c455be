"""The server's log: one line a request on stderr, without a word of what clients write."""

import logging
import traceback

LOG = logging.getLogger("hornbook.serve")


def log_fault(error: BaseException) -> None:
    """A fault of ours: where it happened and what kind it is, but not what it says: it may quote
    a client."""
    places = [
        f"{frame.filename}:{frame.lineno} in {frame.name}"
        for frame in traceback.extract_tb(error.__traceback__)
    ]
    LOG.error("fault: %s\n  %s", type(error).__name__, "\n  ".join(places[-12:]))
