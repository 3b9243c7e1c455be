"""`hornbook filter`: which documents of an index meet a criterion."""

from pathlib import Path
from typing import Annotated

import typer

from hornbook.cli import options


def command(
    index: Annotated[Path, typer.Argument(help="A folder made by `hornbook index`.")],
    criterion: Annotated[
        str, typer.Argument(help="What documents must meet; of a classifier, one of its labels.")
    ],
    model: Annotated[
        Path | None,
        typer.Option(
            help="A decoder, or a classifier of your own. Without one, by words and vectors."
        ),
    ] = None,
    device: options.Device = None,
    json: options.Json = False,
) -> None:
    """Look at every document of an index: which meet a criterion, how likely, by what sentence."""
    from hornbook.cli.output import note, print_json
    from hornbook.core.progress import Progress
    from hornbook.retrieve.quotes import one_line
    from hornbook.workflows.documents.asking import OpenIndex
    from hornbook.workflows.documents.encoders import to_add_vectors
    from hornbook.workflows.documents.filter import filter_documents

    opened = OpenIndex(index, Progress())
    with opened.index:
        found = filter_documents(opened, criterion, model, device)
    if not json:
        for row in found["rows"]:
            evidence = one_line((row["evidence"] or {"text": ""})["text"])
            mark, name = "+" if row["meets"] else "-", row["title"] or row["source"]
            print(f"{mark} {row['probability']:.2f}\t{name}\t{evidence[:160]}")
    meets = sum(row["meets"] for row in found["rows"])
    note(f"{meets:,} of {len(found['rows']):,} documents meet it.")
    if found.get("strength", {}).get("weak"):
        note("The model is too weak for these documents: words and vectors judged instead.")
    elif model is None and not opened.encodes:
        note(f"Only words were compared; to compare meanings as well: {to_add_vectors(index)}")
    if found["calibration"] == "none":
        note("No model judged: what is shown is the share of the criterion's words, 0.5 is enough.")
    print_json(found, json)
