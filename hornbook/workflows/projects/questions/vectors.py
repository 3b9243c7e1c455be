"""An encoder that puts the vector of a question beside that of the passage that answers it."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hornbook.batches.questions import QuestionBatches
from hornbook.core.clock import Clock
from hornbook.core.errors import UsageError
from hornbook.core.machine import Machine
from hornbook.datasets.pairs import Pair
from hornbook.models.encoder import EncoderNetwork
from hornbook.models.sentences import embed
from hornbook.tokenize.sequences import SequenceTokenizer
from hornbook.training.contrastive import contrast
from hornbook.training.forecast import timed
from hornbook.training.loop import LoopConfig
from hornbook.training.precision import product_type
from hornbook.workflows.open.encoder import open_to_train
from hornbook.workflows.projects.questions.data import QuestionParts
from hornbook.workflows.projects.questions.first_stage import has_time
from hornbook.workflows.projects.questions.problem import (
    LOOKING,
    PROBED,
    QuestionsProblem,
    Ranks,
    freed,
    looked_before,
    loop_of,
)
from hornbook.workflows.projects.questions.request import (
    TEMPERATURE,
    QuestionsPlan,
    QuestionsRequest,
)
from hornbook.workflows.runs.place import Place

_NEAR = 16
"""Pairs that a question is told from first, as the encoder takes their passages for its own."""
_POOL, _LEAST_POOL = 2000, 50
"""Passages that the right one is told from where it is measured: at most, and at least."""


class VectorsProblem(QuestionsProblem):
    """roles: what stands before questions and before passages. pool: passages that the right one is
    told from where it is measured."""

    model: EncoderNetwork
    batches: QuestionBatches

    def __init__(
        self,
        model: EncoderNetwork,
        tokenizer: SequenceTokenizer,
        roles: tuple[str, str],
        parts: QuestionParts,
        request: QuestionsRequest,
        plan: QuestionsPlan,
        loop: LoopConfig,
    ) -> None:
        super().__init__(model, tokenizer, parts, request, plan, loop)
        self.roles, self.pool = roles, _POOL
        self.objective = contrast(TEMPERATURE)
        self._before: dict[str, np.ndarray] | None = {}
        numbers = {text: i for i, text in enumerate(dict.fromkeys(p.target for p in parts.train))}
        self.batches = QuestionBatches(
            self._encoded([pair.source for pair in parts.train], roles[0]),
            self._encoded([pair.target for pair in parts.train], roles[1]),
            np.array([numbers[pair.target] for pair in parts.train], np.int64),
            plan.rows,
            request.seed,
            tokenizer.padding,
            self._near(parts.train),
        )

    def _near(self, pairs: Sequence[Pair]) -> np.ndarray | None:
        """(N, K) of each pair others whose passages the encoder, as it is, finds near its question;
        None where there is no time to look for them, or there are none."""
        count = min(_NEAR, len(pairs) - 1)
        passages = list(dict.fromkeys(pair.target for pair in pairs))
        if count < 1 or not has_time(len(pairs) + len(passages), self.request.minutes):
            return None
        places = {text: i for i, text in enumerate(passages)}
        own = np.array([places[pair.target] for pair in pairs])
        questions = self._vectors([pair.source for pair in pairs], self.roles[0])
        vectors = self._vectors(passages, self.roles[1])
        near = np.zeros((len(pairs), count), np.int64)
        for i, question in enumerate(questions):
            cosines = (vectors @ question)[own]
            cosines[own == own[i]] = -np.inf  # its own passage, and itself
            near[i] = np.argsort(-cosines, kind="stable")[:count]
        return near

    def look_before(self, clock: Clock) -> None:
        super().look_before(clock)
        self._before = None  # the model moves from here on

    def resize(self, size: int) -> None:
        # What is computed at once is what a question is told from: a step is never cut up.
        self.loop = self.loop.model_copy(update={"micro_rows": size})
        super().resize(size)

    def ranked(self, part: str) -> Ranks:
        """Among the part's own passages and others to train on."""
        pairs: list[Pair] = getattr(self.parts, part)
        own = list(dict.fromkeys(pair.target for pair in pairs))[: self.pool]
        asked = [pair for pair in pairs if pair.target in set(own)]
        more = dict.fromkeys(p.target for p in self.parts.train if p.target not in own)
        passages = [*own, *list(more)[: self.pool - len(own)]]
        places = {text: i for i, text in enumerate(passages)}
        right = np.array([places[pair.target] for pair in asked])
        questions = self._vectors([pair.source for pair in asked], self.roles[0])
        cosines = questions @ self._vectors(passages, self.roles[1]).T
        reached = cosines[np.arange(len(right)), right]
        ranks = 1 + (cosines > reached[:, None]).sum(1)
        logits = cosines / TEMPERATURE
        top = logits.max(1)
        losses = np.log(np.exp(logits - top[:, None]).sum(1)) + top - reached / TEMPERATURE
        return Ranks(ranks, losses, len(passages))

    def settle_looking(self, clock: Clock) -> None:
        if not clock.limited:
            return
        some = [pair.target for pair in self.parts.train[:PROBED]]
        self._made(some[:1], self.roles[1])  # kernels are prepared in the first
        each_s = timed(lambda: self._made(some, self.roles[1]))[1] / len(some)
        room = LOOKING * max(0.0, clock.left_s()) / each_s
        self.pool = int(min(_POOL, max(_LEAST_POOL, room)))

    def _vectors(self, texts: Sequence[str], before: str) -> np.ndarray:
        """(N, D) of texts, each made once while the model is as it was."""
        if self._before is None:
            return self._made(texts, before)
        new = [text for text in dict.fromkeys(texts) if before + text not in self._before]
        if new:
            rows = self._made(new, before)
            self._before |= {before + text: row for text, row in zip(new, rows, strict=True)}
        found: np.ndarray = np.stack([self._before[before + text] for text in texts])
        return found

    def _made(self, texts: Sequence[str], before: str) -> np.ndarray:
        was_training = self.model.training
        self.model.eval()
        with product_type(self.loop.device, self.loop.dtype):
            found = embed(
                self.model, self.tokenizer, [before + text for text in texts], self.plan.context
            )
        self.model.train(was_training)
        return found

    def _encoded(self, texts: Sequence[str], before: str) -> list[np.ndarray]:
        return self.tokenizer.encode_batch([before + text for text in texts], self.plan.context)


def prepare(
    model: Path,
    parts: QuestionParts,
    request: QuestionsRequest,
    plan: QuestionsPlan,
    machine: Machine,
    place: Place,
) -> VectorsProblem:
    """Open the encoder, free what may move, measure it as it is."""
    opened = open_to_train(model, machine.device)
    freed(opened.model, request, place)
    roles = opened.prompts.of("query"), opened.prompts.of("passage")
    loop = loop_of(request, machine, plan.rows)
    problem = VectorsProblem(opened.model, opened.tokenizer, roles, parts, request, plan, loop)
    looked_before(problem, place, "measuring the encoder before")
    return problem


def check_method(method: str) -> None:
    """Raises UsageError for a method that encoders have no part for."""
    if method == "head":
        raise UsageError(
            "--method head: an encoder has no head. Valid: full, last:N, lora, lora:R."
        )
