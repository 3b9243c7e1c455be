"""Prompts and conversations to streamed text: incomplete characters and stop texts are held
back.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from hornbook.core.errors import HornbookError
from hornbook.generate.decode import RowToken, SequenceModel, decode
from hornbook.generate.engine import Engine
from hornbook.generate.sampler import TokenLogprobs
from hornbook.generate.sampling import Constraint, SamplingConfig
from hornbook.generate.scheduler import Finish, GenerationRequest, SchedulerConfig
from hornbook.generate.speculate import Drafter, decode_drafted
from hornbook.tokenize.tokenizer import Tokenizer


@dataclass
class Answer:
    """What was generated so far. Iterate over `stream` to fill it.

    token_ids: the one that ended it included. logprobs: of each of them, where they were asked for.
    finish_reason: "stop", "length" or "context" once it is finished. elapsed_s: since the start.
    dropped_turns: messages that fell out of the context, oldest first. complete: whether it is all
    of what it had to be, where that was asked for. reused_tokens: of the prompt, those that were
    not computed for it.
    """

    prompt_ids: list[int]
    token_ids: list[int] = field(default_factory=list)
    text: str = ""
    finish_reason: str = ""
    elapsed_s: float = 0.0
    dropped_turns: int = 0
    complete: bool = True
    logprobs: list[TokenLogprobs] = field(default_factory=list)
    reused_tokens: int = 0

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


class Writing:
    """An answer in the making: tokens go in, text comes out as soon as it is sure."""

    def __init__(
        self,
        tokenizer: Tokenizer,
        answer: Answer,
        stop_ids: frozenset[int],
        config: SamplingConfig,
        constraint: Constraint | None = None,
    ) -> None:
        self.answer = answer
        self.request = GenerationRequest(answer.prompt_ids, config, stop_ids, constraint)
        self._decoder, self._held = tokenizer.stream(), ""
        self._started = 0.0

    def begin(self) -> None:
        """Time runs from here."""
        self._started = time.perf_counter()

    def push(self, i: int, finished: Finish | None, logprobs: TokenLogprobs | None = None) -> str:
        """The text that is sure with this token, maybe empty; finished: why it is the last.

        A stop text ends the answer as well: `answer.finish_reason` says it.
        """
        answer, stops = self.answer, self.request.config.stop
        answer.token_ids.append(i)
        if logprobs is not None:
            answer.logprobs.append(logprobs)
        answer.elapsed_s = time.perf_counter() - self._started
        if i not in self.request.stop_ids:
            self._held += self._decoder.push(i)
        if finished == "stop":  # else it may be half of a character, which was cut off
            self._held += self._decoder.end()
        at = first_stop(self._held, stops)
        if at is not None:
            self._held, answer.finish_reason = self._held[:at], "stop"
        elif finished:
            answer.finish_reason = finished
        held = 0 if answer.finish_reason else held_back(self._held, stops)
        ready = self._held[: len(self._held) - held]
        self._held = self._held[len(ready) :]
        answer.text += ready
        return ready

    def stream(self, model: SequenceModel, drafter: Drafter | None = None) -> Iterator[str]:
        """Write the answer, yielding text; a drafter guesses ahead."""
        asked = self.request
        self.begin()
        steps: Iterator[RowToken] = (
            decode_drafted(
                model, asked.prompt, asked.config, asked.stop_ids, drafter, asked.constraint
            )
            if drafter
            else decode(model, [asked.prompt], asked.config, asked.stop_ids, [asked.constraint])
        )
        for step in steps:
            if ready := self.push(step.id, step.finished, step.logprobs):
                yield ready
            if self.answer.finish_reason:
                return


def stream(
    model: SequenceModel,
    tokenizer: Tokenizer,
    answer: Answer,
    stop_ids: frozenset[int],
    config: SamplingConfig,
    constraint: Constraint | None = None,
) -> Iterator[str]:
    """Generate into `answer`, yielding text as soon as it is sure."""
    return Writing(tokenizer, answer, stop_ids, config, constraint).stream(model)


_STATE_TOKENS, _MOST_SLOTS = 16_384, 16
"""Of the states of answers written together: 750 MB of keys and values for SmolLM2-135M in
float32."""


def write_together(model: SequenceModel, writings: Sequence[Writing]) -> None:
    """Write several answers side by side, each as it would be alone."""
    if not writings:
        return
    room = max(len(w.request.prompt) + w.request.config.max_tokens for w in writings)
    room = min(room, model.context)
    slots = max(1, min(len(writings), _MOST_SLOTS, _STATE_TOKENS // room))
    engine = Engine(model, SchedulerConfig(slots=slots), room)
    # Longest prompts first: what takes longest does not begin last.
    order = sorted(writings, key=lambda writing: -len(writing.request.prompt))
    running = {engine.submit(writing.request): writing for writing in order}
    for writing in order:
        writing.begin()
    for token in engine.run():
        writing = running[token.handle]
        writing.push(token.id, token.finished, token.logprobs)
        writing.answer.reused_tokens = token.reused
        if writing.answer.finish_reason and not token.finished:
            engine.cancel(token.handle)


def first_stop(text: str, stops: Sequence[str]) -> int | None:
    """Where the first stop text begins, if one is there."""
    found = [text.find(stop) for stop in stops if stop and stop in text]
    return min(found) if found else None


def held_back(text: str, stops: Sequence[str]) -> int:
    """How many characters at the end may be the beginning of a stop text."""
    longest = max((len(stop) for stop in stops), default=1) - 1
    for size in range(min(longest, len(text)), 0, -1):
        if any(stop.startswith(text[-size:]) for stop in stops):
            return size
    return 0
