"""`hornbook chat`: talk to a tuned model."""

import sys
from typing import Annotated

import typer

from hornbook.cli import options
from hornbook.cli.input import read_line
from hornbook.cli.option_groups import WritingOptions, spread

HELP = "Type a message; /reset starts over, /exit or Ctrl-D leaves."


@spread
def command(
    model: options.Model,
    system: Annotated[
        str | None,
        typer.Option(help="System message: instructions that come before the conversation."),
    ] = None,
    writing: WritingOptions = WritingOptions(temperature=0.7),
) -> None:
    """Talk to a model in the terminal.

    Messages may also be piped in, one a line.
    """
    from hornbook.cli.output import note
    from hornbook.workflows.open.asked import CUT, asked
    from hornbook.workflows.open.decoder import Decoder
    from hornbook.workflows.open.load import load

    wishes = writing.wishes()
    asked(wishes, continues=False)
    opened = load(model, Decoder, device=writing.device, weights=writing.weights, say=note)
    opened.drafter(writing.draft)
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
