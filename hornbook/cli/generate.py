"""`hornbook generate`: continue a text."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from hornbook.cli import constraint, options
from hornbook.cli.input import read_all

if TYPE_CHECKING:
    from hornbook.generate.sampler import TokenLogprobs


def command(
    model: options.Model,
    prompt: Annotated[str, typer.Option(help="Text to continue; - reads it from standard input.")],
    max_tokens: options.MaxTokens = 200,
    temperature: options.Temperature = 0.8,
    top_k: options.TopK = None,
    top_p: options.TopP = 0.95,
    min_p: options.MinP = 0.0,
    presence_penalty: options.PresencePenalty = 0.0,
    frequency_penalty: options.FrequencyPenalty = 0.0,
    repetition_penalty: options.RepetitionPenalty = 1.0,
    repetition_window: options.RepetitionWindow = 64,
    logit_bias: options.LogitBias = None,
    top_logprobs: options.TopLogprobs = None,
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
    from hornbook.core.errors import HornbookError, UsageError
    from hornbook.workflows.open.asked import CUT, AnswerOptions, asked
    from hornbook.workflows.open.decoder import Decoder
    from hornbook.workflows.open.load import load

    wishes: AnswerOptions = {
        "max_tokens": max_tokens, "temperature": temperature, "top_k": top_k, "top_p": top_p,
        "min_p": min_p, "seed": seed, "stop": stop, "json_schema": json_schema, "regex": regex,
        "choices": constraint.texts(choices, choice), "draft": draft,
        "presence_penalty": presence_penalty, "frequency_penalty": frequency_penalty,
        "repetition_penalty": repetition_penalty, "repetition_window": repetition_window,
        "logit_bias": logit_bias, "top_logprobs": top_logprobs,
    }  # fmt: skip
    if top_logprobs is not None and not json:
        raise UsageError("--top-logprobs is given with --json; add it, or leave this out.")
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
    if top_logprobs is not None:
        pairs = zip(answer.token_ids, answer.logprobs, strict=True)
        found["logprobs"] = [_logprobs(id, each) for id, each in pairs]
    if json_schema or regex or choices or choice:
        found |= {"complete": answer.complete} | ({} if answer.complete else {"error": CUT})
    print_json(found, json)
    if not answer.complete:
        raise HornbookError(CUT)


def _logprobs(id: int, found: "TokenLogprobs") -> dict[str, Any]:
    """Of a token and of the likeliest."""
    top = [{"id": other, "logprob": logprob} for other, logprob in found.top]
    return {"id": id, "logprob": found.chosen, "top": top}
