"""Classification by the likelihood of label words: which label is likeliest after the text?

The probabilities are the likelihoods of the labels' words divided by their sum, which says how sure
the model is among the labels, and lets calibration be measured. `calibrate_prior` divides each by
its likelihood after an empty text first (Zhao et al. 2021), for small models like one word more
than another whatever they read.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal

import numpy as np
from pydantic import Field

from hornbook.core.errors import UsageError, nearest
from hornbook.core.stats import wilson
from hornbook.evaluate.answers import plain_text, value_of
from hornbook.evaluate.classification import classification_scores, confusion
from hornbook.evaluate.evaluated_model import EvaluatedModel
from hornbook.evaluate.prompts import Prompter
from hornbook.evaluate.task import Item, ItemResult, Metrics, Prompt, Task
from hornbook.evaluate.templates import Row, render
from hornbook.generate.likelihoods import Likelihood

_SIZES: dict[str, Callable[[Likelihood, str], int]] = {
    "none": lambda found, word: 1,
    "tokens": lambda found, word: found.tokens,
    "bytes": lambda found, word: len(word.encode("utf-8")),
}


class ClassifyTask(Task):
    """labels: the word or words that stand for each label, by label; the space before belongs to
    them. answer: a template that gives the label. normalise: divide a word's log-probability by its
    tokens or bytes, for words of unequal length. calibrate_prior: see above; `cut` names the text
    that is emptied.
    """

    labels: dict[str, str] = Field(min_length=2)
    answer: str
    normalise: Literal["none", "tokens", "bytes"] = "none"
    calibrate_prior: bool = False
    balanced: bool = True

    def templates(self) -> Iterator[str]:
        yield from super().templates()
        yield self.answer

    def check(self, row: Row) -> None:
        if self.calibrate_prior and self.cut is None:
            raise UsageError("calibrate_prior empties the field `cut`, and the task names none.")
        super().check(row)

    def label(self, row: Row) -> str:
        label = render(self.answer, row)
        if label not in self.labels:
            label = plain_text(value_of(self.answer, row))  # true and 1, not Python's True and 1.0
        if label not in self.labels:
            raise UsageError(f"The label {label!r} has no words. {nearest(label, self.labels)}")
        return label

    def shown(self, row: Row) -> str:
        return self.labels[self.label(row)]

    def measure(
        self, evaluated: EvaluatedModel, items: Sequence[Item], shots: Sequence[Row]
    ) -> list[ItemResult]:
        prompter = Prompter(self, evaluated.tokenizer, evaluated.max_length, shots)
        words = list(self.labels.values())
        reserve = 2 + max(len(evaluated.tokenizer.encode(word)) for word in words)
        asked = list(items)
        if self.calibrate_prior:
            assert self.cut is not None
            asked.append(Item(-1, {**items[0].row, self.cut: ""}, ""))
        prompts = [prompter.prompt(item, reserve) for item in asked]
        found = evaluated.likelihoods(
            [prompter.request(prompt, word) for prompt in prompts for word in words]
        )
        logs = np.array([self._log(one, words[i % len(words)]) for i, one in enumerate(found)])
        logs = logs.reshape(len(asked), len(words))
        if self.calibrate_prior:
            logs = logs[:-1] - logs[-1]
        weights = np.exp(logs - logs.max(1, keepdims=True))
        shares = weights / weights.sum(1, keepdims=True)
        return [
            self._sample(item, row, prompt)
            for item, row, prompt in zip(items, shares, prompts, strict=False)
        ]

    def judged(
        self, labels: Sequence[str], shares: np.ndarray, items: Sequence[Item]
    ) -> list[ItemResult]:
        """The samples of a classifier that was asked nothing: (N, L) probabilities of its labels.

        Raises UsageError when its labels are not those of the task.
        """
        for label in labels:
            if label not in self.labels:
                raise UsageError(
                    f"The classifier knows the label {label!r}, and the task does not. "
                    f"{nearest(label, self.labels)}"
                )
        columns = [labels.index(name) if name in labels else -1 for name in self.labels]
        padded = np.concatenate([shares, np.zeros((len(shares), 1))], 1)  # what it never says
        return [
            self._sample(i, row, None) for i, row in zip(items, padded[:, columns], strict=True)
        ]

    def _sample(self, item: Item, shares: np.ndarray, prompt: Prompt | None) -> ItemResult:
        names = list(self.labels)
        found = {
            "label": self.label(item.row),
            "answer": names[int(shares.argmax())],
            "probabilities": dict(zip(names, shares.tolist(), strict=True)),
        }
        return ItemResult(item, found, prompt)

    def scores(self, samples: Sequence[ItemResult], seed: int) -> Metrics:
        names = list(self.labels)
        shares = np.array([list(sample.found["probabilities"].values()) for sample in samples])
        truth = np.array([names.index(sample.found["label"]) for sample in samples])
        return classification_scores(shares, truth, names, seed)

    def baselines(self, samples: Sequence[ItemResult], seed: int) -> Mapping[str, Metrics]:
        often = Counter(sample.found["label"] for sample in samples).most_common(1)[0][1]
        return {"most frequent label": {"accuracy": wilson(often, len(samples))}}

    def details(self, samples: Sequence[ItemResult]) -> dict[str, Any]:
        """The confusion table: rows are the right labels, columns the answers."""
        names = list(self.labels)
        truth, guesses = (
            np.array([names.index(sample.found[key]) for sample in samples])
            for key in ("label", "answer")
        )
        return {"labels": names, "confusion": confusion(guesses, truth, len(names)).tolist()}

    def _log(self, found: Likelihood, word: str) -> float:
        return found.logprob / _SIZES[self.normalise](found, word)
