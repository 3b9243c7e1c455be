"""`hornbook embed`: vectors of texts, near where the meanings are near."""

from pathlib import Path
from typing import Annotated

import typer

from hornbook.cli import options


def command(
    model: Annotated[
        Path,
        typer.Argument(help="A folder with a sentence encoder, or the name of a pulled model."),
    ],
    out: Annotated[
        Path, typer.Option(help="File for the vectors: .npy, or .jsonl with one a line.")
    ],
    file: options.TextFile = None,
    column: options.TextColumn = None,
    longest: Annotated[
        int | None,
        typer.Option(
            help="Tokens of each text that are read. By default the context of the model."
        ),
    ] = None,
    prompt: Annotated[
        str | None,
        typer.Option(
            help="What the texts are: query or passage, or another name that the model has a "
            "prompt for. What the model wants before such texts is put there."
        ),
    ] = None,
    device: options.Device = None,
    json: options.Json = False,
) -> None:
    """Compute a vector of the meaning of each text, of length one, in the order of the texts."""
    from hornbook.cli.input import lines
    from hornbook.cli.output import print_json
    from hornbook.core.claims import Claim, place_or_name
    from hornbook.core.errors import UsageError
    from hornbook.core.progress import Progress
    from hornbook.datasets.columns import texts_of
    from hornbook.workflows.open.encoder import Encoder
    from hornbook.workflows.open.load import load
    from hornbook.workflows.use.embed import check_out, embed_to

    piped = file is None or str(file) == "-"
    if piped and column is not None:
        raise UsageError("--column goes with --file; standard input is a text a line.")
    if file is not None and not piped and not file.is_file():
        raise UsageError(f"{file} does not exist or is no file.")
    claim = Claim("embed", (place_or_name(model), *([] if file is None or piped else [file])))
    check_out(out, claim)
    progress = Progress()
    encoder = load(model, Encoder, device=device)
    texts = lines() if file is None or piped else texts_of(file, column)
    with progress.bar("embedding", None, "texts") as advance:
        found = embed_to(out, encoder, texts, longest, advance, claim, prompt)
    if found.cut:
        progress.say(
            f"{found.cut:,} of {found.texts:,} texts are longer than the model reads: cut."
        )
    if found.empty:
        progress.say(
            f"{found.empty:,} of {found.texts:,} texts are empty: their vectors say nothing."
        )
    if not json:
        print(f"{out}: {found.texts:,} vectors of {found.width:,} numbers")
    print_json({"model": str(model), "out": str(out), **found._asdict()}, json)
