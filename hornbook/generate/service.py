"""An engine in a thread of its own, for callers in other threads, as those of a server.

Answers are submitted, cancelled and delivered piece by piece while others run; a bounded number may
wait. Knows text and tokens; knows nothing of HTTP, nor of who waits for the pieces.
"""

import functools
import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from hornbook.core.errors import HornbookError, UsageError
from hornbook.generate.decode import SequenceModel
from hornbook.generate.engine import Engine, RequestFailed, RequestToken
from hornbook.generate.sampler import TokenLogprobs
from hornbook.generate.scheduler import SchedulerConfig
from hornbook.generate.text import Writing

_LOG = logging.getLogger(__name__)


class Busy(HornbookError):
    """As many answers run and wait as may; try again later."""


class EngineFailed(HornbookError):
    """A fault of the engine: what was asked for is not the reason."""


class ServiceStopped(HornbookError):
    """The service ended before the answer did."""


class AnswerPiece(NamedTuple):
    """What one token adds to an answer.

    text: what is sure with it, maybe empty; never a part of a character. id: of the token; None
    where the answer failed. finished: the `Answer.finish_reason` with the last piece, else "".
    error: why there is no more; it is the last piece.
    """

    text: str
    id: int | None
    logprobs: TokenLogprobs | None = None
    finished: str = ""
    error: HornbookError | None = None


@dataclass(eq=False)
class Ticket:
    """An answer that was submitted. deliver: is called with each piece, in the engine's thread: it
    must return at once and raise nothing. handle: the engine's, as soon as it knows it."""

    writing: Writing
    deliver: Callable[[AnswerPiece], None]
    handle: int | None = None
    ended: bool = False


_KEPT, _ADDRESSES = 4, 8
"""Slots for what ended requests left, for each that is computed; and bytes of addresses for each
byte that may be kept, as a slot has addresses for all of its capacity."""


