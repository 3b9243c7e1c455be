"""Which of two sentences is likelier? BLiMP (Warstadt et al. 2020): the grammatical one should be.

By the sum of log-probabilities, as in the paper; and by that sum per byte, which does not favour
the shorter sentence.
"""

from collections.abc import Iterator, Sequence

from hornbook.core.stats import Estimate, wilson
from hornbook.evaluate.evaluated_model import EvaluatedModel
from hornbook.evaluate.prompts import Prompter
from hornbook.evaluate.task import Item, ItemResult, Metrics, Task
from hornbook.evaluate.templates import Row, render


class PairTask(Task):
    """good, bad: the two sentences. Equal likelihoods count as wrong."""

    good: str
    bad: str

    def templates(self) -> Iterator[str]:
        yield from super().templates()
        yield from (self.good, self.bad)

    def shown(self, row: Row) -> str:
        return render(self.good, row)

    def measure(
        self, evaluated: EvaluatedModel, items: Sequence[Item], shots: Sequence[Row]
    ) -> list[ItemResult]:
        prompter = Prompter(self, evaluated.tokenizer, evaluated.max_length, shots)
        prompts = [prompter.prompt(item, 64) for item in items]
        texts = [(render(self.good, item.row), render(self.bad, item.row)) for item in items]
        requests = [
            prompter.request(prompt, text)
            for prompt, both in zip(prompts, texts, strict=True)
            for text in both
        ]
        found = evaluated.likelihoods(requests)
        samples = []
        for i, (item, (good, bad)) in enumerate(zip(items, texts, strict=True)):
            one, other = (likelihood.logprob for likelihood in found[2 * i : 2 * i + 2])
            per_byte = [
                nats / len(text.encode("utf-8")) for nats, text in ((one, good), (other, bad))
            ]
            values = {
                "good": good,
                "bad": bad,
                "logprobs": [one, other],
                "right": one > other,
                "right_per_byte": per_byte[0] > per_byte[1],
            }
            samples.append(ItemResult(item, values, prompts[i]))
        return samples

    def scores(self, samples: Sequence[ItemResult], seed: int) -> Metrics:
        right = sum(sample.found["right"] for sample in samples)
        per_byte = sum(sample.found["right_per_byte"] for sample in samples)
        return {
            "accuracy": wilson(right, len(samples)),
            "accuracy_per_byte": wilson(per_byte, len(samples)),
        }

    def baselines(self, samples: Sequence[ItemResult], seed: int) -> dict[str, Metrics]:
        return {"chance": {"accuracy": Estimate(0.5, 0.5, 0.5)}}
