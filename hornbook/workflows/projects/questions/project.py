"""Tuning an encoder on questions: pairs in, a measured model folder and a report out."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np

from hornbook.adapt.method import Method
from hornbook.core.errors import UsageError
from hornbook.core.machine import Machine
from hornbook.core.metrics import MetricsLog
from hornbook.models.classifier import ClassifierConfig
from hornbook.models.encoder import EncoderConfig
from hornbook.models.folder import load_config, weights_fingerprint
from hornbook.models.masked_lm import MaskedLMConfig
from hornbook.models.model import ModelConfig
from hornbook.models.place import resolve
from hornbook.tokenize.sequences import SequenceTokenizer
from hornbook.training.choices import Choice, Planned
from hornbook.workflows.projects.questions import together, vectors
from hornbook.workflows.projects.questions.data import QuestionParts, read_parts
from hornbook.workflows.projects.questions.problem import QuestionsProblem
from hornbook.workflows.projects.questions.request import (
    GROUPS,
    ROWS,
    WRONG,
    QuestionsPlan,
    QuestionsRecipe,
    QuestionsRequest,
    rates,
)
from hornbook.workflows.projects.questions.result import finish
from hornbook.workflows.report.charts import curve
from hornbook.workflows.report.page import Section
from hornbook.workflows.runs import folder as layout
from hornbook.workflows.runs.loop import Trained
from hornbook.workflows.runs.place import Place
from hornbook.workflows.runs.project import Project, file_fingerprint
from hornbook.workflows.runs.report import SHARED, points, write_page
from hornbook.workflows.runs.timed import timed

_MEASURED: Section = ("measured", "Before and after", "之前与之后")
_LONGEST, _COVERED = {"embed": 256, "rerank": 256}, 0.95
"""Tokens that are read at once, at most by default; the share of the passages, or pairs, that are
read to their end."""


class Questions(Project[QuestionsRequest, QuestionsRecipe, QuestionsProblem]):
    """An encoder, and questions with the passages that answer them.

    data: files of pairs, as `read_pairs` takes them. By `task` the encoder goes on to make vectors
    ("embed"), or becomes a cross-encoder that reads both together ("rerank").
    """

    kind = "questions"
    command = "finetune"
    recipe = QuestionsRecipe
    settle = staticmethod(timed)

    def __init__(self, model: Path | str, data: Path | str | Sequence[Path | str]) -> None:
        self.model = resolve(Path(model))
        files = [data] if isinstance(data, Path | str) else data
        self.data = tuple(map(Path, files))
        self._config = load_config(self.model)

    @cached_property
    def parts(self) -> QuestionParts:
        """The pairs, read once."""
        return read_parts(self.data)

    def asked(self, values: dict[str, Any]) -> QuestionsRequest:
        method = Method.parse(values.get("method") or "full")
        request = QuestionsRequest.parse({**values, "method": method.plain()}, "finetune")
        _check(request, self._config, self.model)
        return request

    def fingerprints(self, request: QuestionsRequest) -> dict[str, Any]:
        return {
            "base": weights_fingerprint(self.model),
            "data": tuple(map(file_fingerprint, self.data)),
        }

    def places(self) -> dict[str, Any]:
        return {
            "model": str(self.model.absolute()),
            "data": [str(file.absolute()) for file in self.data],
        }

    @classmethod
    def reopen(cls, recipe: QuestionsRecipe) -> Self:
        return cls(**recipe.places)

    def plan(
        self, machine: Machine, request: QuestionsRequest, place: Place
    ) -> Planned[QuestionsPlan]:
        most = self._config.context
        if request.context is not None and request.context > most:
            raise UsageError(f"--context {request.context}: the model sees {most} tokens.")
        context, why = request.context, "as asked for"
        if context is None:
            tokenizer = SequenceTokenizer.load(self.model)
            passages = [pair.target for pair in self.parts.train]
            lengths = [len(ids) for ids in tokenizer.encode_batch(passages, most)]
            if request.task == "rerank":
                questions = tokenizer.encode_batch([p.source for p in self.parts.train], most)
                lengths = [len(own) + more for own, more in zip(questions, lengths, strict=True)]
            wanted = int(np.quantile(lengths, _COVERED, method="higher"))
            context = min(most, _LONGEST[request.task], max(32, -(-wanted // 32) * 32))
            why = f"{_COVERED:.0%} of the passages have at most {wanted:,} tokens"
            if request.task == "rerank":
                why = f"{_COVERED:.0%} of the pairs have at most {wanted:,} tokens"
        return self._planned(request, context, why)

    def _planned(self, request: QuestionsRequest, context: int, why: str) -> Planned[QuestionsPlan]:
        optimiser, why_rate = rates(request, self._config.width)
        count, wrong = len(self.parts.train), 0
        if request.task == "rerank":
            wrong = min(WRONG, len({pair.target for pair in self.parts.train}) - 1)
        rows = min(GROUPS if request.task == "rerank" else ROWS, count)
        plan = QuestionsPlan(context=context, rows=rows, wrong=wrong, optimiser=optimiser)
        choices = [
            Choice("context", context, why),
            Choice(
                "rows",
                rows,
                f"questions a step, each with its passage among {wrong} that are wrong"
                if request.task == "rerank"
                else "pairs a step: a question is told from the others' passages",
            ),
            Choice("rate", optimiser.matrix_rate, why_rate),
        ]
        return Planned(plan, choices)

    def prepare(
        self, request: QuestionsRequest, plan: QuestionsPlan, machine: Machine, place: Place
    ) -> QuestionsProblem:
        place.progress.say(*self.parts.said())
        prepare = together.prepare if request.task == "rerank" else vectors.prepare
        return prepare(self.model, self.parts, request, plan, machine, place)

    def steps(self, request: QuestionsRequest, problem: QuestionsProblem) -> int | None:
        if request.minutes is not None:
            return None
        return max(1, round(request.passes * problem.steps_per_epoch))

    def finish(
        self,
        recipe: QuestionsRecipe,
        problem: QuestionsProblem,
        trained: Trained,
        facts: dict[str, Any],
        place: Place,
    ) -> dict[str, Any]:
        return finish(self.model, recipe, problem, trained, facts, place)

    def report(self, problem: QuestionsProblem, result: dict[str, Any], place: Place) -> None:
        losses = points(MetricsLog(place.folder / layout.METRICS).rows(), "loss")
        write_page(
            place.folder / layout.REPORT,
            "questions.html.jinja",
            self.recipe.load(place.folder),
            result,
            [_MEASURED, SHARED["curve"], SHARED["choices"]],
            curve=curve({"model": losses}, {}, "pairs · 对"),
        )


def _check(request: QuestionsRequest, config: ModelConfig, model: Path) -> None:
    """Raises UsageError where the model or the method is none for the task."""
    is_encoder = isinstance(config, EncoderConfig | MaskedLMConfig)
    is_cross = isinstance(config, ClassifierConfig) and len(config.labels) == 1
    if request.task == "embed":
        if not is_encoder:
            raise UsageError(
                f"{model} makes no vectors of texts; --task embed tunes an encoder, such as "
                "all-minilm-l6-v2."
            )
        vectors.check_method(request.method.kind)
    elif not is_encoder and not is_cross:
        raise UsageError(
            f"{model} is neither an encoder nor a cross-encoder, which is what --task rerank "
            "begins with; all-minilm-l6-v2 is one."
        )
