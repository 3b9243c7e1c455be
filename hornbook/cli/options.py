"""Options that several commands share, declared once."""

from pathlib import Path
from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout at the end.")]
Model = Annotated[
    Path, typer.Argument(help="A model folder, a run folder, a .gguf file, or a pulled name.")
]
MaxTokens = Annotated[int, typer.Option(help="Generate at most so many tokens.")]
Temperature = Annotated[float, typer.Option(help="0 is greedy; higher is more varied.")]
TopK = Annotated[int | None, typer.Option(help="Draw from the k likeliest tokens.")]
TopP = Annotated[float, typer.Option(help="Draw from the smallest set with this probability.")]
MinP = Annotated[float, typer.Option(help="Leave out tokens below this share of the likeliest.")]
Seed = Annotated[int, typer.Option(help="The same seed draws the same text.")]
Stop = Annotated[
    list[str] | None, typer.Option(help="End before this text; may be given several times.")
]
Weights = Annotated[
    str | None,
    typer.Option(help="int4, int8 or float32; a GGUF file's own codes if not given."),
]
Draft = Annotated[
    str | None,
    typer.Option(
        help="Guess ahead, for the same answer sooner: lookup (from the text so far), or a smaller "
        "model with the same tokenizer."
    ),
]
Device = Annotated[str | None, typer.Option(help="cpu or cuda; the best there is if not given.")]
