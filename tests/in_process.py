"""The command line in this process: what a new one would give, without the seconds of its start."""

import io
import sys

import pytest

from hornbook.cli import main
from tests.schemas import check_printed


def hornbook(*arguments, text=""):
    """Exit code, stdout and stderr of a command; text: its stdin."""
    streams = {
        "stdin": io.TextIOWrapper(io.BytesIO(text.encode()), "utf-8"),
        "stdout": io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True),
        "stderr": io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True),
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["hornbook", *map(str, arguments)])
        for name, stream in streams.items():
            patch.setattr(sys, name, stream)
        with pytest.raises(SystemExit) as leaving:
            main()
    code = leaving.value.code
    out, err = (streams[name].buffer.getvalue().decode() for name in ("stdout", "stderr"))
    code = 0 if code is None else code
    if "--json" in arguments:
        check_printed([str(argument) for argument in arguments], code, out)
    return code, out, err
