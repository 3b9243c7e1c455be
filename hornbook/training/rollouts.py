"""Answers drawn from the model as it is now, what they are worth, and the batch of a step of them.

Answers depend on the weights, the seed, the step and the prompt, so that a run that was stopped and
goes on draws the same. They are drawn at temperature 1 from all tokens: the policy that is improved
is the one that writes.
"""

import copy
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

from hornbook.batches.rollouts import Rollout, RolloutBatch, batch_of
from hornbook.generate.sampling import SamplingConfig
from hornbook.generate.text import Answer, Writing, write_together
from hornbook.models.causal_lm import CausalLM
from hornbook.tokenize.tokenizer import Tokenizer
from hornbook.training.loop import LoopConfig
from hornbook.training.policy import advantages, reference_logs
from hornbook.training.precision import product_type

Score = Callable[[str, Any], float]
"""What a text is worth, 0 to 1, held against the goal of its prompt."""


class CheckedPrompt(NamedTuple):
    """ids: up to where an answer begins. goal: what answers are held against."""

    ids: list[int]
    goal: Any


class DrawnAnswers(NamedTuple):
    """Answers to a prompt, and what each is worth, (G,)."""

    prompt: CheckedPrompt
    answers: list[Answer]
    rewards: np.ndarray


class Drawing:
    """Draws answers and says what they are worth. most: tokens of an answer. An answer that has not
    ended by then is worth nothing: it is no answer yet, and none may be paid for going on."""

    def __init__(
        self, model: CausalLM, tokenizer: Tokenizer, score: Score, most: int, loop: LoopConfig
    ) -> None:
        self.model, self.most, self.loop = model, most, loop
        self._tokenizer, self._score = tokenizer, score

    def draw(
        self, prompts: Sequence[CheckedPrompt], count: int, seeds: Sequence[int], logs: bool = False
    ) -> list[DrawnAnswers]:
        """`count` answers to each prompt, with its seed. logs: give the tokens' log-probabilities
        too."""
        config = SamplingConfig(max_tokens=self.most, top_logprobs=0 if logs else None)
        writings = [
            Writing(
                self._tokenizer,
                Answer(list(prompt.ids)),
                self._tokenizer.stop_ids,
                config.model_copy(update={"seed": seed, "answer": number}),
            )
            for prompt, seed in zip(prompts, seeds, strict=True)
            for number in range(count)
        ]
        answers = write_all(self.model, writings, self.loop)
        return [
            self._judged(prompt, answers[at * count : (at + 1) * count])
            for at, prompt in enumerate(prompts)
        ]

    def _judged(self, prompt: CheckedPrompt, answers: list[Answer]) -> DrawnAnswers:
        rewards = [
            self._score(answer.text, prompt.goal) if answer.finish_reason == "stop" else 0.0
            for answer in answers
        ]
        assert all(0 <= reward <= 1 for reward in rewards)
        return DrawnAnswers(prompt, answers, np.array(rewards))


class StepFigures(NamedTuple):
    """Of the answers of a step. reward: their mean. flat: share of the groups that teach nothing,
    as all answers are worth the same. length: mean tokens. cut: share that did not end."""

    reward: float
    flat: float
    length: float
    cut: float


class RolloutBatches:
    """Batches of `rows` prompts with `group` answers each; every prompt is asked once an epoch, in
    an order that depends on (seed, epoch) only. reference: what the model is held to, or None.

    last: of the batch that was made last.
    """

    last: StepFigures

    def __init__(
        self,
        drawing: Drawing,
        prompts: Sequence[CheckedPrompt],
        reference: CausalLM | None,
        rows: int,
        group: int,
        padding: int,
    ) -> None:
        self.drawing, self.prompts, self.reference = drawing, prompts, reference
        self.rows, self.group, self._padding = rows, group, padding

    @property
    def steps_per_epoch(self) -> int:
        return -(-len(self.prompts) // self.rows)

    def of(self, rows: int) -> "RolloutBatches":
        """The same prompts, so many a step."""
        other = copy.copy(self)
        other.rows = rows
        return other

    def batch(self, step: int) -> RolloutBatch:
        """Draw the answers of a step; those that teach nothing are left out."""
        seed = self.drawing.loop.seed
        epoch, index = divmod(step, self.steps_per_epoch)
        order = np.random.default_rng([seed, epoch]).permutation(len(self.prompts))
        places = order[index * self.rows : (index + 1) * self.rows].tolist()
        drawn = self.drawing.draw(
            [self.prompts[i] for i in places], self.group, [seed_of(seed, step, i) for i in places]
        )
        self.last = _figures(drawn)
        return self._with_reference(self._taught(drawn))

    def _taught(self, drawn: Sequence[DrawnAnswers]) -> RolloutBatch:
        """The answers whose advantage is not 0; one without any weight where there is none."""
        values = advantages(np.stack([one.rewards for one in drawn]))
        every = [
            Rollout(one.prompt.ids, answer.token_ids, float(value))
            for one, row in zip(drawn, values, strict=True)
            for answer, value in zip(one.answers, row, strict=True)
        ]
        flat = (values == 0).all(1).repeat(self.group)
        taught = [one for one, nothing in zip(every, flat, strict=True) if not nothing]
        scale = len(taught) / (len(every) * self.drawing.most)
        return batch_of(taught or every[:1], scale, self._padding)

    def _with_reference(self, batch: RolloutBatch) -> RolloutBatch:
        if self.reference is None:
            return batch
        loop = self.drawing.loop
        found = torch.zeros(batch.answers.targets.shape)
        for at, part in enumerate(batch.split(loop.micro_rows)):
            answers = part.answers.to(loop.device)
            with product_type(loop.device, loop.dtype):
                logs = reference_logs(self.reference, answers)
            first = at * loop.micro_rows
            found[first : first + len(logs), : logs.shape[1]] = logs.cpu()
        return batch._replace(reference=found)


def write_all(model: CausalLM, writings: Sequence[Writing], loop: LoopConfig) -> list[Answer]:
    """Write answers by a model that learns, as it is now; it keeps its mode."""
    was_training = model.training
    model.eval()
    with product_type(loop.device, loop.dtype):
        write_together(model, writings)
    model.train(was_training)
    return [writing.answer for writing in writings]


def seed_of(*place: int) -> int:
    """A seed for each place, such as a run's seed, a step and a prompt."""
    return int(np.random.SeedSequence(place).generate_state(1, np.uint64)[0] >> np.uint64(1))


def _figures(drawn: Sequence[DrawnAnswers]) -> StepFigures:
    answers = [answer for one in drawn for answer in one.answers]
    return StepFigures(
        reward=float(np.mean([one.rewards.mean() for one in drawn])),
        flat=float(np.mean([np.ptp(one.rewards) == 0 for one in drawn])),
        length=float(np.mean([len(answer.token_ids) for answer in answers])),
        cut=float(np.mean([answer.finish_reason != "stop" for answer in answers])),
    )
