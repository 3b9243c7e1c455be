"""`hornbook chat`: talk to a tuned model."""

import sys
from typing import Annotated

import typer

from hornbook.cli import constraint, options
from hornbook.cli.input import read_line

HELP = "Type a message; /reset starts over, /exit or Ctrl-D leaves."


def command(
    model: options.Model,
    system: Annotated[
        str | None,
        typer.Option(help="System message: instructions that come before the conversation."),
    ] = None,
    max_tokens: options.MaxTokens = 200,
    temperature: options.Temperature = 0.7,
    top_k: options.TopK = None,
    top_p: options.TopP = 0.95,
    min_p: options.MinP = 0.0,
    presence_penalty: options.PresencePenalty = 0.0,
    frequency_penalty: options.FrequencyPenalty = 0.0,
    repetition_penalty: options.RepetitionPenalty = 1.0,
    repetition_window: options.RepetitionWindow = 64,
    logit_bias: options.LogitBias = None,
    seed: options.Seed = 0,
    stop: options.Stop = None,
    json_schema: constraint.JsonSchema = None,
    regex: constraint.Regex = None,
    choices: constraint.Choices = None,
    choice: constraint.Choice = None,
    device: options.Device = None,
    weights: options.Weights = None,
    draft: options.Draft = None,
) -> None:
    """Talk to a model in the terminal.

    Messages may also be piped in, one a line.
    """
    from hornbook.cli.output import note
    from hornbook.workflows.open.asked import CUT, AnswerOptions, asked
    from hornbook.workflows.open.decoder import Decoder
    from hornbook.workflows.open.load import load

    wishes: AnswerOptions = {
        "max_tokens": max_tokens, "temperature": temperature, "top_k": top_k, "top_p": top_p,
        "min_p": min_p, "seed": seed, "stop": stop, "json_schema": json_schema, "regex": regex,
        "choices": constraint.texts(choices, choice), "draft": draft,
        "presence_penalty": presence_penalty, "frequency_penalty": frequency_penalty,
        "repetition_penalty": repetition_penalty, "repetition_window": repetition_window,
        "logit_bias": logit_bias,
    }  # fmt: skip
    asked(wishes, continues=False)
    opened = load(model, Decoder, device=device, weights=weights, say=note)
    opened.drafter(draft)
    first = [{"role": "system", "content": system}] if system else []
    messages = list(first)
    terminal = sys.stdin is not None and sys.stdin.isatty()
    if terminal:
        print(HELP, file=sys.stderr)
    while (message := _read(terminal)) is not None:
        if message == "/exit":
            return
        if message == "/reset":
            messages = list(first)
        elif message:
            messages.append({"role": "user", "content": message})
            stream = opened.stream(messages, **wishes)
            answer = stream.answer
            if answer.dropped_turns:
                messages = first + messages[len(first) + answer.dropped_turns :]
                print(f"({answer.dropped_turns} oldest messages forgotten)", file=sys.stderr)
            for piece in stream:
                print(piece, end="", flush=True)
            print()
            if not answer.complete:
                print(f"({CUT})", file=sys.stderr)
            messages.append({"role": "assistant", "content": answer.text})


def _read(terminal: bool) -> str | None:
    """The next message, or None at the end of the input; the prompt shows on a terminal only."""
    if terminal:
        print("> ", end="", file=sys.stderr, flush=True)
    return read_line()
