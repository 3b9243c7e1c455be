"""Answers in the model's own words, against references: questions, summaries, instructions."""

import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, Literal

from pydantic import Field

from hornbook.baselines.lead import lead
from hornbook.core.errors import UsageError
from hornbook.core.stats import Estimate, bootstrap_ratio
from hornbook.evaluate.bleu import Bleu, bleu, require_bleu
from hornbook.evaluate.chrf import chrf
from hornbook.evaluate.evaluated_model import EvaluatedModel
from hornbook.evaluate.metrics import best, exact_match, mean, token_f1
from hornbook.evaluate.prompts import Prompter
from hornbook.evaluate.rouge import ROUGE, rouge
from hornbook.evaluate.task import Item, ItemResult, Metrics, Task
from hornbook.evaluate.templates import Row, as_template, evaluate, missing, no_field, render

Metric = Literal[
    "exact_match", "f1", "rouge1", "rouge2", "rougeL", "bleu", "chrf", "answer_bits_per_byte"
]
_CORPUS: dict[str, Callable[..., Bleu]] = {"bleu": bleu, "chrf": chrf}


class GenerateTask(Task):
    """answers: a Jinja expression that gives one right text or a list of them.

    target: what a shot shows; the first answer after a space, if not given. metrics: scores,
    `answer_bits_per_byte` being how well the model foretells the first right answer. language: of
    the articles that exact match and F1 leave out. max_tokens, stop: where an answer ends. source:
    the text that is summarised, whose first sentences are the baseline.
    """

    answers: str
    target: str | None = None
    metrics: tuple[Metric, ...] = Field(min_length=1)
    language: Literal["en", "de", "es", "fr", "zh"] = "en"
    max_tokens: int = Field(default=64, ge=1)
    stop: tuple[str, ...] = ()
    source: str | None = None

    def templates(self) -> Iterator[str]:
        yield from super().templates()
        yield from filter(None, (self.target, self.source))

    def check(self, row: Row) -> None:
        if (name := missing(as_template(self.answers), row)) is not None:
            raise no_field(self.answers, name, row)
        super().check(row)

    def shown(self, row: Row) -> str:
        return " " + self._right(row)[0] if self.target is None else render(self.target, row)

    def measure(
        self, evaluated: EvaluatedModel, items: Sequence[Item], shots: Sequence[Row]
    ) -> list[ItemResult]:
        if any(name in _CORPUS for name in self.metrics):
            require_bleu()
        prompter = Prompter(self, evaluated.tokenizer, evaluated.max_length, shots)
        prompts = [prompter.prompt(item, self.max_tokens + 1) for item in items]
        for item, prompt in zip(items, prompts, strict=True):
            if len(prompt.ids) >= evaluated.max_length:
                raise UsageError(
                    f"The prompt of row {item.number} has {len(prompt.ids)} tokens; this model "
                    f"takes {evaluated.max_length - 1}. Say in the task which field may be `cut`."
                )
        ids = [prompt.ids for prompt in prompts]
        texts = evaluated.answers(ids, self.max_tokens, self.stop, prompter.chat)
        samples = [
            ItemResult(item, self._scored(text, self._right(item.row), item.row), prompt)
            for item, text, prompt in zip(items, texts, prompts, strict=True)
        ]
        if "answer_bits_per_byte" in self.metrics:
            requests = [
                prompter.request(prompt, self.shown(item.row))
                for item, prompt in zip(items, prompts, strict=True)
            ]
            for sample, found in zip(samples, evaluated.likelihoods(requests), strict=True):
                sample.found["answer_logprob"] = found.logprob
        return samples

    def scores(self, samples: Sequence[ItemResult], seed: int) -> Metrics:
        return {name: self._metric(name, samples, seed) for name in self.metrics}

    def baselines(self, samples: Sequence[ItemResult], seed: int) -> dict[str, Metrics]:
        """Lead-3: the first three sentences of what is summarised."""
        if self.source is None:
            return {}
        names = [name for name in self.metrics if name != "answer_bits_per_byte"]
        leads = []
        for sample in samples:
            first = lead(render(self.source, sample.item.row))
            found = self._scored(first, sample.found["answers"], sample.item.row)
            leads.append(ItemResult(sample.item, found))
        return {"lead-3": {name: self._metric(name, leads, seed) for name in names}}

    def details(self, samples: Sequence[ItemResult]) -> dict[str, Any]:
        signatures = {
            name: measure(["a b c d"], ["a b c d"], rounds=1).signature
            for name, measure in _CORPUS.items()
            if name in self.metrics
        }
        return {"signatures": signatures} if signatures else {}

    def _scored(self, text: str, answers: list[str], row: Row) -> dict[str, Any]:
        """The answer, and its scores that need no other answers."""
        text = text.strip()
        found: dict[str, Any] = {"answer": text, "answers": answers}
        language = self.language
        measures = {
            "exact_match": partial(exact_match, language=language),
            "f1": partial(token_f1, language=language),
        }
        for name, measure in measures.items():
            if name in self.metrics:
                found[name] = best(measure, text, answers)
        if any(name in ROUGE for name in self.metrics):
            every = [rouge(text, answer) for answer in answers]
            found |= {name: max(one[name] for one in every) for name in ROUGE}
        return found

    def _metric(self, name: str, samples: Sequence[ItemResult], seed: int) -> Estimate:
        if name in _CORPUS:
            outputs = [sample.found["answer"] for sample in samples]
            references = [sample.found["answers"][0] for sample in samples]
            return _CORPUS[name](outputs, references, seed).score
        if name == "answer_bits_per_byte":
            nats = [-sample.found["answer_logprob"] / math.log(2) for sample in samples]
            sizes = [len(self.shown(sample.item.row).encode("utf-8")) for sample in samples]
            return bootstrap_ratio(nats, sizes, seed)
        return mean([sample.found[name] for sample in samples], seed)

    def _right(self, row: Row) -> list[str]:
        found = evaluate(self.answers, row)
        answers = [found] if isinstance(found, str) else found
        if not isinstance(answers, list | tuple) or not answers:
            raise UsageError(f"answers: {self.answers!r} gives {found!r}, not a text or a list.")
        return [str(answer) for answer in answers]
