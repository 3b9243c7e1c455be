"""`hornbook decide`: questions about a text, answered with probabilities."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hornbook.cli import options

if TYPE_CHECKING:
    from collections.abc import Iterator


def command(
    model: options.Model,
    text: Annotated[
        str | None, typer.Argument(help="The text. Without it and --file, standard input.")
    ] = None,
    question: Annotated[
        list[str] | None, typer.Option(help="A question about the text; give it again for more.")
    ] = None,
    questions: Annotated[
        Path | None,
        typer.Option(help="A file of questions: one a line, or a table with a column of them."),
    ] = None,
    choice: Annotated[
        list[str] | None,
        typer.Option(help="One of the answers to choose from. Without any: yes or no."),
    ] = None,
    score: Annotated[
        str | None, typer.Option(help="Answer with a number of this scale, as 1-5.")
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(help="A document of any format that a corpus is built from, as the text."),
    ] = None,
    examples: Annotated[
        Path | None,
        typer.Option(
            help="A table of texts with the right answer to the question, by which the "
            "probabilities are calibrated."
        ),
    ] = None,
    device: options.Device = None,
    json: options.Json = False,
) -> None:
    """Answer questions about a text, each with the probabilities of all choices.

    A decoder answers by how likely it finds each choice, a classifier by its labels.
    """
    from hornbook.cli.input import text_of
    from hornbook.cli.output import print_json
    from hornbook.core.errors import UsageError
    from hornbook.core.progress import Progress
    from hornbook.workflows.use.decide import decide, open_judge, scale

    if choice and score:
        raise UsageError("Give either --choice or --score, not both.")
    if text is not None and file is not None:
        raise UsageError("Give either a text or --file, not both.")
    progress = Progress()
    choices = scale(score) if score else choice
    asked = [*(question or []), *_asked(questions)]
    if not asked:
        raise UsageError("There is nothing to decide: give --question or --questions.")
    judge = open_judge(model, device, progress)
    found = decide(judge, text if text is not None else text_of(file), asked, choices, examples)
    if any(answer.get("cut") for answer in found["answers"]):
        progress.say("The text is longer than the model reads: its end was not seen.")
    if any(answer["calibration"] == "content-free" for answer in found["answers"]):
        progress.say(
            "The probabilities are free of what the model says without a text, but not measured; "
            "--examples makes them as sure as the model is right."
        )
    if not json:
        for answer in found["answers"]:
            _show(answer)
    print_json({"model": str(model), **found}, json)


def _show(answer: dict[str, Any]) -> None:
    shown = f"{answer['probability']:.3f}\t{answer['choice']}\t{answer['question']}"
    print(shown if "score" not in answer else f"{answer['score']:.2f}\t{shown}")


def _asked(file: Path | None) -> "Iterator[str]":
    """The questions of a file."""
    from hornbook.core.errors import UsageError
    from hornbook.datasets.columns import texts_of

    if file is None:
        return
    if not file.is_file():
        raise UsageError(f"{file} does not exist or is no file.")
    for item in texts_of(file, None):
        if not isinstance(item, str):
            raise UsageError(f"{item}")
        if item.strip():
            yield item
