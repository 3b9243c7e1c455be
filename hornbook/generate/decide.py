"""Decisions on a text by likelihood: predicates, choices and scores with probabilities.

A choice is as likely as the model finds its words after the text and the question. Small models
like some words whatever they read, so each likelihood is divided by what the choice gets where
there is no text (contextual calibration, Zhao et al. 2021, 2102.09690). That takes the prompt's
bias away; how often answers of 0.9 are right is measured only by examples with known answers, by
which a temperature is fitted (`calibrated_logs`).
"""

import re
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np

from hornbook.core.errors import HornbookError, UsageError
from hornbook.generate.likelihoods import Likelihood, LikelihoodRequest, encode_pair
from hornbook.tokenize.tokenizer import Tokenizer

_HAN = re.compile(r"[\u3400-\u9fff]")
_NOTHING = ("", "N/A", "[MASK]")
"""Texts without content, as the paper has them."""
_CUT_TRIES = 12
YES_NO = {"en": ("yes", "no"), "zh": ("是", "否")}
_ASKED = {
    ("en", True): "{text}\n\nQuestion: {question}\nAnswer with one of: {choices}.",
    ("zh", True): "{text}\n\n问题：{question}\n从下列答案中选一个：{choices}。",
    ("en", False): "{text}\n\nQuestion: {question} ({choices})\nAnswer:",
    ("zh", False): "{text}\n\n问题：{question}（{choices}）\n回答：",
}
"""By language, and whether the model has a chat template. The text comes first: it is read once."""

Calibration = Literal["none", "content-free", "examples", "classifier"]
"""What probabilities were corrected by: nothing, a text without content, a temperature fitted on
examples besides; or they are a classifier's, as its training left them."""
Likelihoods = Callable[[Sequence[LikelihoodRequest]], list[Likelihood]]


class Question(NamedTuple):
    """What is asked of a text, and what can be answered: two different choices or more."""

    text: str
    choices: tuple[str, ...]

    @property
    def language(self) -> str:
        """That of the prompt around it, "en" or "zh"."""
        return "zh" if _HAN.search(self.text) else "en"


class Decision(NamedTuple):
    """An answer. probabilities: of all choices, they sum to one. score: where all choices are
    numbers, the one that is expected. cut: the end of the text was not read."""

    question: str
    choice: str
    probability: float
    probabilities: dict[str, float]
    calibration: Calibration
    score: float | None = None
    cut: bool = False

    def plain(self) -> dict[str, Any]:
        """As JSON has it; `score` and `cut` where there is one."""
        values = self._asdict()
        return {k: v for k, v in values.items() if k not in ("score", "cut") or v not in (None, 0)}


def question_of(text: str, choices: Sequence[str] | None = None) -> Question:
    """A question with its choices; without any it is a predicate, yes or no.

    Raises UsageError for an empty question, fewer than two choices, or two that are the same.
    """
    if not text.strip():
        raise UsageError("A question is empty.")
    found = Question(text.strip(), ())
    given = YES_NO[found.language] if choices is None else tuple(each.strip() for each in choices)
    if len(given) < 2 or not all(given):
        raise UsageError(f"{text!r} needs two choices or more, none of them empty.")
    if len(set(given)) < len(given):
        raise UsageError(f"{text!r} has a choice twice: {', '.join(given)}.")
    return found._replace(choices=given)


def decided(
    question: Question, probabilities: Sequence[float], calibration: Calibration, cut: bool = False
) -> Decision:
    """The likeliest choice, and the expected number where all choices are numbers."""
    best = max(range(len(probabilities)), key=probabilities.__getitem__)
    numbers = [_number(choice) for choice in question.choices]
    score = None
    if None not in numbers:
        score = sum(p * (n or 0.0) for p, n in zip(probabilities, numbers, strict=True))
    shares = dict(zip(question.choices, map(float, probabilities), strict=True))
    return Decision(
        question.text, question.choices[best], shares[question.choices[best]], shares, calibration,
        score, cut,
    )  # fmt: skip


