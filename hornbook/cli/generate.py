"""`hornbook generate`: continue a text."""

from typing import Annotated

import typer

from hornbook.cli import constraint, options
from hornbook.cli.input import read_all


def command(
    model: options.Model,
    prompt: Annotated[str, typer.Option(help="Text to continue; - reads it from standard input.")],
    max_tokens: options.MaxTokens = 200,
    temperature: options.Temperature = 0.8,
    top_k: options.TopK = None,
    top_p: options.TopP = 0.95,
    min_p: options.MinP = 0.0,
    seed: options.Seed = 0,
    stop: options.Stop = None,
    json_schema: constraint.JsonSchema = None,
    regex: constraint.Regex = None,
    choices: constraint.Choices = None,
    choice: constraint.Choice = None,
    device: options.Device = None,
    weights: options.Weights = None,
    draft: options.Draft = None,
    json: options.Json = False,
) -> None:
    """Continue a text; it is printed as it is written.

    With --json-schema, --regex or --choices, exit code 0 means that the answer is what was asked
    for; when it was cut off before, it is printed all the same, and the exit code is 1.
    """
    from hornbook.cli.output import note, print_json
    from hornbook.core.errors import HornbookError
    from hornbook.workflows.open.asked import CUT, AnswerOptions, asked
    from hornbook.workflows.open.decoder import Decoder
    from hornbook.workflows.open.load import load

    wishes: AnswerOptions = {
        "max_tokens": max_tokens, "temperature": temperature, "top_k": top_k, "top_p": top_p,
        "min_p": min_p, "seed": seed, "stop": stop, "json_schema": json_schema, "regex": regex,
        "choices": constraint.texts(choices, choice), "draft": draft,
    }  # fmt: skip
    asked(wishes, continues=True)
    opened = load(model, Decoder, device=device, weights=weights, say=note)
    stream = opened.stream(read_all() if prompt == "-" else prompt, **wishes)
    for piece in stream:
        if not json:
            print(piece, end="", flush=True)
    if not json:
        print()
    answer = stream.answer
    found = {
        "text": answer.text,
        "token_ids": answer.token_ids,
        "prompt_tokens": len(answer.prompt_ids),
        "tokens_per_second": answer.tokens_per_second,
        "finish_reason": answer.finish_reason,
    }
    if json_schema or regex or choices or choice:
        found |= {"complete": answer.complete} | ({} if answer.complete else {"error": CUT})
    print_json(found, json)
    if not answer.complete:
        raise HornbookError(CUT)
