"""Options that say what an answer must be, shared by the commands that generate."""

from typing import Annotated

import typer

JsonSchema = Annotated[
    str | None,
    typer.Option(help="The answer is JSON that this schema describes: a file, or the schema."),
]
Regex = Annotated[
    str | None, typer.Option(help="The answer as a whole matches this regular expression.")
]
Choices = Annotated[
    str | None,
    typer.Option(help="The answer is one of these texts, separated by commas; spaces count."),
]
Choice = Annotated[
    list[str] | None,
    typer.Option(help="The answer is one of these texts; give it several times."),
]


def texts(choices: str | None, choice: list[str] | None) -> list[str] | None:
    """The texts of --choices and --choice, or None where neither is given."""
    return [*(choices.split(",") if choices is not None else []), *(choice or [])] or None
