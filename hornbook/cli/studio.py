"""`hornbook studio`: pages on which to train, ask, talk and understand."""

from pathlib import Path
from typing import Annotated

import typer


def command(
    context_: typer.Context,
    models: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Model folders, run folders, .gguf files or names of pulled models to talk to, "
            "besides those in the work folder."
        ),
    ] = None,
    folder: Annotated[
        Path, typer.Option(help="The work folder: where runs are found, and new ones begun.")
    ] = Path("runs"),
    index: Annotated[
        list[Path] | None,
        typer.Option(
            help="A folder made by `hornbook index`, besides those in the work folder; give it "
            "again for more."
        ),
    ] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")] = 8081,
    no_browser: Annotated[
        bool, typer.Option("--no-browser", help="Print the address alone, and open no browser.")
    ] = False,
) -> None:
    """Open pages in the browser: train, ask, talk and understand, until Ctrl-C or SIGTERM.

    What is begun there goes on when the page or the studio is closed. Only whoever has the printed
    address can come in.
    """
    from hornbook.cli.command_forms import command_forms
    from hornbook.cli.output import note
    from hornbook.core.errors import UsageError

    try:
        from hornbook.serve.config import ServeConfig
        from hornbook.serve.run import key_of_environment
        from hornbook.serve.studio.config import StudioConfig
        from hornbook.serve.studio.run import studio
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] not in ("fastapi", "starlette", "uvicorn", "httptools"):
            raise
        raise UsageError("A server needs FastAPI: pip install 'hornbook[serve]'.") from None
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file; --folder needs a folder.")
    indexes = tuple(path.absolute() for path in index or ())
    config = StudioConfig(
        folder=folder.expanduser().absolute(),
        indexes=indexes,
        commands=command_forms(context_.find_root().command),
    )
    server = ServeConfig(port=port, key=key_of_environment())
    studio(models or [], config, server, not no_browser, lambda address: note(f"Open {address}"))
