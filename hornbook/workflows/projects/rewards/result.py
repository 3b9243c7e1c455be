"""What became of a tuning on rewards: measured beside what was before, searched for tricks, written
as adapter, model and card."""

from collections.abc import Sequence
from typing import Any

from hornbook.adapt import lora
from hornbook.adapt.peft import save_adapter
from hornbook.batches.batch import IGNORE
from hornbook.batches.rollouts import Rollout, batch_of
from hornbook.core.machine import describe
from hornbook.core.stats import bootstrap_ratio
from hornbook.evaluate.hacking import Change, changes, signs
from hornbook.models.folder import save_model
from hornbook.training.policy import divergence, reference_logs
from hornbook.training.precision import product_type
from hornbook.training.rollouts import DrawnAnswers
from hornbook.workflows.projects.rewards.looking import AnswersLook, drawn_of, look_of
from hornbook.workflows.projects.rewards.problem import RewardsProblem
from hornbook.workflows.projects.rewards.request import RewardsRecipe
from hornbook.workflows.runs import folder as layout
from hornbook.workflows.runs.loop import Trained
from hornbook.workflows.runs.place import Place

_EXAMPLES = 5
SIGNS = {
    "longer": "answers are half as long again or more",
    "cut": "more answers do not end",
    "copied": "answers copy more of the prompt",
    "repeated": "answers repeat more of the prompt",
    "stuck": "more prompts get one wrong answer whatever is drawn",
    "one answer": "one answer is given to more prompts",
    "forgotten": "general text is foretold worse",
}
"""What each sign says, in a sentence that lists them."""


def finish(
    recipe: RewardsRecipe,
    problem: RewardsProblem,
    trained: Trained,
    facts: dict[str, Any],
    place: Place,
) -> dict[str, Any]:
    """Write the adapter, fold it in, measure what is written, write it and its card; returns the
    facts of result.json."""
    model, source, request = problem.model, problem.source, recipe.request
    if request.method.kind == "lora":
        card = f"A LoRA adapter for {source.base.place}, made with Hornbook (reward).\n"
        save_adapter(model, place.folder / layout.ADAPTER, source.base, card, layout.PART)
        lora.merge(model)
    model.eval()
    drawn = drawn_of(problem.batches.drawing, "test", problem.prompts["test"])
    after = look_of(drawn)
    result = {
        **facts,
        "task": "reward",
        "reward": request.reward,
        "method": str(request.method),
        "base": source.base.place,
        "data": source.data.facts(recipe.plan.context),
        "best_step": trained.best_step,
        "stopped_early": trained.stopped,
        "answers": trained.state.tokens,
        **_measured(problem, after),
        "divergence": _divergence(problem, drawn),
        "examples": _examples(problem, after),
    }
    result["verdict"] = _verdict(result)
    place.progress.say(*said(result))
    save_model(
        model,
        place.folder / layout.MODEL,
        claim=layout.PART,
        tokenizer_folder=source.tokenizer_folder,
        card=_card(recipe, result, source.base.weights),
    )
    return result


def _measured(problem: RewardsProblem, after: AnswersLook) -> dict[str, Any]:
    """held_out and general: before, after and the change, each with its 95 % interval over prompts
    or windows; hacking: the other figures of the answers, and which signs they give."""
    then, text = problem.before, problem.general.score(problem.model)
    general = Change(then.general.ratio(), text.ratio(), text.change(then.general))
    found = changes(then.test.figures, after.figures)
    given = signs(found, general, problem.request.program.quotes)
    reward = found.pop("reward")
    return {
        "held_out": {"unit": "reward", "items": len(after.texts), **reward.plain()},
        "general": {"unit": "bits per byte", "items": len(text.sums), **general.plain()},
        "hacking": {
            "signs": given,
            "figures": {name: change.plain() for name, change in found.items()},
        },
    }


def _divergence(problem: RewardsProblem, drawn: Sequence[DrawnAnswers]) -> dict[str, float] | None:
    """KL(model || what it was), nats an answer, over the held-out prompts; None where the model was
    held to nothing."""
    reference, loop = problem.batches.reference, problem.loop
    if reference is None:
        return None
    each = []
    for one in drawn:
        rollouts = [Rollout(one.prompt.ids, answer.token_ids, 0.0) for answer in one.answers]
        answers = batch_of(rollouts, 1.0, 0).answers.to(loop.device)
        with product_type(loop.device, loop.dtype):
            ours, theirs = (reference_logs(m, answers) for m in (problem.model, reference))
        learned = answers.targets != IGNORE
        each.append(float(divergence(ours[learned], theirs[learned]).sum()) / len(rollouts))
    return bootstrap_ratio(each, [1.0] * len(each))._asdict()


