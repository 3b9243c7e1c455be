"""Multiple choice by likelihood: which answer is likeliest after the question?

By the sum of log-probabilities, and by that sum per token and per byte of the answer, which do not
favour short ones (lm-eval's `acc` and `acc_norm`).
"""

from collections.abc import Iterator, Sequence
from typing import Any

from hornbook.core.errors import UsageError
from hornbook.core.stats import Estimate, bootstrap_ratio, wilson
from hornbook.evaluate.prompts import Prompter
from hornbook.evaluate.subject import Subject
from hornbook.evaluate.task import Item, Metrics, Sample, Task
from hornbook.evaluate.templates import Row, as_template, evaluate, missing, no_field, render

_RIGHT = {"": "accuracy", "_per_token": "accuracy_per_token", "_per_byte": "accuracy_per_byte"}


class ChoiceTask(Task):
    """choices: templates, or one Jinja expression that gives a list of texts.

    answer: a template that gives the right choice: its number from 0, its letter, or its text.
    before: what stands between prompt and choice.
    """

    choices: tuple[str, ...] | str
    answer: str
    before: str = " "

    def templates(self) -> Iterator[str]:
        yield from super().templates()
        yield self.answer
        if not isinstance(self.choices, str):
            yield from self.choices

    def check(self, row: Row) -> None:
        if isinstance(self.choices, str):
            name = missing(as_template(self.choices), row)
            if name is not None:
                raise no_field(self.choices, name, row)
        super().check(row)

    def shown(self, row: Row) -> str:
        return self.before + self._choices(row)[self._right(row)]

    def measure(
        self, subject: Subject, items: Sequence[Item], shots: Sequence[Row]
    ) -> list[Sample]:
        prompter = Prompter(self, subject.tokenizer, subject.room, shots)
        choices = [self._choices(item.row) for item in items]
        prompts = [
            prompter.prompt(item, 2 + max(len(subject.tokenizer.encode(text)) for text in texts))
            for item, texts in zip(items, choices, strict=True)
        ]
        requests = [
            prompter.request(prompt, self.before + text)
            for prompt, texts in zip(prompts, choices, strict=True)
            for text in texts
        ]
        found = iter(subject.likelihoods(requests))
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
            samples.append(Sample(item, values, prompt))
        return samples

    def scores(self, samples: Sequence[Sample], seed: int) -> Metrics:
        return {
            metric: wilson(sum(sample.found[f"right{name}"] for sample in samples), len(samples))
            for name, metric in _RIGHT.items()
        }

    def floors(self, samples: Sequence[Sample], seed: int) -> dict[str, Metrics]:
        shares = [1 / len(sample.found["choices"]) for sample in samples]
        chance = bootstrap_ratio(shares, [1.0] * len(shares)).value
        return {"chance": {"accuracy": Estimate(chance, chance, chance)}}

    def _choices(self, row: Row) -> list[str]:
        if not isinstance(self.choices, str):
            return [render(choice, row) for choice in self.choices]
        found = evaluate(self.choices, row)
        if not isinstance(found, list | tuple) or not found or "" in map(str, found):
            raise UsageError(f"choices: {self.choices!r} gives {found!r}, not a list of texts.")
        return [str(choice) for choice in found]

    def _right(self, row: Row) -> int:
        choices, answer = self._choices(row), render(self.answer, row).strip()
        if answer in choices:
            return choices.index(answer)
        letter = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[: len(choices)].find(answer.upper())
        number = int(answer) if answer.isdecimal() else letter if len(answer) == 1 else -1
        if not 0 <= number < len(choices):
            raise UsageError(f"answer: {answer!r} is none of {len(choices)} choices: {choices}.")
        return number
