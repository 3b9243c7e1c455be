"""Answers on their way to one client: from the engine's thread into the event loop."""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from typing import NamedTuple

from hornbook.generate.service import AnswerPiece, Busy, GenerationService, Ticket
from hornbook.generate.text import Writing
from hornbook.serve.errors import busy
from hornbook.tokenize.tokenizer import Tokenizer


class AnswerPart(NamedTuple):
    """Some text of an answer. answer: its number. pieces: those that the text is of, where the
    probabilities of tokens were asked for. finished: why it is the last, "stop" or "length"."""

    answer: int
    text: str
    pieces: tuple[AnswerPiece, ...]
    finished: str | None


class _ShownTokens:
    """Which tokens of an answer begin within the text that was shown so far."""

    def __init__(self, writing: Writing, tokenizer: Tokenizer) -> None:
        self._ends, self._tokenizer = writing.request.stop_ids, tokenizer
        self._held: deque[tuple[int, AnswerPiece]] = deque()
        self._bytes = self._shown = 0

    def push(self, piece: AnswerPiece) -> tuple[AnswerPiece, ...]:
        """The pieces whose text this one shows. A token of an end has no text, and one of a stop
        text is not shown."""
        if piece.id is not None and piece.id not in self._ends:
            self._held.append((self._bytes, piece))
            self._bytes += len(self._tokenizer.decode_bytes([piece.id]))
        self._shown += len(piece.text.encode())
        every, found = piece.finished not in ("", "stop"), list[AnswerPiece]()
        if not (piece.text or every):
            return ()
        while self._held and (every or self._held[0][0] < self._shown):
            found.append(self._held.popleft()[1])
        return tuple(found)


class Delivery:
    """What a client waits for; of the event loop alone. left: answers that are not finished.
    first_s: seconds until the first part, None before it. heard: is called when something has come,
    once for all of a step."""

    def __init__(self, writings: Sequence[Writing], tokenizer: Tokenizer) -> None:
        self.writings, self.left = writings, len(writings)
        self.first_s: float | None = None
        self._started = time.monotonic()
        self.loop = asyncio.get_running_loop()
        self._parts: list[AnswerPart] = []
        self._error: Exception | None = None
        self.heard: Callable[[], None] | None = None
        wants = any(one.request.config.top_logprobs is not None for one in writings)
        self._shown = [_ShownTokens(one, tokenizer) for one in writings] if wants else []

    @property
    def waits(self) -> bool:
        """Whether there are parts, or an error, that nobody has taken yet."""
        return bool(self._parts or self._error)

    @property
    def going_on(self) -> bool:
        """Whether there are such, or will be."""
        return self.waits or self.left > 0

    @property
    def prompt_tokens(self) -> int:
        """Of all prompts; several answers to one read it once."""
        return sum(len(one.answer.prompt_ids) for one in self._first_answers())

    @property
    def cached_tokens(self) -> int:
        """Of the prompts, those that were there before."""
        return sum(one.answer.reused_tokens for one in self._first_answers())

    @property
    def written_tokens(self) -> int:
        """Of all answers so far, the ends included."""
        return sum(len(one.answer.token_ids) for one in self.writings)

    def parts(self) -> list[AnswerPart]:
        """What has come since the last call; then raises what the answers failed with."""
        if not self._parts and self._error is not None:
            raise self._error
        found, self._parts = self._parts, []
        return found

    async def all(self) -> list[AnswerPart]:
        """All parts, when all answers are finished. Raises what they failed with."""
        finished = asyncio.Event()
        self.heard = lambda: None if self.left else finished.set()
        if self.left:
            await finished.wait()
        if self._error is not None:
            raise self._error
        return self.parts()

    def fail(self, error: Exception) -> None:
        """There is no more to come, and this is why."""
        self._error, self.left = error, 0

    def _first_answers(self) -> list[Writing]:
        return [one for one in self.writings if one.request.config.answer == 0]

    def take(self, number: int, piece: AnswerPiece) -> None:
        """A piece of an answer has come: it becomes a part, or waits for one with text."""
        if self.first_s is None:
            self.first_s = time.monotonic() - self._started
        if piece.error is not None:
            self.fail(piece.error)
        pieces = self._shown[number].push(piece) if self._shown else ()
        self.left -= bool(piece.finished)
        if piece.text or piece.finished:
            finished = "length" if piece.finished == "context" else piece.finished or None
            self._parts.append(AnswerPart(number, piece.text, pieces, finished))


class Outbox:
    """Pieces on their way from an engine's thread to the event loop: those of one step together, as
    waking the loop takes a call to the system, and the other thread's turn with it."""

    def __init__(self) -> None:
        self._pieces: list[tuple[Delivery, int, AnswerPiece]] = []

    def put(self, delivery: Delivery, number: int, piece: AnswerPiece) -> None:
        """In the engine's thread: a piece of an answer has come."""
        self._pieces.append((delivery, number, piece))

    def send(self) -> None:
        """In the engine's thread: wake the event loop for all that has come."""
        if self._pieces:
            pieces, self._pieces = self._pieces, []
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits
                pieces[0][0].loop.call_soon_threadsafe(_hand_out, pieces)


def _hand_out(pieces: Sequence[tuple[Delivery, int, AnswerPiece]]) -> None:
    for delivery, number, piece in pieces:
        delivery.take(number, piece)
    for delivery in dict.fromkeys(delivery for delivery, _, _ in pieces):
        if delivery.heard is not None:
            delivery.heard()


@contextlib.asynccontextmanager
async def delivered(
    service: GenerationService, outbox: Outbox, writings: Sequence[Writing], tokenizer: Tokenizer
) -> AsyncIterator[Delivery]:
    """Answers that are written as long as somebody waits for them.

    Raises RequestRefused (429) where too many wait already, and HornbookError for what cannot be
    answered.
    """
    delivery = Delivery(writings, tokenizer)
    orders = [(one, partial(outbox.put, delivery, number)) for number, one in enumerate(writings)]
    try:
        tickets: list[Ticket] = service.submit(*orders)
    except Busy as error:
        raise busy(str(error)) from None
    try:
        yield delivery
    finally:
        service.cancel(tickets)
