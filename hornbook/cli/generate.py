"""`hornbook generate`: continue a text."""

from typing import Annotated

import typer

from hornbook.cli import options
from hornbook.cli.input import read_all


def command(
    model: options.Model,
    prompt: Annotated[str, typer.Option(help="What to continue; - reads it from stdin.")],
    max_tokens: options.MaxTokens = 200,
    temperature: options.Temperature = 0.8,
    top_k: options.TopK = None,
    top_p: options.TopP = 0.95,
    min_p: options.MinP = 0.0,
    seed: options.Seed = 0,
    stop: options.Stop = None,
    device: options.Device = None,
    json: options.Json = False,
) -> None:
    """Continue a text, streaming what comes."""
    from hornbook.cli.output import print_json
    from hornbook.generate.text import continue_text, stream
    from hornbook.workflows.open_model import open_model

    config = options.sampling(
        stop,
        max_tokens=max_tokens,
        temperature=temperature,
        top_k=top_k,
        top_p=top_p,
        min_p=min_p,
        seed=seed,
    )
    opened, tokenizer = open_model(model, device)
    text = read_all() if prompt == "-" else prompt
    answer, stop_ids = continue_text(tokenizer, text)
    for piece in stream(opened, tokenizer, answer, stop_ids, config):
        if not json:
            print(piece, end="", flush=True)
    if not json:
        print()
    found = {
        "text": answer.text,
        "token_ids": answer.token_ids,
        "prompt_tokens": len(answer.prompt_ids),
        "tokens_per_second": answer.tokens_per_second,
        "finish_reason": answer.finish_reason,
    }
    print_json(found, json)
