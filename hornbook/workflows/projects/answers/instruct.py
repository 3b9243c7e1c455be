"""A short instruction tuning: the base model learns to answer from pairs found in the documents.

Answers of held-out documents are never trained on; the loss on them before and after is what the
tuning is worth. Knows the other packages' front doors; computes nothing itself.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from hornbook.batches.batch import IGNORE
from hornbook.batches.conversations import Example, PackedConversations, fits, stack
from hornbook.core.claims import Claim
from hornbook.core.clock import NO_LIMIT, Clock
from hornbook.core.files import read_json, write_json
from hornbook.core.progress import Progress
from hornbook.core.stages import run_stage
from hornbook.core.stats import bootstrap_ratio
from hornbook.corpus.corpus import Corpus
from hornbook.generate.sampling import SamplingConfig
from hornbook.generate.text import reply_to, stream
from hornbook.models.causal_lm import CausalLM
from hornbook.models.folder import load_model, save_model
from hornbook.tokenize.tokenizer import Tokenizer
from hornbook.train.forecast import timed
from hornbook.train.hooks import remarked
from hornbook.train.loop import LoopConfig, gradient, train
from hornbook.train.objective import next_token, token_losses
from hornbook.train.optimiser import Optimiser
from hornbook.train.pace import Pace
from hornbook.train.precision import product_type
from hornbook.train.schedule import ScheduleConfig
from hornbook.train.state import TrainState
from hornbook.workflows.projects.answers.mined import Pair, pairs
from hornbook.workflows.projects.text.request import TextRecipe as Recipe
from hornbook.workflows.runs.folder import MODEL, RESULT

_GREEDY = SamplingConfig(temperature=0.0, max_tokens=80)
_TRAINING = 0.7
"""Of the time, what training may take; the rest is for measuring and a few answers."""
_EPOCHS, _MOST_PAIRS, _HELD_OUT = 3, 1500, 100


class _NothingFits(Exception):
    """No question with its answer fits into the model's context."""


def instruct(
    corpus: Corpus, base: Path, run: Path, progress: Progress, clock: Clock = NO_LIMIT
) -> dict[str, Any] | None:
    """Tune the model of the finished run `base` into the folder `run`; returns its facts.

    clock: when it must be done. Returns None, and says why, when the documents hold too few pairs
    or none that fits.
    """
    recipe = Recipe.load(base)
    trained, held_out = (
        pairs(corpus.documents("train"), _MOST_PAIRS),
        pairs(corpus.documents("validation"), _HELD_OUT),
    )
    if len(trained) < 20 or not held_out:
        progress.say(f"No instruction tuning: only {len(trained)} titles with a paragraph found.")
        return None

    def build(folder: Path) -> None:
        facts = _tune(recipe, base / MODEL, trained, held_out, folder, clock, progress)
        write_json(folder / RESULT, facts)

    inputs = {
        "stage": "instruct-1",
        "corpus": corpus.fingerprint,
        "base": read_json(base / RESULT),
    }
    try:
        built = run_stage(run, claim_of(base), inputs, build)
    except _NothingFits as nothing:
        progress.say(f"No instruction tuning: {nothing}")
        return None
    if not built:
        progress.say(f"Reused: {run} is already tuned.")
    facts: dict[str, Any] = read_json(run / RESULT)
    return facts


def claim_of(base: Path) -> Claim:
    """Who writes a model that was tuned from the one of the run `base`."""
    return Claim("quickstart: instruct", (base,))


