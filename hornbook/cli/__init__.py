"""The command line: one file a command, each a thin layer over a workflow.

Only `typer` and the commands' signatures are imported here; a command's work is imported when it
runs, so that `hornbook --help` answers at once. An error meant for people is one line on stderr.
"""

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
    from hornbook.cli.output import fail, prepare_streams, print_failure
    from hornbook.core.errors import HornbookError

    prepare_streams()
    json_wanted = "--json" in sys.argv[1:]
    try:
        app()
    except HornbookError as error:
        shown = f"error: {error}" if error.exit_code != 130 else str(error)
        fail(shown, error.exit_code, json_wanted)
    except OSError as error:
        if error.errno is None:
            raise
        fail(f"error: {error.filename or 'the output'}: {error.strerror}.", 1, json_wanted)
    except SystemExit as leaving:
        _explain(leaving, json_wanted)
    except Exception as error:  # a fault of ours keeps its traceback
        print_failure(f"internal error: {type(error).__name__}: {error}", 1, json_wanted)
        raise


def _explain(leaving: SystemExit, json_wanted: bool) -> None:
    """What typer makes of an interruption, wrong usage and a reader that went away, our way."""
    from hornbook.cli.output import fail, print_failure

    cause = leaving.__context__
    if leaving.code == 130:
        fail(
            "Interrupted. What was finished is kept; the same command goes on from there.",
            130,
            json_wanted,
        )
    if isinstance(cause, BrokenPipeError):
        sys.exit(0)  # `hornbook ... | head`: nothing is wrong and nobody listens
    if leaving.code and cause is not None and hasattr(cause, "format_message"):
        print_failure(cause.format_message(), int(leaving.code), json_wanted)
    raise leaving