class Decider:
    """Asks one model about texts. What it says without a text is computed once a question."""

    def __init__(self, tokenizer: Tokenizer, context: int, likelihoods: Likelihoods) -> None:
        self._tokenizer, self._context, self._likelihoods = tokenizer, context, likelihoods
        self._chat = tokenizer.chat_template is not None
        self._prior: dict[Question, np.ndarray] = {}

    def decide(
        self,
        text: str,
        questions: Sequence[Question],
        calibrate: bool = True,
        temperature: float | None = None,
    ) -> list[Decision]:
        """The answers, in order; the text, as much of it as fits, is read once for all.

        temperature: what was fitted on examples. Raises HornbookError where a question alone is
        longer than the model's context.
        """
        if not questions:
            return []
        kept = self._fitting(text, questions)
        logs = self.logs(text[:kept], questions)
        if calibrate:
            self._learn(questions)
            logs = [row - self._prior[q] for row, q in zip(logs, questions, strict=True)]
        how: Calibration = "content-free" if calibrate else "none"
        if temperature is not None:
            logs, how = [row / temperature for row in logs], "examples"
        cut = bool(text[kept:].strip())
        pairs = zip(questions, logs, strict=True)
        return [decided(question, list(_shares(row)), how, cut) for question, row in pairs]

    def logs(self, text: str, questions: Sequence[Question]) -> list[np.ndarray]:
        """The log-likelihoods (choices,) of each question's choices after the text, in nats."""
        requests = [request for question in questions for request in self._requests(text, question)]
        found = iter(self._likelihoods(requests))
        return [np.array([next(found).logprob for _ in q.choices]) for q in questions]

    def calibrated_logs(self, text: str, question: Question) -> np.ndarray:
        """As `logs` of one question, with its calibration, for a temperature to be fitted on."""
        self._learn([question])
        kept = self._fitting(text, [question])
        found: np.ndarray = self.logs(text[:kept], [question])[0] - self._prior[question]
        return found

    def _learn(self, questions: Sequence[Question]) -> None:
        """What each new question's choices get where there is no text, as logs (choices,)."""
        if not (new := [q for q in dict.fromkeys(questions) if q not in self._prior]):
            return
        shares = [[_shares(row) for row in self.logs(nothing, new)] for nothing in _NOTHING]
        for i, question in enumerate(new):
            mean = np.mean([of_one[i] for of_one in shares], axis=0)
            self._prior[question] = np.log(np.maximum(mean, 1e-12))

    def _requests(self, text: str, question: Question) -> list[LikelihoodRequest]:
        form = _ASKED[question.language, self._chat]
        joint = "、" if question.language == "zh" else ", "
        # Values are put in one by one: what looks like a place inside a text is text.
        before, after = form.split("{text}")
        after = after.replace("{choices}", joint.join(question.choices))
        asked = (before + text + after.replace("{question}", question.text, 1)).strip()
        if self._chat:
            messages = [{"role": "user", "content": asked}]
            ids = [int(i) for i in self._tokenizer.encode_chat(messages, True)[0]]
            return [LikelihoodRequest(ids, self._tokenizer.encode(c)) for c in question.choices]
        space = "" if question.language == "zh" else " "
        return [encode_pair(self._tokenizer, asked, space + choice) for choice in question.choices]

    def size(self, text: str, questions: Sequence[Question]) -> int:
        """Tokens of a text with the longest of the questions: they have to fit into the context."""
        return self._longest(text, self._longest_of(questions))

    def _longest_of(self, questions: Sequence[Question]) -> Question:
        """Each question's tokens are much the same with any text: one decides for all."""
        return max(questions, key=lambda question: self._longest("", question))

    def _fitting(self, text: str, questions: Sequence[Question]) -> int:
        """Characters of the text's beginning that fit with each of the questions."""
        longest = self._longest_of(questions)
        if (bare := self._longest("", longest)) > self._context:
            raise HornbookError(
                f"A question of {bare:,} tokens does not fit into the context of "
                f"{self._context:,} tokens."
            )
        kept = min(len(text), self._context * 16)
        for _ in range(_CUT_TRIES):
            size = self._longest(text[:kept], longest)
            if size <= self._context:
                return kept
            kept = max(0, min(kept - 1, int(kept * (self._context - 4) / size)))
        return 0

    def _longest(self, text: str, question: Question) -> int:
        """Tokens of the longest request."""
        return max(len(r.context) + len(r.target) for r in self._requests(text, question))


def _shares(logs: np.ndarray) -> np.ndarray:
    raised = np.exp(logs - logs.max())
    found: np.ndarray = raised / raised.sum()
    return found


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
