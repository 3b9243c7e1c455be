"""`hornbook chat`: talk to a tuned model."""

import sys
from typing import Annotated

import typer

from hornbook.cli import constraint, options
from hornbook.cli.input import read_line

HELP = "Type a message; /reset starts over, /exit or Ctrl-D leaves."


def command(
    model: options.Model,
    system: Annotated[str | None, typer.Option(help="What the model is told first.")] = None,
    max_tokens: options.MaxTokens = 200,
    temperature: options.Temperature = 0.7,
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
) -> None:
    """Talk to a model in the terminal; messages may also be piped in, one a line."""
    from hornbook.cli.output import note
    from hornbook.generate.constrain import Constrainer
    from hornbook.generate.text import reply_to, stream
    from hornbook.workflows.open.generator import open_drafter, open_generator

    config = options.sampling(
        stop,
        max_tokens=max_tokens,
        temperature=temperature,
        top_k=top_k,
        top_p=top_p,
        min_p=min_p,
        seed=seed,
    )
    rule = constraint.rule(json_schema, regex, choices, choice, stop)
    opened, tokenizer = open_generator(model, device, weights, note)
    drafter = open_drafter(draft, tokenizer, device) if draft else None
    constrainer = Constrainer(tokenizer, opened.vocab, tokenizer.stop_ids) if rule else None
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
            answer, stop_ids = reply_to(tokenizer, messages, opened.context)
            if answer.dropped_turns:
                messages = first + messages[len(first) + answer.dropped_turns :]
                print(f"({answer.dropped_turns} oldest messages forgotten)", file=sys.stderr)
            course = constrainer.start(rule) if constrainer and rule else None
            for piece in stream(opened, tokenizer, answer, stop_ids, config, course, drafter):
                print(piece, end="", flush=True)
            print()
            if course and not course.is_whole(answer.token_ids):
                print(f"({constraint.CUT})", file=sys.stderr)
            messages.append({"role": "assistant", "content": answer.text})


def _read(terminal: bool) -> str | None:
    """The next message, or None at the end of the input; the prompt shows on a terminal only."""
    if terminal:
        print("> ", end="", file=sys.stderr, flush=True)
    return read_line()
