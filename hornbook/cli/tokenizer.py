"""`hornbook tokenizer`: train one, measure one."""

from pathlib import Path
from typing import Annotated

import typer

from hornbook.cli.options import Json

app = typer.Typer(no_args_is_help=True, help="Train and measure tokenizers.")


@app.command("train")
def train(
    corpus: Annotated[Path, typer.Argument(help="A folder made by `corpus build`.")],
    out: Annotated[Path, typer.Option(help="Folder of the new tokenizer.")],
    vocab_size: Annotated[int, typer.Option(help="Size of the vocabulary, in tokens.")] = 8192,
    json: Json = False,
) -> None:
    """Train a byte-level BPE tokenizer on the training side of a corpus."""
    from hornbook.cli.output import print_json
    from hornbook.core.claims import Claim
    from hornbook.core.progress import Progress
    from hornbook.corpus.corpus import Corpus
    from hornbook.tokenize.measure import measure
    from hornbook.workflows.curate.encode import prepare_tokenizer

    opened = Corpus.open(corpus)
    opened.require("train", "validation")
    claim = Claim("tokenizer train", (corpus,))
    tokenizer = prepare_tokenizer(opened, out, vocab_size, Progress(), claim)
    print_json(measure(tokenizer, opened.texts("validation")), json)


@app.command("measure")
def measure_command(
    tokenizer: Annotated[Path, typer.Argument(help="A folder with tokenizer.json.")],
    corpus: Annotated[Path, typer.Argument(help="A folder made by `corpus build`.")],
    json: Json = False,
) -> None:
    """Measure a tokenizer on the held-out text of a corpus."""
    from hornbook.cli.output import print_json
    from hornbook.corpus.corpus import Corpus
    from hornbook.tokenize.measure import measure
    from hornbook.tokenize.tokenizer import Tokenizer

    loaded, opened = Tokenizer.load(tokenizer), Corpus.open(corpus)
    opened.require("validation")
    found = measure(loaded, opened.texts("validation"))
    if json:
        print_json(found, True)
    else:
        for name, value in found.items():
            print(f"{name}: {value}")
