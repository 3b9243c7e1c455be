"""POST /v1/decisions: predicates, choices and scores with probabilities, as `hornbook decide` has
them.

A decoder answers by how likely it finds each choice, corrected by what it says without a text; a
classifier by its labels, to one question about them.
"""

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic_core import to_json

from hornbook.core.errors import UsageError
from hornbook.generate.decide import Decider, Decision, Question, question_of
from hornbook.generate.likelihoods import Likelihood, LikelihoodRequest
from hornbook.serve.errors import RequestRefused
from hornbook.serve.readings import ReadingRoute
from hornbook.serve.routes import StrictRoute
from hornbook.serve.schemas.decisions import (
    ChoiceQuestion,
    DecisionBody,
    Predicate,
    ScoreQuestion,
)
from hornbook.serve.served import ServedModel
from hornbook.serve.state import State
from hornbook.serve.wire import Json
from hornbook.serve.work import StillWanted

router = APIRouter(route_class=StrictRoute, tags=["decisions"])
_Asked = Predicate | ChoiceQuestion | ScoreQuestion


@router.post("/v1/decisions")
async def decide(body: DecisionBody, request: Request, server: State) -> Response:
    """Answer questions about an input, in their order, each with the probabilities of all that
    could be answered. `confidence` is the probability of the likeliest."""
    route = ReadingRoute("decide", "decisions", _decided)
    return Json(await route.result(body, request, server))


class _Counted:
    """Likelihoods of a decoder, given up when nobody waits; read: tokens, known: of them, those
    that an earlier question had read. Of the first call: the others learn about the questions."""

    def __init__(self, model: ServedModel, still_wanted: StillWanted) -> None:
        self._model, self._still_wanted = model, still_wanted
        self.read = self.known = 0

    def __call__(self, requests: Sequence[LikelihoodRequest]) -> list[Likelihood]:
        if not self.read:
            self._count(requests)
        return list(
            self._model.opened.likelihoods(requests, advance=lambda count: self._still_wanted())
        )

    def _count(self, requests: Sequence[LikelihoodRequest]) -> None:
        before: tuple[int, ...] = ()
        for context in sorted({tuple(request.context) for request in requests}):
            shared = next(
                (i for i, (a, b) in enumerate(zip(before, context, strict=False)) if a != b),
                min(len(before), len(context)),
            )
            self.read += len(context)
            self.known += shared
            before = context


def _decided(model: ServedModel, body: DecisionBody, still_wanted: StillWanted) -> dict[str, Any]:
    text = _input(body)
    questions = [_question(one, number) for number, one in enumerate(body.questions)]
    counted = _Counted(model, still_wanted)
    if "classify" in model.opened.abilities:
        found = model.opened.decide(text, questions)
    else:
        decoder = model.opened
        decider = Decider(decoder.tokenizer, decoder.context, counted)
        size = decider.size(text, questions)
        if size > decoder.context:
            raise RequestRefused(
                f"The input with its longest question has {size:,} tokens; this model's context "
                f"is {decoder.context:,}.",
                "input",
                "context_length_exceeded",
            )
        found = decider.decide(text, questions)
    answers = [_answer(one, decision) for one, decision in zip(body.questions, found, strict=True)]
    return {"model": model.name, "answers": answers, "usage": _usage(counted)}


def _usage(counted: _Counted) -> dict[str, Any]:
    details = {"cached_tokens": counted.known, "cache_write_tokens": 0}
    return {
        "input_tokens": counted.read,
        "input_tokens_details": details,
        "output_tokens": 0,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": counted.read,
    }


def _input(body: DecisionBody) -> str:
    """What is decided on, as text; of a conversation, who says what."""
    if isinstance(body.input, str):
        return body.input
    found = []
    for item in body.input:
        if item.type == "function_call":
            found.append(f"call: {item.name}({item.arguments})")
        elif item.type == "function_call_output":
            found.append(f"result: {_text(item.output)}")
        else:
            found.append(_text(item.content) if len(body.input) == 1 else
                         f"{item.role}: {_text(item.content)}")  # fmt: skip
    return "\n".join(found)


def _text(parts: Any) -> str:
    if isinstance(parts, str):
        return parts
    return "\n".join(
        to_json(part.data).decode() if part.type == "input_json"
        else part.refusal if part.type == "refusal" else part.text
        for part in parts
    )  # fmt: skip


def _question(asked: _Asked, number: int) -> Question:
    """As `generate.decide` has it. Descriptions of choices stand below the question."""
    text, choices, described = _text(asked.instructions), None, []
    if isinstance(asked, ChoiceQuestion):
        choices = [_word(option.value) for option in asked.choices]
        described = list(zip(choices, (o.description for o in asked.choices), strict=True))
    elif isinstance(asked, ScoreQuestion):
        choices = [level.label for level in asked.levels]
        described = list(zip(choices, (o.description for o in asked.levels), strict=True))
    text += "".join(f"\n- {choice}: {said}" for choice, said in described if said)
    try:
        return question_of(text, choices)
    except UsageError as error:
        raise RequestRefused(str(error), f"questions[{number}]") from None


def _word(value: str | bool) -> str:
    return value if isinstance(value, str) else str(value).lower()


def _answer(asked: _Asked, decision: Decision) -> dict[str, Any]:
    shares = list(decision.probabilities.values())
    head = {"type": asked.type, "name": asked.name}
    if isinstance(asked, Predicate):
        return {**head, "probability": shares[0]}
    if isinstance(asked, ChoiceQuestion):
        values = [option.value for option in asked.choices]
        best = max(range(len(shares)), key=shares.__getitem__)
        told = [{"value": v, "probability": p} for v, p in zip(values, shares, strict=True)]
        return {**head, "choice": values[best], "confidence": shares[best], "probabilities": told}
    told = [
        {"label": level.label, "value": number, "probability": shares[number]}
        for number, level in enumerate(asked.levels)
    ]
    score = sum(number * share for number, share in enumerate(shares))
    return {**head, "score": score, "confidence": max(shares), "probabilities": told}
