"""Several runs beside each other: their curves in one chart, and what differs between them."""

from collections.abc import Sequence
from typing import Annotated, Any, NamedTuple

from fastapi import APIRouter, Query, Request, Response

from hornbook.core.config import read_recipe
from hornbook.serve.studio.config import Studio, StudioState
from hornbook.serve.studio.page_route import PageRoute, nothing_there
from hornbook.serve.studio.render import page
from hornbook.serve.studio.run_log import figures, kept
from hornbook.serve.studio.work_folder import RunSummary
from hornbook.serve.wire import Json
from hornbook.workflows.runs import folder as layout

router = APIRouter(route_class=PageRoute, include_in_schema=False)
_MOST = 8
"""Runs in one chart: more colours cannot be told apart."""
_LEFT_OUT = ("choices", "places", "forecast", "training_s", "steps_per_epoch", "compiled_reason")
"""Of a recipe, what says nothing of its own, or nothing that was decided."""
_MEASURED = ("machine.rates.", "request.plan.")
"""The machine's speed differs each time; what was asked of the plan stands in the plan."""
_ABSENT = object()

Ids = Annotated[list[str], Query(default_factory=list)]


class RunDifference(NamedTuple):
    """A value of the recipe that is not the same in all runs. values: of each, as text, None where
    it has none. reasons: of each, "" where it gives none."""

    key: str
    values: list[str | None]
    reasons: list[str]


@router.get("/together")
def together(request: Request, studio: Studio, id: Ids) -> Response:
    """The page of some runs."""
    runs = _found(studio, id)
    recipes = [kept(run.folder / layout.RECIPE, read_recipe) or {} for run in runs]
    facts: dict[str, Any] = {
        "runs": runs,
        "differences": differences(recipes),
        "others": [run.id for run in studio.work.runs() if run.id not in id],
        "most": _MOST,
    }
    return page(request, "together.html.jinja", **facts)


@router.get("/together/figures")
def together_figures(studio: Studio, id: Ids) -> Response:
    """What its chart shows."""
    return Json([{"id": run.id, **figures(run.folder)} for run in _found(studio, id)])


def _found(studio: StudioState, ids: Sequence[str]) -> list[RunSummary]:
    """The runs, each once. Raises RequestRefused for one that is not there."""
    found = {run.id: run for run in studio.work.runs()}
    for name in ids:
        if name not in found:
            raise nothing_there(name)
    return [found[name] for name in list(dict.fromkeys(ids))[:_MOST]]


def differences(recipes: Sequence[dict[str, Any]]) -> list[RunDifference]:
    """What is not the same in all recipes, in the order in which they say it."""
    leaves = [
        dict(layout.leaves({k: v for k, v in r.items() if k not in _LEFT_OUT})) for r in recipes
    ]
    reasons = [{one[0]: one[2] for one in r.get("choices", ()) if len(one) == 3} for r in recipes]
    found = []
    for key in dict.fromkeys(key for own in leaves for key in own):
        if key.startswith(_MEASURED):
            continue
        values = [own.get(key, _ABSENT) for own in leaves]
        if any(value != values[0] for value in values):
            name = key.removeprefix("plan.")
            found.append(
                RunDifference(
                    key,
                    [None if value in (_ABSENT, None) else _text(value) for value in values],
                    [str(own.get(name, "")) if name != key else "" for own in reasons],
                )
            )
    return found


def _text(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)[:200]
