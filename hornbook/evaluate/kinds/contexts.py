"""Which of several beginnings makes one ending likeliest? WinoGrande (Sakaguchi et al. 2020).

Scored in part (Trinh and Le 2018, 1806.02847): only the ending, which is the same for all, so that
no beginning is favoured for its own words or its length.
"""

from collections.abc import Iterator, Sequence

from hornbook.core.errors import UsageError
from hornbook.core.stats import Estimate, bootstrap_ratio, wilson
from hornbook.evaluate.answers import AnswerIs, listed, place_of, value_of
from hornbook.evaluate.evaluated_model import EvaluatedModel
from hornbook.evaluate.prompts import Prompter
from hornbook.evaluate.task import Item, ItemResult, Metrics, Prompt, Task
from hornbook.evaluate.templates import Row, render
from hornbook.generate.likelihoods import LikelihoodRequest, encode_pair


class ContextsTask(Task):
    """contexts: templates of the beginnings, or one Jinja expression that gives a list of texts.

    ending: a template of what follows each of them, with the space before it. answer, answer_is: as
    of `choice`: which beginning is right. Equal likelihoods count as wrong.
    """

    contexts: tuple[str, ...] | str
    ending: str
    answer: str
    answer_is: AnswerIs = "any"

    def templates(self) -> Iterator[str]:
        yield from super().templates()
        yield from (self.ending, self.answer)
        if not isinstance(self.contexts, str):
            yield from self.contexts

    def check(self, row: Row) -> None:
        if not render(self.ending, row).strip():
            raise UsageError(f"ending: {self.ending!r} gives nothing to score.")
        super().check(row)

    def shown(self, row: Row) -> str:
        return self._contexts(row)[self._right(row)] + render(self.ending, row)

    def measure(
        self, evaluated: EvaluatedModel, items: Sequence[Item], shots: Sequence[Row]
    ) -> list[ItemResult]:
        prompter = Prompter(self, evaluated.tokenizer, evaluated.max_length, shots)
        endings = [render(self.ending, item.row) for item in items]
        reserve = [
            2 + max(len(evaluated.tokenizer.encode(c + ending)) for c in self._contexts(item.row))
            for item, ending in zip(items, endings, strict=True)
        ]
        prompts = [prompter.prompt(item, most) for item, most in zip(items, reserve, strict=True)]
        requests = [
            _request(evaluated, prompt, text, ending)
            for item, prompt, ending in zip(items, prompts, endings, strict=True)
            for text in self._contexts(item.row)
        ]
        found = iter(evaluated.likelihoods(requests))
        samples = []
        for item, prompt, ending in zip(items, prompts, endings, strict=True):
            texts, right = self._contexts(item.row), self._right(item.row)
            nats = [next(found).logprob for _ in texts]
            best = max(nats)
            values = {
                "contexts": texts,
                "ending": ending,
                "answer": right,
                "logprobs": nats,
                "right": nats[right] == best and nats.count(best) == 1,
            }
            samples.append(ItemResult(item, values, prompt))
        return samples

    def scores(self, samples: Sequence[ItemResult], seed: int) -> Metrics:
        right = sum(sample.found["right"] for sample in samples)
        return {"accuracy": wilson(right, len(samples))}

    def baselines(self, samples: Sequence[ItemResult], seed: int) -> dict[str, Metrics]:
        shares = [1 / len(sample.found["contexts"]) for sample in samples]
        chance = bootstrap_ratio(shares, [1.0] * len(shares)).value
        return {"chance": {"accuracy": Estimate(chance, chance, chance)}}

    def _contexts(self, row: Row) -> list[str]:
        return listed("contexts", self.contexts, row)

    def _right(self, row: Row) -> int:
        return place_of(value_of(self.answer, row), self._contexts(row), self.answer_is)


def _request(
    evaluated: EvaluatedModel, prompt: Prompt, context: str, ending: str
) -> LikelihoodRequest:
    """How likely is the ending after the prompt and this beginning?"""
    if not prompt.chat:
        return encode_pair(evaluated.tokenizer, prompt.text + context, ending)
    pair = encode_pair(evaluated.tokenizer, context, ending)
    return LikelihoodRequest([*prompt.ids, *pair.context], pair.target)