def _tune(
    recipe: Recipe,
    base: Path,
    trained: Sequence[Pair],
    held_out: Sequence[Pair],
    folder: Path,
    clock: Clock,
    progress: Progress,
) -> dict[str, Any]:
    tokenizer = Tokenizer.load(base)
    model = load_model(base, recipe.machine.device, torch.float32)
    assert isinstance(model, CausalLM), "only decoders are tuned to answer"
    plan = recipe.plan
    context = plan.context
    examples, dropped = _examples(trained, tokenizer, context)
    test, _ = _examples(held_out, tokenizer, context)
    if not examples or not test:
        raise _NothingFits(f"no question with its answer fits into {context} tokens.")
    batches = PackedConversations(
        examples, context, plan.rows, recipe.request.seed, _padding(tokenizer)
    )
    loop = LoopConfig(
        steps=_EPOCHS * batches.steps_per_epoch,
        micro_rows=plan.micro_rows,
        schedule=ScheduleConfig(warmup=0.1, cooldown=0.9),
        device=recipe.machine.device,
        dtype=recipe.loop.dtype,
    )
    before, before_s = timed(lambda: _answer_loss(model, test, tokenizer, loop, plan.rows))
    optimiser = Optimiser(model, recipe.request.optimiser.gentle(), getattr(torch, loop.dtype))
    state = TrainState(model, optimiser)
    training = clock.part(_TRAINING, reserve_s=before_s)
    loop = loop.model_copy(update={"steps": _steps_in_time(state, batches, loop, training)})
    progress.say(
        f"Instruction tuning: {len(examples)} pairs ({dropped} too long), {loop.steps} steps, "
        f"{loop.steps / batches.steps_per_epoch:.1f} passes."
    )
    pace = Pace(training, loop.steps, state, lambda state, step_s: _say_cut(state, progress))
    with progress.bar("instruction tuning", loop.steps, "steps") as advance:
        train(state, next_token, batches, loop, [pace, lambda state: advance(1)])
    after = _answer_loss(model, test, tokenizer, loop, plan.rows)
    progress.say(
        f"  loss on held-out answers: {before['value']:.3f} before, {after['value']:.3f} after"
    )
    save_model(model, folder / MODEL, tokenizer_folder=base)
    return {
        "pairs": len(examples),
        "too_long": dropped,
        "held_out": len(test),
        "steps": state.step,
        "seconds": state.elapsed_s,
        "before": before,
        "after": after,
        "examples": _answers(model, tokenizer, held_out[:5], context),
    }


def _steps_in_time(
    state: TrainState, batches: PackedConversations, loop: LoopConfig, clock: Clock
) -> int:
    """As many steps as planned, or as there is time for; one at least."""
    if not clock.limited:
        return loop.steps
    state.model.train()
    batch = batches.batch(0)
    step_s = timed(lambda: gradient(state.model, next_token, batch, loop))[1]
    state.optimiser.clear_gradient()
    return max(1, min(loop.steps, int(clock.left_s() / step_s)))


def _say_cut(state: TrainState, progress: Progress) -> None:
    progress.say(f"  step {state.step}: time is short; it ends at step {state.cuts[-1].steps}.")


def _examples(
    found: Sequence[Pair], tokenizer: Tokenizer, context: int
) -> tuple[list[Example], int]:
    """The pairs as conversations that fit into a row, and how many do not."""
    examples = [Example(*tokenizer.encode_chat(_messages(pair))) for pair in found]
    fitting = [example for example in examples if fits(example, context)]
    return fitting, len(examples) - len(fitting)


def _messages(pair: Pair) -> list[dict[str, str]]:
    return [
        {"role": "user", "content": pair.question},
        {"role": "assistant", "content": pair.answer},
    ]


def _padding(tokenizer: Tokenizer) -> int:
    """A padding id; what stands there is never looked at, so any will do where none is named."""
    return 0 if tokenizer.pad_id is None else tokenizer.pad_id


def _answer_loss(
    model: CausalLM, examples: Sequence[Example], tokenizer: Tokenizer, loop: LoopConfig, rows: int
) -> dict[str, float]:
    """Nats a token of the answers, with its interval over the examples."""
    sums: list[float] = []
    counts: list[float] = []
    longest = max(len(example.ids) for example in examples) - 1
    for first in range(0, len(examples), rows):
        part = [[example] for example in examples[first : first + rows]]
        batch = stack(part, longest, _padding(tokenizer))
        with product_type(loop.device, loop.dtype):
            losses = token_losses(model, batch.to(loop.device)).cpu()
        sums += losses.double().sum(1).tolist()
        counts += (batch.targets != IGNORE).sum(1).tolist()
    return bootstrap_ratio(sums, counts)._asdict()


def _answers(
    model: CausalLM, tokenizer: Tokenizer, asked: Sequence[Pair], context: int
) -> list[dict[str, str]]:
    """What the tuned model answers to held-out questions, greedily, beside the reference."""
    found = []
    for pair in asked:
        messages = [{"role": "user", "content": pair.question}]

        def answered(messages: list[dict[str, str]] = messages) -> dict[str, Any]:
            answer, stop_ids = reply_to(tokenizer, messages, context)
            for _ in stream(model, tokenizer, answer, stop_ids, _GREEDY):
                pass
            return {"text": answer.text}

        shown = remarked(answered) or {}
        text = shown.get("remark") or shown["text"]
        found.append({"question": pair.question, "answer": text, "reference": pair.answer})
    return found
