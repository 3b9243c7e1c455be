"""Options that say what an answer must be, shared by the commands that generate."""

from typing import Annotated

import typer

JsonSchema = Annotated[
    str | None,
    typer.Option(
        help="The answer must be JSON that fits this schema: a file, or the schema itself."
    ),
]
Regex = Annotated[
    str | None, typer.Option(help="The whole answer must match this regular expression.")
]
Choices = Annotated[
    str | None,
    typer.Option(help="The answer must be one of these texts, separated by commas. Spaces count."),
]
Choice = Annotated[
    list[str] | None,
    typer.Option(help="One of the texts that the answer may be."),
]


def texts(choices: str | None, choice: list[str] | None) -> list[str] | None:
    """The texts of --choices and --choice, or None where neither is given."""
    return [*(choices.split(",") if choices is not None else []), *(choice or [])] or None
