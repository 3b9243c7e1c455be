"""The command line: one file a command, each a thin layer over a workflow.

Only `typer` and the commands' signatures are imported here; a command's work is imported when it
runs, so that `hornbook --help` answers at once. An error meant for people is one line on stderr.
"""

import io
import os
import sys
from typing import Annotated

import typer

from hornbook import __version__
from hornbook.cli import (
    bench,
    chat,
    classify,
    compare,
    corpus,
    embed,
    evaluate,
    export,
    finetune,
    generate,
    pretrain,
    pull,
    quickstart,
    summarize,
    tokenizer,
    translate,
)

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="From raw text to a trained, measured, talking language model.",
)
app.command("quickstart")(quickstart.command)
app.add_typer(corpus.app, name="corpus")
app.add_typer(tokenizer.app, name="tokenizer")
app.command("pretrain")(pretrain.command)
app.command("finetune")(finetune.command)
app.command("classify")(classify.command)
app.command("compare")(compare.compare)
app.command("generate")(generate.command)
app.command("chat")(chat.command)
app.command("embed")(embed.command)
app.command("evaluate")(evaluate.command)
app.command("summarize")(summarize.command)
app.command("bench")(bench.command)
app.command("export")(export.command)
app.command("pull")(pull.command)
app.command("translate")(translate.command)


def _version(asked: bool) -> None:
    if asked:
        print(f"hornbook {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Options before the command."""


def main() -> None:
    """Run the command line. Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted."""
    from hornbook.core.errors import HornbookError

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # where it cannot write a character, it escapes it
            stream.reconfigure(errors="backslashreplace")
    try:
        app()
    except HornbookError as error:
        _fail(f"error: {error}" if error.exit_code != 130 else str(error), error.exit_code)
    except OSError as error:
        if error.errno is None:
            raise
        _fail(f"error: {error.filename or 'the output'}: {error.strerror}.", 1)
    except SystemExit as leaving:
        _explain(leaving)


def _explain(leaving: SystemExit) -> None:
    """What typer makes of an interruption and of a reader that went away, said our way."""
    if leaving.code == 130:
        _fail("Interrupted. What was finished is kept; the same command goes on from there.", 130)
    if isinstance(leaving.__context__, BrokenPipeError):
        sys.exit(0)  # `hornbook ... | head`: nothing is wrong and nobody listens
    raise leaving


def _fail(message: str, code: int) -> None:
    """One line on stderr, after what is still on its way to stdout, and leave."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    print(message, file=sys.stderr)
    sys.exit(code)
