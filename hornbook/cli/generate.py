"""`hornbook generate`: continue a text."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from hornbook.cli import options
from hornbook.cli.input import read_all
from hornbook.cli.option_groups import WritingOptions, spread

if TYPE_CHECKING:
    from hornbook.generate.sampler import TokenLogprobs


@spread
def command(
    model: options.Model,
    prompt: Annotated[str, typer.Option(help="Text to continue; - reads it from standard input.")],
    writing: WritingOptions = WritingOptions(),
    top_logprobs: options.TopLogprobs = None,
    json: options.Json = False,
) -> None:
    """Continue a text; it is printed as it is written.

    With --json-schema, --regex or --choices, exit code 0 means that the answer is what was asked
    for; when it was cut off before, it is printed all the same, and the exit code is 1.
    """
    from hornbook.cli.output import note, print_json
    from hornbook.core.errors import HornbookError, UsageError
    from hornbook.workflows.open.asked import CUT, asked
    from hornbook.workflows.open.decoder import Decoder
    from hornbook.workflows.open.load import load

    wishes = writing.wishes()
    wishes["top_logprobs"] = top_logprobs
    if top_logprobs is not None and not json:
        raise UsageError("--top-logprobs is given with --json; add it, or leave this out.")
    asked(wishes, continues=True)
    opened = load(model, Decoder, device=writing.device, weights=writing.weights, say=note)
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
    if top_logprobs is not None:
        pairs = zip(answer.token_ids, answer.logprobs, strict=True)
        found["logprobs"] = [_logprobs(id, each) for id, each in pairs]
    if writing.json_schema or writing.regex or wishes["choices"]:
        found |= {"complete": answer.complete} | ({} if answer.complete else {"error": CUT})
    print_json(found, json)
    if not answer.complete:
        raise HornbookError(CUT)


def _logprobs(id: int, found: "TokenLogprobs") -> dict[str, Any]:
    """Of a token and of the likeliest."""
    top = [{"id": other, "logprob": logprob} for other, logprob in found.top]
    return {"id": id, "logprob": found.chosen, "top": top}
