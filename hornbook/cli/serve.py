"""`hornbook serve`: one process that every client of the OpenAI API can use."""

from pathlib import Path
from typing import Annotated

import typer

from hornbook.cli import options

_NEEDED = ("fastapi", "starlette", "uvicorn", "httptools", "prometheus_client")


def command(
    models: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Model folders, run folders, .gguf files or names of pulled models. The first is "
            "opened at once, others when they are asked for."
        ),
    ] = None,
    index: Annotated[
        Path | None,
        typer.Option(help="A folder made by `hornbook index`, to search and to ask."),
    ] = None,
    host: Annotated[
        str,
        typer.Option(
            help="Address to listen on. Any but this machine's own needs a key in the environment "
            "variable HORNBOOK_API_KEY."
        ),
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")] = 8080,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(
            help="A name that clients may call this server by, as behind a proxy; give it again "
            "for more."
        ),
    ] = None,
    slots: Annotated[
        int, typer.Option(min=1, max=256, help="Answers that are written at the same time.")
    ] = 8,
    queue: Annotated[
        int, typer.Option(min=0, help="Answers that may wait for a slot; more are turned away.")
    ] = 64,
    context: Annotated[
        int | None,
        typer.Option(
            min=2,
            help="Tokens of a request, prompt and answer together. By default those of the model.",
        ),
    ] = None,
    most_tokens: Annotated[
        int | None, typer.Option(min=1, help="Largest number of tokens of an answer.")
    ] = None,
    timeout: Annotated[
        float, typer.Option(min=1, help="Seconds after which a request is given up.")
    ] = 600.0,
    drain: Annotated[
        float, typer.Option(min=0, help="Seconds that what runs may take after SIGTERM.")
    ] = 30.0,
    log_texts: Annotated[
        bool, typer.Option("--log-texts", help="Log what clients send, word for word.")
    ] = False,
    device: options.Device = None,
    weights: options.Weights = None,
) -> None:
    """Answer programs that speak the OpenAI API, until Ctrl-C or SIGTERM.

    Only programs of this machine can ask, and no web page can.
    """
    from hornbook.cli.output import note
    from hornbook.core.errors import UsageError

    try:
        from hornbook.serve.app import create_app
        from hornbook.serve.config import ServeConfig
        from hornbook.serve.run import Served, key_of_environment, log_to_stderr, open_state, serve
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] not in _NEEDED:
            raise
        raise UsageError("A server needs FastAPI: pip install 'hornbook[serve]'.") from None
    config = ServeConfig(
        host=host, port=port, key=key_of_environment(), allowed_hosts=tuple(allow_host or ()),
        slots=slots, waiting=queue, context=context, max_tokens=most_tokens, request_s=timeout,
        drain_s=drain, log_texts=log_texts,
    )  # fmt: skip
    log_to_stderr()
    state = open_state(Served(models or [], index, device, weights), config)
    serve(create_app(state), config, lambda address: note(f"Listening on {address}/v1"), state)
