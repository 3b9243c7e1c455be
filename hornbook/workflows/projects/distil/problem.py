"""Learning from a teacher: what it expects of the data, then of what the student writes itself."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from hornbook.batches.batch import Batch
from hornbook.batches.conversations import Example
from hornbook.batches.taught import (
    Beginnings,
    TaughtBatch,
    TaughtConversations,
    written_rows,
)
from hornbook.core.clock import Clock
from hornbook.generate.sampling import SamplingConfig
from hornbook.generate.text import Answer, Writing
from hornbook.models.causal_lm import CausalLM
from hornbook.training.distillation import divergences
from hornbook.training.forecast import gradient_seconds, timed
from hornbook.training.forgetting import Scores
from hornbook.training.loop import LoopConfig
from hornbook.training.parallel.spread import spread
from hornbook.training.precision import product_type
from hornbook.training.rollouts import seed_of, write_all
from hornbook.training.schedule import last_step
from hornbook.training.state import TrainState
from hornbook.workflows.projects.answers.goal import Parts
from hornbook.workflows.projects.answers.problem import AnswersProblem
from hornbook.workflows.projects.distil.request import DistilPlan, DistilRequest
from hornbook.workflows.projects.distil.teacher import Teacher, expected_bytes, targets_of
from hornbook.workflows.runs.settle import disk_bytes

_MEASURED, _LEAST_MEASURED, _LESS = 48, 4, 3
"""Texts that the student goes on with at the end, at most and at least; and how many times fewer
when it is looked at while it learns."""
_LOOKING = 0.02
"""Of the minutes, what going on with them once may take."""
_AT_ONCE = 8
"""Texts that are written together where they are measured."""
_WRITING = 1_000_003
"""Of a seed: what is written does not follow the order of rows."""


class Taught(NamedTuple):
    """The teacher with its weights. examples: those that it was asked about. beginnings: of the
    parts, to go on with. seconds: that asking took."""

    teacher: Teacher
    model: CausalLM
    examples: Sequence[Example]
    beginnings: dict[str, Beginnings]
    seconds: float


class TokenizerIds:
    """Allows the ids that a tokenizer has: a student's head may have more, which its teacher does
    not know."""

    def __init__(self, count: int, vocab: int) -> None:
        self._allowed = np.arange(vocab) < count

    def allowed(self) -> np.ndarray:
        return self._allowed

    def advance(self, id: int, /) -> None:
        """Nothing changes."""


class DistilProblem(AnswersProblem):
    """The loss of answers beside the divergence from a teacher. taught: None for the data alone.
    parts: all that is learned from, and what is scored. own_before: how far the student was from
    the teacher on its own text.

    The best weights are those with the least held-out loss; where the student learns from its own
    text, the divergence on such text is added to it: both are nats a token.
    """

    measure = "measure"
    most_passes = 30  # a teacher says more of a text than is learned in a few passes

    request: DistilRequest
    plan: DistilPlan
    batches: TaughtConversations
    parts: Parts
    taught: Taught | None = None
    own_before: Scores | None = None

    def teach(self, taught: Taught, clock: Clock) -> None:
        """Have a teacher, and measure how far from it the student is before."""
        self.taught = taught
        if self.plan.own_texts is None:
            self.plan = self.plan.model_copy(update={"own_texts": self._texts_in_time(clock)})
        if self.request.on_policy:
            own, seconds = timed(lambda: self.own_text("validation"))
            self.untrained = self.before.validation + own.ratio().value
            self.score_s += seconds
        self.own_before = self.own_text("test")

    def _texts_in_time(self, clock: Clock) -> int:
        """How many texts there is time to go on with at the end."""
        if not clock.limited:
            return _MEASURED
        self._measured_text("test", self.model, [0])  # kernels are prepared in the first
        each_s = timed(lambda: self._measured_text("test", self.model, [0]))[1]
        room = int(_LOOKING * max(0.0, clock.left_s()) / each_s)
        return max(_LEAST_MEASURED, min(_MEASURED, room))

    def batch(self, state: TrainState, config: LoopConfig) -> TaughtBatch:
        """Of the data; in the last steps half of the rows are what the student writes now."""
        if self.writes(state, config):
            return self.mixed(state.step)
        return self.batches.batch(state.step)

    def writes(self, state: TrainState, config: LoopConfig) -> bool:
        """Whether it learns from its own text in the step that comes."""
        last = last_step(config.steps, state.cuts)
        return state.step >= last - round(self.request.on_policy * last)

    def mixed(self, step: int) -> TaughtBatch:
        """Rows of the data, and as many texts that the student writes as it is now."""
        given = self.batches.batch(step, self._rows_given())
        return given._replace(written=self.own_batch(step).written)

    def _rows_given(self) -> int:
        """Rows of the data in a step in which the student writes."""
        return max(1, self.plan.rows // 2)

    def own_batch(self, step: int) -> TaughtBatch:
        """What the student writes in it."""
        assert self.taught is not None
        seed = (_WRITING + self.request.seed, step)
        prompts = self.taught.beginnings["train"].draw(-(-self.plan.rows // 2), seed)
        return TaughtBatch(None, None, self._written(self.model, prompts, seed))

    def _written(
        self, model: CausalLM, prompts: Sequence[Sequence[int]], seed: Sequence[int]
    ) -> Batch:
        """What a model writes after some beginnings, with random numbers of its own each."""
        tokenizer, longest = self.tokenizer, longest_written(self.request, self.plan)
        more = model.vocab > tokenizer.vocab_size
        known = TokenizerIds(tokenizer.vocab_size, model.vocab) if more else None
        writings = [
            Writing(
                tokenizer,
                Answer(list(prompt)),
                tokenizer.stop_ids,
                SamplingConfig(
                    seed=seed_of(*seed, row),
                    max_tokens=min(longest, self.plan.context - len(prompt)),
                ),
                known,
            )
            for row, prompt in enumerate(prompts)
        ]
        texts = [answer.token_ids for answer in write_all(model, writings, self.loop)]
        return written_rows(prompts, texts, self.goal.batches.padding)

    def own_text(self, part: str, model: CausalLM | None = None) -> Scores:
        """How far a model, by default this one, is from the teacher on what it writes itself after
        beginnings of a part: nats a token of each text. The same random numbers each time."""
        assert self.taught is not None and self.plan.own_texts is not None
        there, most = len(self.taught.beginnings[part]), self.plan.own_texts
        count = min(there, most if part == "test" else max(1, most // _LESS))
        groups = [range(at, min(at + _AT_ONCE, count)) for at in range(0, count, _AT_ONCE)]
        used = model or self.model
        parts = spread(lambda places: self._measured_text(part, used, places), groups)
        found = [one for part in parts for one in part]
        return Scores(found, [1.0] * len(found))

    def _measured_text(self, part: str, model: CausalLM, places: Sequence[int]) -> list[float]:
        """Of some beginnings of a part: nats a token of what a model writes after each."""
        taught = self.taught
        assert taught is not None
        held = taught.beginnings[part].each((_WRITING, 0), places[-1] + 1)
        was_training = model.training
        model.eval()
        batch = self._written(model, [held[i] for i in places], (_WRITING, places[0]))
        batch = batch.to(self.loop.device)
        with product_type(self.loop.device, self.loop.dtype):
            sums, counts = divergences(model, taught.model, batch, self.tokenizer.vocab_size)
        model.train(was_training)
        return [nats / tokens for nats, tokens in zip(sums, counts, strict=True)]

    def score(self) -> dict[str, float]:
        found = super().score()
        if self.taught is None or not self.request.on_policy:
            return {**found, "measure": found["loss"]}
        own = self.own_text("validation").ratio().value
        return {**found, "divergence": own, "measure": found["loss"] + own}

    def said(self, figures: dict[str, float]) -> str:
        said = super().said(figures)
        if (own := figures.get("divergence")) is None:
            return said
        return f"{said}, {own:.4f} from the teacher on its own text"

    def mean_step_s(self, first_s: float) -> float:
        """Steps in which the student writes take longer."""
        share = self.request.on_policy
        if not share or not first_s:
            return first_s
        given = self.batches
        self.batches = _Written(self)  # type: ignore[assignment]
        try:
            written_s = gradient_seconds(self, first_s)
        finally:
            self.batches = given
        written_s += first_s * self._rows_given() / self.plan.rows
        return (1 - share) * first_s + share * written_s

    def ending_s(self, score_s: float) -> float:
        """With what the student writes at the end."""
        return super().ending_s(score_s) + (_LESS * score_s if self.taught else 0.0)

    @property
    def stored_bytes(self) -> int:
        """What the teacher expects, and the training that this one is compared with."""
        if self.taught is None:
            return 0
        targets = sum(map(targets_of, self.taught.examples))
        stored = expected_bytes(targets, self.request, self.tokenizer.vocab_size)
        return stored + (disk_bytes(self.model) if self.request.compare else 0)


class _Written(NamedTuple):
    """What the student writes, as batches, to be timed by itself."""

    problem: DistilProblem

    def batch(self, step: int) -> TaughtBatch:
        return self.problem.own_batch(step)


def longest_written(request: DistilRequest, plan: DistilPlan) -> int:
    """Tokens that a student writes: so that as much is left for what it goes on with."""
    return max(1, min(request.written, plan.context // 2))