def _examples(problem: RewardsProblem, after: AnswersLook) -> list[dict[str, Any]]:
    """Answers to held-out prompts, not chosen, before and after."""
    then, source = problem.before.test, problem.source.data
    asked = {
        tuple(prompt.ids): sample.messages[-1]["content"]
        for prompt, sample in zip(source.prompts["test"], source.split.test, strict=True)
    }
    return [
        {
            "question": asked[tuple(problem.prompts["test"][at].ids)],
            "before": then.texts[at],
            "reward_before": then.rewards[at],
            "answer": after.texts[at],
            "reward": after.rewards[at],
        }
        for at in range(min(_EXAMPLES, len(after.texts)))
    ]


def _verdict(result: dict[str, Any]) -> str:
    """One of: better, suspicious, unsure, worse."""
    change = result["held_out"]["change"]
    if change["high"] < 0:
        return "worse"
    if change["low"] <= 0:
        return "unsure"
    return "suspicious" if result["hacking"]["signs"] else "better"


def verdict_line(result: dict[str, Any]) -> str:
    """The verdict in a sentence, with the signs that were found."""
    found = "; ".join(SIGNS[name] for name in result["hacking"]["signs"])
    if result["verdict"] == "worse":
        return "The reward fell: the interval is below zero."
    if result["verdict"] == "unsure":
        line = "It is not sure that the reward rose; the interval holds zero."
        return f"{line} Look at the answers: {found}." if found else line
    if result["verdict"] == "suspicious":
        return f"The reward rose, but look at the answers before you believe it: {found}."
    return "The reward rose, and no sign of a trick was found."


def said(result: dict[str, Any]) -> list[str]:
    """The measures for people; the verdict always among them."""
    held, general = result["held_out"], result["general"]
    change, lost = held["change"], general["change"]
    length = result["hacking"]["figures"]["length"]
    lines = [
        f"Held out: reward {held['before']['value']:.3f} to {held['after']['value']:.3f}, "
        f"{change['value']:+.3f} ({change['low']:+.3f} to {change['high']:+.3f}) on "
        f"{held['items']:,} prompts; {length['before']['value']:.0f} to "
        f"{length['after']['value']:.0f} tokens an answer.",
        f"Forgetting: {general['before']['value']:.4f} to {general['after']['value']:.4f} bits per "
        f"byte of general text, {lost['value']:+.4f} ({lost['low']:+.4f} to {lost['high']:+.4f}).",
        verdict_line(result),
    ]
    if result["best_step"] == 0:
        lines.append("  Warning: no step was better than none; these are the base's own weights.")
    return lines


def _card(recipe: RewardsRecipe, facts: dict[str, Any], weights: str) -> str:
    """Markdown with the front matter that model hubs read."""
    request, plan, data = recipe.request, recipe.plan, facts["data"]
    measured = {
        "reward on held-out prompts": facts["held_out"],
        "bits per byte of general text": facts["general"],
        **{f"answers: {name}": part for name, part in facts["hacking"]["figures"].items()},
    }
    rows = "".join(
        f"| {what} | {_interval(part['before'])} | {_interval(part['after'])} | "
        f"{_interval(part['change'], '+')} |\n"
        for what, part in measured.items()
    )
    return f"""---
library_name: transformers
pipeline_tag: text-generation
tags: [hornbook]
---
# A model tuned with Hornbook on the reward {request.reward}

Base: {facts["base"]} (weights {weights}). Method {request.method}:
{facts["parameters"]["trained"]:,} of {facts["parameters"]["all"]:,} parameters moved, rate
{plan.optimiser.matrix_rate:g}, {facts["steps"]:,} steps of {plan.rows} prompts with
{plan.group_size} answers of at most {plan.max_tokens} tokens each, drawn at temperature 1, held to
the base with {request.beta:g} a nat; the weights of step {facts["best_step"]} kept, seed
{request.seed}, {recipe.loop.dtype} products on {describe(recipe.machine)["name"]}.

Data: {data["train"]:,} prompts trained on, {data["test"]:,} held out, {data["rejected"]:,} rows
rejected, {data["doubles"]:,} duplicates and {data["too_long"]:,} too long left out.

{verdict_line(facts)}

| measured, with 95 % intervals | before | after | change |
|---|---|---|---|
{rows}
The reward is a program and sees what it checks, nothing else; read some answers.
"""


def _interval(found: dict[str, float], sign: str = "") -> str:
    value, low, high = (format(found[key], f"{sign}.4f") for key in ("value", "low", "high"))
    return f"{value} ({low} to {high})"
