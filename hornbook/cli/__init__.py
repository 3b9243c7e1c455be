"""The command line: one file a command, each a thin layer over a workflow.

Only `typer` and the commands' signatures are imported here; a command's work is imported when it
runs, so that `hornbook --help` answers at once. An error meant for people is one line on stderr.
"""

import sys
from functools import cache
from typing import Annotated, Any, NoReturn

import typer

from hornbook import __version__
from hornbook.cli import (
    ask,
    bench,
    biography,
    chat,
    claims,
    classify,
    compare,
    corpus,
    decide,
    doctor,
    embed,
    evaluate,
    explain,
    export,
    filter,
    finetune,
    generate,
    index,
    memorization,
    plan,
    pretrain,
    pull,
    quickstart,
    search,
    serve,
    studio,
    summarize,
    tokenizer,
    trace,
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
app.command("plan")(plan.command)
app.command("pretrain")(pretrain.command)
app.command("finetune")(finetune.command)
app.command("classify")(classify.command)
app.command("compare")(compare.compare)
app.command("generate")(generate.command)
app.command("chat")(chat.command)
app.command("decide")(decide.command)
app.command("embed")(embed.command)
app.command("index")(index.command)
app.command("search")(search.command)
app.command("ask")(ask.command)
app.command("filter")(filter.command)
app.command("trace")(trace.command)
app.command("biography")(biography.command)
app.command("explain")(explain.command)
app.command("memorization")(memorization.command)
app.command("doctor")(doctor.command)
app.command("claims")(claims.command)
app.command("evaluate")(evaluate.command)
app.command("summarize")(summarize.command)
app.command("bench")(bench.command)
app.command("export")(export.command)
app.command("pull")(pull.command)
app.command("translate")(translate.command)
app.command("serve")(serve.command)
app.command("studio")(studio.command)


def _version(asked: bool) -> None:
    if asked:
        print(f"hornbook {__version__}")
        raise typer.Exit


def _language(chosen: str | None) -> None:
    from hornbook.core.language import speak

    speak(chosen)


_BY_MANY = ("pretrain", "finetune")
"""Commands whose work several processes share."""


@app.callback()
def _options(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
    language: Annotated[
        str | None,
        typer.Option(
            callback=_language,
            is_eager=True,
            help="Language of messages and help: en or zh. By default that of the system (LANG).",
        ),
    ] = None,
) -> None:
    """Options before the command."""
    from hornbook.core.ranks import require_one

    if context.invoked_subcommand not in _BY_MANY:
        require_one(f"hornbook {context.invoked_subcommand}")


@cache
def _commands() -> Any:
    """All commands with their pages, made once a process."""
    from hornbook.cli.help_pages import in_our_language

    return in_our_language(typer.main.get_command(app))


def main() -> None:
    """Run the command line. Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted, 143 after
    SIGTERM.
    """
    from hornbook.cli.output import fail, prepare_streams, print_failure
    from hornbook.core.errors import HornbookError
    from hornbook.core.isolation import isolate
    from hornbook.core.progress import never_silent
    from hornbook.core.signals import Stops, terminable
    from hornbook.core.threads import asked_threads, wait_briefly

    isolate()
    prepare_streams()
    wait_briefly()
    json_wanted, stopped = "--json" in sys.argv[1:], Stops()
    try:
        _language(None)  # before the command line is read, which may say otherwise
        asked_threads()
        with never_silent(), terminable(stopped):
            code = _commands()(standalone_mode=False)
    except HornbookError as error:
        fail(str(error), error.exit_code, json_wanted)
    except OSError as error:
        if error.errno is None:
            raise
        fail(f"{error.filename or 'the output'}: {error.strerror}.", 1, json_wanted)
    except MemoryError:
        fail(
            "There is not enough memory left on this machine: close other programs, or take less "
            "at once (a smaller model, fewer tokens).",
            1,
            json_wanted,
        )
    except KeyboardInterrupt:  # a second one, while the first was being answered
        code = 130
    except SystemExit as leaving:
        if isinstance(leaving.__context__, BrokenPipeError):
            sys.exit(0)  # `hornbook ... | head`: nothing is wrong and nobody listens
        raise
    except Exception as error:
        if type(error).__module__ == "sqlite3":
            fail(f"The index cannot be read or written: {error}.", 1, json_wanted)
        if hasattr(error, "format_message"):
            _wrong_usage(error, json_wanted)
        # A fault of ours keeps its traceback.
        print_failure(f"internal error: {type(error).__name__}: {error}", 1, json_wanted)
        raise
    if code == 130:
        fail(
            "Interrupted. What was finished is kept; the same command goes on from there.",
            stopped.code,
            json_wanted,
        )
    sys.exit(code)


def _wrong_usage(error: Any, json_wanted: bool) -> NoReturn:
    """A mistake in the command line itself; without a command, the help page."""
    from hornbook.cli.output import note, print_failure
    from hornbook.core.language import told

    if type(error).__name__ == "NoArgsIsHelpError":
        error.show()
        sys.exit(error.exit_code)
    print_failure(error.format_message(), error.exit_code, json_wanted)
    if error.ctx is not None:
        print(error.ctx.get_usage(), file=sys.stderr)
        note(f"Try '{error.ctx.command_path} --help' for help.")
        print(file=sys.stderr)
    note(f"Error: {told(error.format_message())}")
    sys.exit(error.exit_code)
