"""`hornbook classify`: labels of texts, with how likely they are."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hornbook.cli import options

if TYPE_CHECKING:
    from hornbook.core.progress import Progress
    from hornbook.workflows.open.classifier import Classifier, Labelled

_SHOWN = 80
"""Characters of a text beside its label."""


def command(
    model: Annotated[Path, typer.Argument(help="The run folder or model folder of a classifier.")],
    text: Annotated[
        list[str] | None,
        typer.Argument(help="Texts to label. Without any, lines of standard input."),
    ] = None,
    file: options.TextFile = None,
    column: options.TextColumn = None,
    device: options.Device = None,
    json: options.Json = False,
) -> None:
    """Label texts; for each one a line with the likeliest label, its probability and the text."""
    from hornbook.cli.output import print_json
    from hornbook.core.progress import Progress
    from hornbook.workflows.open.classifier import Classifier
    from hornbook.workflows.open.load import load

    texts, progress = _texts(text, file, column), Progress()
    classifier = load(model, Classifier, device=device)
    rows, found = [], _labelled(classifier, texts, progress)
    for row in found:
        if json:
            rows.append(row.plain())
        else:
            shown = " ".join(row.text.split())
            shown = shown if len(shown) <= _SHOWN else shown[: _SHOWN - 1] + "…"
            print(f"{row.label}\t{row.probability:.3f}\t{shown}", flush=True)
    print_json({"model": str(model), "labels": list(classifier.labels), "rows": rows}, json)


def _labelled(
    classifier: "Classifier", texts: "Iterator[object]", progress: "Progress"
) -> "Iterator[Labelled]":
    """The texts labelled; then it is said what of them was not read."""
    from hornbook.read.documents import Rejection

    def usable() -> Iterator[str]:
        for item in texts:
            if isinstance(item, Rejection):
                progress.say(f"left out: {item}")
            else:
                yield str(item)

    count, cut, empty = 0, 0, 0
    for row in classifier.stream(usable()):
        count, cut, empty = count + 1, cut + row.cut, empty + row.empty
        yield row
    if cut:
        progress.say(f"{cut:,} of {count:,} texts are longer than the model reads: cut.")
    if empty:
        progress.say(f"{empty:,} of {count:,} texts are empty: their label says nothing.")


def _texts(text: list[str] | None, file: Path | None, column: str | None) -> "Iterator[object]":
    """From the arguments, the file, or standard input."""
    from hornbook.core.errors import UsageError

    if text and file:
        raise UsageError("Give either texts or --file, not both.")
    if text:
        return iter(text)
    if file is None or str(file) == "-":
        if column is not None:
            raise UsageError("--column goes with --file; standard input is a text a line.")
        from hornbook.cli.input import lines

        return lines()
    if not file.is_file():
        raise UsageError(f"{file} does not exist or is no file.")
    from hornbook.datasets.columns import texts_of

    return texts_of(file, column)
