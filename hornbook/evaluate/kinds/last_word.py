"""Does the model say the next word as it was? LAMBADA (Paperno et al. 2016).

A word counts as said when each of its tokens is the likeliest, as greedy decoding would give it.
"""

from collections.abc import Iterator, Sequence

from hornbook.core.stats import wilson
from hornbook.evaluate.evaluated_model import EvaluatedModel
from hornbook.evaluate.metrics import exp_mean
from hornbook.evaluate.prompts import Prompter
from hornbook.evaluate.task import Item, ItemResult, Metrics, Task
from hornbook.evaluate.templates import Row, render


class LastWordTask(Task):
    """target: what comes after the prompt, with the space before it."""

    target: str

    def templates(self) -> Iterator[str]:
        yield from super().templates()
        yield self.target

    def shown(self, row: Row) -> str:
        return render(self.target, row)

    def measure(
        self, evaluated: EvaluatedModel, items: Sequence[Item], shots: Sequence[Row]
    ) -> list[ItemResult]:
        prompter = Prompter(self, evaluated.tokenizer, evaluated.max_length, shots)
        targets = [render(self.target, item.row) for item in items]
        prompts = [prompter.prompt(item, 16) for item in items]
        requests = [prompter.request(p, t) for p, t in zip(prompts, targets, strict=True)]
        found = evaluated.likelihoods(requests)
        return [
            ItemResult(item, {"target": target, **likelihood._asdict()}, prompt)
            for item, target, prompt, likelihood in zip(items, targets, prompts, found, strict=True)
        ]

    def scores(self, samples: Sequence[ItemResult], seed: int) -> Metrics:
        right = sum(sample.found["greedy"] for sample in samples)
        return {
            "accuracy": wilson(right, len(samples)),
            # Of a word, not of a token, as the field reports it for LAMBADA.
            "perplexity": exp_mean([-sample.found["logprob"] for sample in samples], seed),
        }
