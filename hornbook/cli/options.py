"""Options that several commands share, declared once."""

from pathlib import Path
from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout at the end.")]
Model = Annotated[
    Path,
    typer.Argument(
        help="A model folder, a run folder, a .gguf file, or the name of a pulled model."
    ),
]
MaxTokens = Annotated[int, typer.Option(help="Largest number of tokens to generate.")]
Temperature = Annotated[
    float, typer.Option(help="0 always takes the likeliest token; larger values give more variety.")
]
TopK = Annotated[
    int | None, typer.Option(help="Choose among this number of the likeliest tokens only.")
]
TopP = Annotated[
    float,
    typer.Option(help="Choose among the likeliest tokens that together have this probability."),
]
MinP = Annotated[
    float,
    typer.Option(
        help="Leave out tokens whose probability is below this share of the likeliest one's."
    ),
]
Seed = Annotated[
    int, typer.Option(help="Seed of the random choices; the same seed gives the same text.")
]
PresencePenalty = Annotated[
    float,
    typer.Option(help="Taken off the logit of each token that the answer already has, -2 to 2."),
]
FrequencyPenalty = Annotated[
    float,
    typer.Option(
        help="Taken off the logit of a token as often as the answer already has it, -2 to 2."
    ),
]
RepetitionPenalty = Annotated[
    float,
    typer.Option(
        help="Divides the logits of recent tokens, the prompt's included, against loops; 1 does "
        "nothing, 1.1 to 1.3 help small models."
    ),
]
RepetitionWindow = Annotated[
    int, typer.Option(help="Tokens that --repetition-penalty looks back; -1 for all.")
]
LogitBias = Annotated[
    list[str] | None,
    typer.Option(
        help="Added to the logit of a token, by its id, -100 to 100: 50=-100 never takes token 50."
    ),
]
TopLogprobs = Annotated[
    int | None,
    typer.Option(
        help="Give the log-probability of each token, and of this number of the likeliest, in "
        "--json."
    ),
]
Stop = Annotated[list[str] | None, typer.Option(help="Stop before this text.")]
Weights = Annotated[
    str | None,
    typer.Option(
        help="Precision of the weights: int4, int8 or float32. By default that "
        "of the GGUF file, and float32 for other models."
    ),
]
Draft = Annotated[
    str | None,
    typer.Option(
        help="Speculative decoding, for the same answer sooner: lookup (guesses from the "
        "text so far), or a smaller model with the same tokenizer."
    ),
]
TextFile = Annotated[
    Path | None,
    typer.Option(
        help="A file of texts: one a line, or .csv, .tsv, .jsonl, .json or "
        ".parquet. - is standard input."
    ),
]
TextColumn = Annotated[
    str | None, typer.Option(help="Column of the texts. Common names are found by themselves.")
]
Set = Annotated[list[str] | None, typer.Option("--set", help="Set a value of the recipe.")]
DryRun = Annotated[
    bool,
    typer.Option(
        "--dry-run",
        help="Say what the run would choose, take and reach, and stop before its first step.",
    ),
]
Device = Annotated[str | None, typer.Option(help="cpu or cuda. By default cuda if there is one.")]
Shard = Annotated[
    bool | None,
    typer.Option(
        "--shard/--no-shard",
        help="Of several processes (torchrun), let each hold a part of the model, or all of it. By "
        "default all, as long as that fits.",
    ),
]
Teacher = Annotated[
    Path | None,
    typer.Option(help="distil: the larger model to learn from, with the same tokenizer."),
]
Recompute = Annotated[
    bool | None,
    typer.Option(
        "--recompute",
        help="Compute layers again for their gradients, instead of keeping what they gave: slower, "
        "in less memory.",
    ),
]


def check_resumed_alone(context: typer.Context) -> None:
    """Raises UsageError for options that a run resumed by its folder alone would pass over."""
    from hornbook.core.errors import UsageError

    for option in context.command.params:
        name = option.name or ""
        source = context.get_parameter_source(name)
        given = source is not None and source.name == "COMMANDLINE"
        if given and name not in ("out", "resume", "json"):
            raise UsageError(
                f"{option.opts[0]} would change nothing: a run that is resumed by --out alone goes "
                "on as it was asked for. Leave it out, or give the whole command again."
            )


def check_new(dry_run: bool, resume: bool) -> None:
    """Raises UsageError where a run that has begun is to be foretold."""
    from hornbook.core.errors import UsageError

    if dry_run and resume:
        raise UsageError("--dry-run is about a new run: leave --resume out.")
