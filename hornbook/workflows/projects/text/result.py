"""What came of pretraining on text: its bits per byte beside the baselines, and the model."""

from typing import Any

from hornbook.models.folder import save_model
from hornbook.tokenize.measure import measure
from hornbook.training.forecast import timed
from hornbook.training.state import TrainState
from hornbook.training.validation import Score
from hornbook.workflows.projects.text.card import model_card
from hornbook.workflows.projects.text.problem import TextProblem
from hornbook.workflows.projects.text.request import TextRecipe
from hornbook.workflows.runs import folder as layout
from hornbook.workflows.runs.place import Place
from hornbook.workflows.runs.settle import measuring_seconds


def finish(
    recipe: TextRecipe,
    problem: TextProblem,
    state: TrainState,
    facts: dict[str, Any],
    place: Place,
) -> dict[str, Any]:
    """Measure the trained model on the validation text and write it out; returns its facts."""
    found = _measured(problem, place)
    result = {
        **facts,
        "parameters": {**facts["parameters"], "active": problem.model.config.active()},
        "tokens": state.tokens,
        "tokens_per_second": state.tokens / state.elapsed_s if state.elapsed_s else 0.0,
        "bits_per_byte": found.bits_per_byte._asdict(),
        "measured_tokens": found.tokens,
        "task": problem.task.name,
        "floors": problem.baselines,
        "tokenizer": measure(problem.tokenizer, problem.corpus.texts("validation")),
    }
    save_model(
        problem.model,
        place.folder / layout.MODEL,
        claim=layout.PART,
        tokenizer_folder=problem.tokenizer_folder,
        card=model_card(recipe, result, problem.corpus),
    )
    return result


def _measured(problem: TextProblem, place: Place) -> Score:
    """On all of the validation text, or on as much of it as there is time for."""
    tokens, limit = problem.validation.tokens, None
    if place.clock.limited:
        expected_s = problem.ending_s(timed(problem.score)[1])
        share = measuring_seconds(place.clock) / max(expected_s, 1e-9)
        if share < 1:
            limit = int(share * tokens)
    thorough = problem.thorough(limit)
    if thorough.limit is None or thorough.limit >= tokens:
        place.progress.say("Measuring on all of the validation text ...")
    else:
        place.progress.say(
            f"Measuring on {thorough.limit:,} of {tokens:,} validation tokens: time is short ..."
        )
    return problem.scored(thorough)