def keeping(
    config: SchedulerConfig, model: SequenceModel, capacity: int | None, kept_bytes: int
) -> SchedulerConfig:
    """A config that keeps what ended requests left, in so many bytes; as it was for a model whose
    sequences take all of their memory at once."""
    sequences = model.sequences(1, 1)
    if not (sequences.lazy and sequences.cuttable):
        return config
    size = sequences.bytes_of_position()
    room = min(capacity or model.context, model.context) * size
    kept = min(_KEPT * config.slots, _ADDRESSES * kept_bytes // room)
    return config.model_copy(update={"kept": kept, "kept_tokens": kept_bytes // size})


class GenerationService:
    """A model that answers many at once.

    generated_tokens: of all answers so far.
    """

    def __init__(
        self,
        model: SequenceModel,
        config: SchedulerConfig | None = None,
        capacity: int | None = None,
        waiting: int = 64,
        kept_bytes: int = 2**28,
        delivered: Callable[[], None] | None = None,
    ) -> None:
        """waiting: answers that may wait beside those that run. capacity: tokens of prompt and
        answer together (None: the model's context). kept_bytes: of memory for what ended answers
        left, where the config does not say how much is kept. delivered: is called when all pieces
        of a step are, in the engine's thread, so that whoever waits can be woken once for them.
        That is when the next step is computed: a thread that were woken before would take turns
        with this one at Python, and the processors would wait for both.

        Raises HornbookError where there is no memory for the caches.
        """
        config = config or SchedulerConfig()
        if not config.kept:
            config = keeping(config, model, capacity, kept_bytes)
        self._most = config.slots + waiting
        self._delivered = delivered or (lambda: None)
        self._engine = Engine(model, config, capacity)
        self._orders: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._lock, self._open, self._closed = threading.Lock(), 0, False
        self._running: dict[int, Ticket] = {}
        self.generated_tokens = 0
        self._thread = threading.Thread(target=self._work, name="hornbook engine", daemon=True)
        self._thread.start()

    @property
    def capacity(self) -> int:
        """Tokens that a prompt and its answer can have together."""
        return self._engine.capacity

    @property
    def open(self) -> int:
        """Answers that run or wait."""
        return self._open

    @property
    def running(self) -> int:
        """Answers that are computed."""
        return self._engine.running

    @property
    def prompt_tokens(self) -> int:
        """Of prompts, computed so far."""
        return self._engine.prompt_tokens

    @property
    def reused_tokens(self) -> int:
        """Of prompts, found in a cache instead."""
        return self._engine.reused_tokens

    def submit(self, *asked: tuple[Writing, Callable[[AnswerPiece], None]]) -> list[Ticket]:
        """Queue some answers, all or none; each with who is told of its pieces.

        Several answers to one prompt are several writings, each with its `SamplingConfig.answer`:
        the prompt is read once. Raises Busy where they find no place, UsageError for more than
        ever will, and HornbookError for an answer that cannot be, as `Engine.check`.
        """
        for writing, _ in asked:
            self._engine.check(writing.request)
        if len(asked) > self._most:
            raise UsageError(
                f"{len(asked):,} answers are asked for at once; {self._most:,} may run and wait."
            )
        with self._lock:
            if self._closed:
                raise Busy("The server is stopping; it takes no more requests.")
            if self._open + len(asked) > self._most:
                raise Busy(
                    f"{self._open:,} answers run or wait, and {self._most:,} may; try again later."
                )
            self._open += len(asked)
        tickets = [Ticket(writing, deliver) for writing, deliver in asked]
        for ticket in tickets:
            ticket.writing.begin()
        self._orders.put(functools.partial(self._begin, tickets))
        return tickets

    def cancel(self, tickets: Sequence[Ticket]) -> None:
        """End answers that nobody waits for any more; their slots are free before the next token.

        At most a piece that is on its way is still delivered.
        """
        self._orders.put(functools.partial(self._cancel, tickets))

    def close(self, patience_s: float = 0.0) -> None:
        """Take no more, finish what there is within some seconds, and end the rest with an error.
        Returns when the thread has ended."""
        with self._lock:
            self._closed = True
        self._orders.put(lambda: None)  # wakes it
        deadline = time.monotonic() + patience_s
        while self._open and time.monotonic() < deadline:
            time.sleep(0.01)
        self._orders.put(
            lambda: self._fail_all(
                ServiceStopped("The server stopped before the answer was whole.")
            )
        )
        self._thread.join()

    def _work(self) -> None:
        while self._obey():
            try:
                for token in self._engine.step(self._delivered):
                    self._push(token)
            except RequestFailed as failed:
                self._finish(failed.handle, failed.error)
            except Exception as error:
                self._start_over(error)

    def _obey(self) -> bool:
        """Do what was asked for meanwhile, waiting where there is nothing else to do; whether to go
        on."""
        while True:
            idle = self._engine.idle
            if idle:
                self._delivered()
                if self._closed and not self._open:
                    return False
            try:
                order = self._orders.get(block=idle)
            except queue.Empty:
                return True
            order()

    def _begin(self, tickets: Sequence[Ticket]) -> None:
        for ticket in tickets:
            if not ticket.ended:
                ticket.handle = self._engine.submit(ticket.writing.request)
                self._running[ticket.handle] = ticket

    def _cancel(self, tickets: Sequence[Ticket]) -> None:
        for ticket in tickets:
            if not ticket.ended:
                self._end(ticket)

    def _push(self, token: RequestToken) -> None:
        ticket = self._running.get(token.handle)
        if ticket is None:  # it was cancelled by a piece of this very step
            return
        self.generated_tokens += 1
        writing = ticket.writing
        text = writing.push(token.id, token.finished, token.logprobs)
        writing.answer.reused_tokens = token.reused
        finished = writing.answer.finish_reason
        if finished:
            self._end(ticket)
        self._deliver(ticket, AnswerPiece(text, token.id, token.logprobs, finished))

    def _finish(self, handle: int, error: HornbookError) -> None:
        """An answer cannot go on."""
        if (ticket := self._running.get(handle)) is not None:
            self._end(ticket)
            self._deliver(ticket, AnswerPiece("", None, error=error))

    def _deliver(self, ticket: Ticket, piece: AnswerPiece) -> None:
        try:
            ticket.deliver(piece)
        except Exception:  # whoever waited is gone
            _LOG.exception("a piece of an answer could not be delivered")
            self._cancel([ticket])

    def _end(self, ticket: Ticket) -> None:
        ticket.ended = True
        if ticket.handle is not None:
            self._engine.cancel(ticket.handle)
            self._running.pop(ticket.handle, None)
        with self._lock:
            self._open -= 1

    def _fail_all(self, error: HornbookError) -> None:
        for handle in list(self._running):
            self._finish(handle, error)

    def _start_over(self, error: Exception) -> None:
        """The engine is in no known state: all its answers fail, and it begins anew."""
        _LOG.error("the engine failed", exc_info=error)
        said = str(error) if isinstance(error, HornbookError) else repr(error)[:200]
        self._fail_all(EngineFailed(f"The engine failed: {said}"))
        self._engine.restart()
