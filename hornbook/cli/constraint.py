"""Options that say what an answer must be, shared by the commands that generate."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from hornbook.generate.constrain import Grammar

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

CUT = "The answer was cut off before it was whole; raise --max-tokens."


def rule(
    schema: str | None,
    regex: str | None,
    choices: str | None,
    choice: list[str] | None,
    stop: list[str] | None,
) -> "Grammar | None":
    """What the options ask for, or None where they ask for nothing.

    Raises UsageError for what is no rule, with the reason, and for more than one.
    """
    texts = [*(choices.split(",") if choices is not None else []), *(choice or [])]
    given = {"--json-schema": schema, "--regex": regex, "--choices": texts or None}
    names = [name for name, value in given.items() if value is not None]
    if not names:
        return None
    from hornbook.core.errors import UsageError
    from hornbook.generate import constrain

    if len(names) > 1:
        raise UsageError(f"Give one of {', '.join(names)}, not {len(names)}.")
    if stop:
        raise UsageError(f"--stop could cut off what {names[0]} asks for; leave one out.")
    if schema is not None:
        return constrain.json_schema(_schema(schema))
    return constrain.choices(texts) if regex is None else constrain.regex(regex)


def _schema(given: str) -> str:
    """The schema itself, or the content of its file."""
    if given.lstrip().startswith("{"):
        return given
    from hornbook.core.errors import UsageError

    try:
        return Path(given).read_text(encoding="utf-8")
    except OSError as error:
        reason = "does not exist" if isinstance(error, FileNotFoundError) else error.strerror
        raise UsageError(f"--json-schema {given}: the file {reason}.") from None
    except UnicodeDecodeError as error:
        raise UsageError(f"{given} is not UTF-8: byte {error.start}.") from None
