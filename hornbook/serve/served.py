"""One open model and its threads: an engine that writes, and one for all its other work."""

import time
from functools import cached_property
from typing import Any

from hornbook.generate.constrain import Constrainer
from hornbook.generate.conversation import ChatFormat
from hornbook.generate.scheduler import SchedulerConfig
from hornbook.generate.service import GenerationService
from hornbook.serve.config import ServeConfig
from hornbook.serve.delivery import Outbox
from hornbook.serve.work import WorkThread


class ServedModel:
    """opened: what `load` gave. users: requests that use it now. used: when it was used last.

    work: everything but writing. outbox: of the engine.
    """

    def __init__(self, name: str, opened: Any, config: ServeConfig) -> None:
        self.name, self.opened = name, opened
        self.users, self.used = 0, time.monotonic()
        self.work, self.outbox = WorkThread(name, config.waiting), Outbox()
        self._engine: GenerationService | None = None
        self._constrainers: dict[frozenset[int], Constrainer] = {}
        if "generate" in opened.abilities:
            slots = SchedulerConfig(slots=config.slots, step_tokens=max(128, config.slots))
            self._engine = GenerationService(
                opened.model, slots, config.context, config.waiting, delivered=self.outbox.send
            )

    @property
    def engine(self) -> GenerationService:
        """Of a decoder."""
        assert self._engine is not None, self.name
        return self._engine

    @property
    def running(self) -> int:
        """Answers and other work that is done or waits."""
        return self.work.running + (self._engine.open if self._engine else 0)

    @cached_property
    def chat_format(self) -> ChatFormat:
        """How a decoder is talked to, by its template. In the clerk's thread."""
        return ChatFormat(self.opened.tokenizer)

    def constrainer(self, stop_ids: frozenset[int]) -> Constrainer:
        """Kept, as making one takes a third of a second. In the clerk's thread."""
        if stop_ids not in self._constrainers:
            made = Constrainer(self.opened.tokenizer, self.opened.model.vocab, stop_ids)
            self._constrainers[stop_ids] = made
        return self._constrainers[stop_ids]

    def close(self, patience_s: float = 0.0) -> None:
        """End its threads, when what they do is done or so many seconds are over."""
        if self._engine is not None:
            self._engine.close(patience_s)
        self.work.close()
