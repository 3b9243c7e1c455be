"""Prompts and conversations to streamed text: incomplete characters and stop texts are held back.

Knows tokenizers and the token loop; knows nothing of terminals or servers.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from hornbook.core.errors import HornbookError
from hornbook.generate.decode import Decoder, RowToken, decode
from hornbook.generate.sampling import Constraint, SamplingConfig
from hornbook.generate.speculate import Drafter, decode_drafted
from hornbook.tokenize.tokenizer import Tokenizer


@dataclass
class Answer:
    """What was generated so far. Iterate over `stream` to fill it.

    finish_reason: "stop", "length" or "context" once it is finished. elapsed_s: since the start.
    dropped_turns: messages that fell out of the context, oldest first.
    """

    prompt_ids: list[int]
    token_ids: list[int] = field(default_factory=list)
    text: str = ""
    finish_reason: str = ""
    elapsed_s: float = 0.0
    dropped_turns: int = 0

    @property
    def tokens_per_second(self) -> float:
        """Generated tokens over the whole time, the prompt's included."""
        return len(self.token_ids) / self.elapsed_s if self.elapsed_s else 0.0


def continue_text(tokenizer: Tokenizer, prompt: str) -> tuple[Answer, frozenset[int]]:
    """An answer that continues `prompt`, and the ids that end it.

    An empty prompt stands for the beginning of a document.
    """
    if tokenizer.eos_id is None:
        raise HornbookError(f"{tokenizer.where} names no end-of-text token.")
    return Answer(tokenizer.encode_beginning(prompt) or [tokenizer.eos_id]), frozenset(
        {tokenizer.eos_id}
    )


def reply_to(
    tokenizer: Tokenizer, messages: Sequence[Mapping[str, str]], room: int
) -> tuple[Answer, frozenset[int]]:
    """An answer to a conversation, and the ids that end it.

    The oldest messages but a system message are dropped, each question with its answer, until the
    prompt leaves a quarter of `room` free. Raises HornbookError when the last message alone is
    too long.
    """
    system = [m for m in messages[:1] if m["role"] == "system"]
    turns = list(messages[len(system) :])
    dropped = 0
    while True:
        ids = tokenizer.encode_chat([*system, *turns], add_generation_prompt=True)[0].tolist()
        if len(ids) <= room * 3 // 4:
            return Answer(ids, dropped_turns=dropped), tokenizer.stop_ids
        if len(turns) == 1:
            raise HornbookError(
                f"The message has {len(ids)} tokens; this model takes {room * 3 // 4} of {room}."
            )
        # Templates may want user and assistant in turns: an answer goes with its question.
        asked = (at for at, turn in enumerate(turns[1:], 1) if turn["role"] == "user")
        oldest = next(asked, len(turns) - 1)
        del turns[:oldest]
        dropped += oldest


def stream(
    model: Decoder,
    tokenizer: Tokenizer,
    answer: Answer,
    stop_ids: frozenset[int],
    config: SamplingConfig,
    constraint: Constraint | None = None,
    drafter: Drafter | None = None,
) -> Iterator[str]:
    """Generate into `answer`, yielding text as soon as it is sure; a drafter guesses ahead."""
    started, decoder, held = time.perf_counter(), tokenizer.stream(), ""
    steps: Iterator[RowToken] = (
        decode_drafted(model, answer.prompt_ids, config, stop_ids, drafter, constraint)
        if drafter
        else decode(model, [answer.prompt_ids], config, stop_ids, [constraint])
    )
    for step in steps:
        answer.token_ids.append(step.id)
        answer.elapsed_s = time.perf_counter() - started
        if step.id not in stop_ids:
            held += decoder.push(step.id)
        if step.finished:
            held += decoder.end()
        at = first_stop(held, config.stop)
        if at is not None:
            held, answer.finish_reason = held[:at], "stop"
        elif step.finished:
            answer.finish_reason = step.finished
        ready = held if answer.finish_reason else held[: len(held) - _maybe_stop(held, config.stop)]
        held = held[len(ready) :]
        answer.text += ready
        if ready:
            yield ready
        if answer.finish_reason:
            return


def first_stop(text: str, stops: Sequence[str]) -> int | None:
    """Where the first stop text begins, if one is there."""
    found = [text.find(stop) for stop in stops if stop and stop in text]
    return min(found) if found else None


def _maybe_stop(text: str, stops: Sequence[str]) -> int:
    """How many characters at the end may be the beginning of a stop text."""
    longest = max((len(stop) for stop in stops), default=1) - 1
    for size in range(min(longest, len(text)), 0, -1):
        if any(stop.startswith(text[-size:]) for stop in stops):
            return size
    return 0
