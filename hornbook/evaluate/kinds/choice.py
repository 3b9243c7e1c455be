"""Multiple choice by likelihood: which answer is likeliest after the question?

By the sum of log-probabilities, and by that sum per token and per byte of the answer, which do not
favour short ones (lm-eval's `acc` and `acc_norm`).
"""

from collections.abc import Iterator, Sequence
from typing import Any

from hornbook.core.stats import Estimate, bootstrap_ratio, wilson
from hornbook.evaluate.answers import AnswerIs, listed, place_of, value_of
from hornbook.evaluate.evaluated_model import EvaluatedModel
from hornbook.evaluate.prompts import Prompter
from hornbook.evaluate.task import Item, ItemResult, Metrics, Task
from hornbook.evaluate.templates import Row

_RIGHT = {"": "accuracy", "_per_token": "accuracy_per_token", "_per_byte": "accuracy_per_byte"}


class ChoiceTask(Task):
    """choices: templates, or one Jinja expression that gives a list of texts.

    answer: a template that gives the right choice: a number is its place from 0, a text its letter
    or its text. answer_is: index (a place from 0), number (a place from 1), letter or text, where
    rows could mean another. before: what stands between prompt and choice.
    """

    choices: tuple[str, ...] | str
    answer: str
    answer_is: AnswerIs = "any"
    before: str = " "

    def templates(self) -> Iterator[str]:
        yield from super().templates()
        yield self.answer
        if not isinstance(self.choices, str):
            yield from self.choices

    def shown(self, row: Row) -> str:
        return self.before + self._choices(row)[self._right(row)]

    def measure(
        self, evaluated: EvaluatedModel, items: Sequence[Item], shots: Sequence[Row]
    ) -> list[ItemResult]:
        prompter = Prompter(self, evaluated.tokenizer, evaluated.max_length, shots)
        choices = [self._choices(item.row) for item in items]
        prompts = [
            prompter.prompt(item, 2 + max(len(evaluated.tokenizer.encode(text)) for text in texts))
            for item, texts in zip(items, choices, strict=True)
        ]
        requests = [
            prompter.request(prompt, self.before + text)
            for prompt, texts in zip(prompts, choices, strict=True)
            for text in texts
        ]
        found = iter(evaluated.likelihoods(requests))
        samples = []
        for item, texts, prompt in zip(items, choices, prompts, strict=True):
            nats = [next(found) for _ in texts]
            by = {
                "": [n.logprob for n in nats],
                "_per_token": [n.logprob / n.tokens for n in nats],
                "_per_byte": [
                    n.logprob / len(text.encode("utf-8"))
                    for n, text in zip(nats, texts, strict=True)
                ],
            }
            right = self._right(item.row)
            values: dict[str, Any] = {"choices": texts, "answer": right, "logprobs": by[""]}
            for name, scores in by.items():
                values[f"right{name}"] = max(range(len(texts)), key=scores.__getitem__) == right
            samples.append(ItemResult(item, values, prompt))
        return samples

    def scores(self, samples: Sequence[ItemResult], seed: int) -> Metrics:
        return {
            metric: wilson(sum(sample.found[f"right{name}"] for sample in samples), len(samples))
            for name, metric in _RIGHT.items()
        }

    def baselines(self, samples: Sequence[ItemResult], seed: int) -> dict[str, Metrics]:
        shares = [1 / len(sample.found["choices"]) for sample in samples]
        chance = bootstrap_ratio(shares, [1.0] * len(shares)).value
        return {"chance": {"accuracy": Estimate(chance, chance, chance)}}

    def _choices(self, row: Row) -> list[str]:
        return listed("choices", self.choices, row)

    def _right(self, row: Row) -> int:
        return place_of(value_of(self.answer, row), self._choices(row), self.answer_is)
