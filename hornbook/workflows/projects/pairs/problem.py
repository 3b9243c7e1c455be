"""Learning to translate: one tokenizer for both sides, batches of pairs, and the model."""

from collections.abc import Iterable, Sequence
from typing import Any

import torch

from hornbook.batches.batch import IGNORE, PairBatch
from hornbook.batches.translation import PairBatches, collate
from hornbook.core.errors import UsageError
from hornbook.core.machine import Machine
from hornbook.datasets.pairs import Pair
from hornbook.generate.beam import BeamConfig
from hornbook.generate.translate import translate
from hornbook.models.convert import to_hf
from hornbook.models.seq2seq import Seq2Seq
from hornbook.tokenize.tokenizer import Tokenizer
from hornbook.training.forecast import timed
from hornbook.training.loop import LoopConfig
from hornbook.training.optimiser import Optimiser
from hornbook.training.pair_dial import PairPlan
from hornbook.training.parallel.spread import spread
from hornbook.training.precision import product_type
from hornbook.training.problem import Problem
from hornbook.training.state import TrainState
from hornbook.training.translation import next_target, target_losses
from hornbook.workflows.projects.pairs.data import ReadSplit, encode, fitting, joint_tokenizer
from hornbook.workflows.projects.pairs.request import PairsRequest
from hornbook.workflows.runs import folder as layout
from hornbook.workflows.runs.place import Place

_VALIDATION_ROWS = 64
_PROBED = 16
"""Test pairs translated to learn how long one takes."""


@torch.no_grad()
def zero_start(state: TrainState) -> None:
    """Keep the vector before every target at zero, which is what Marian's decoders start from."""
    model = state.model
    assert isinstance(model, Seq2Seq)
    model.embedding.token.weight[model.config.start] = 0.0


class PairsProblem(Problem):
    """The next token of a target, smoothed. validation: as batches to score."""

    measure = "nats_per_token"
    targets = "target tokens"
    step_size = "tokens"
    uncompilable = "every batch has a shape of its own"
    after_step = (zero_start,)

    model: Seq2Seq
    plan: PairPlan
    batches: PairBatches

    def __init__(
        self,
        splits: dict[str, ReadSplit],
        tokenizer: Tokenizer,
        batches: PairBatches,
        validation: Sequence[PairBatch],
        model: Seq2Seq,
        request: PairsRequest,
        plan: PairPlan,
        loop: LoopConfig,
    ) -> None:
        self.splits, self.tokenizer, self.validation = splits, tokenizer, validation
        self.model, self.request, self.plan, self.loop = model, request, plan, loop
        self.objective = next_target(plan.smoothing)
        self.fixed = bool(request.plan.tokens)
        self.batches, self.steps_per_epoch = batches, batches.steps_per_epoch

    def resize(self, size: int) -> None:
        self.plan = self.plan.model_copy(update={"tokens": size})
        self.batches = self.batches.of(size)
        self.steps_per_epoch = self.batches.steps_per_epoch

    def begin(self) -> TrainState:
        self.model.reset(self.request.seed)
        dtype: torch.dtype = getattr(torch, self.loop.dtype)
        state = TrainState(self.model, Optimiser(self.model, self.request.optimiser, dtype))
        zero_start(state)
        return state

    def score(self) -> dict[str, float]:
        """Of the validation pairs, nothing smoothed."""
        was_training = self.model.training
        self.model.eval()

        def measured(batch: PairBatch) -> tuple[float, int]:
            with product_type(self.loop.device, self.loop.dtype):
                losses = target_losses(self.model, batch.to(self.loop.device))
            return float(losses.double().sum()), int((batch.targets != IGNORE).sum())

        nats, counts = zip(*spread(measured, self.validation), strict=True)
        self.model.train(was_training)
        return {"nats_per_token": sum(nats) / sum(counts)}

    def said(self, figures: dict[str, float]) -> str:
        return f"{figures['nats_per_token']:.4f} nats a target"

    def sample(self, seed: int) -> dict[str, Any]:
        """What the model makes of one of the validation pairs."""
        held = self.splits["validation"].pairs
        pair = held[seed % len(held)]
        text = self.translated([pair], BeamConfig(beams=1))[0]
        return {"source": pair.source, "text": text, "target": pair.target}

    def shown(self, sample: dict[str, Any]) -> list[str]:
        return [f"  sample: {sample.get('source', '')} ⁞ {sample['text']}"]

    def sides(self) -> tuple[Iterable[str], Iterable[str]]:
        train, test = (self.splits[name].pairs for name in ("train", "test"))
        return map("\n".join, train), map("\n".join, test)

    def ending_s(self, score_s: float) -> float:
        """A model that has hardly learned does not end its targets: they are cut at the usual
        length."""
        test = self.splits["test"].pairs
        few = test[:: max(1, len(test) // _PROBED)][:_PROBED]
        targets = self.tokenizer.encode_batch([pair.target for pair in few])
        usual = 2 + max(1, sum(map(len, targets)) // len(few))
        config = BeamConfig(beams=self.request.beams, max_tokens=usual)
        return score_s + len(test) / len(few) * timed(lambda: self.translated(few, config))[1]

    def translated(self, pairs: Sequence[Pair], config: BeamConfig) -> list[str]:
        """What the model makes of the sources, in float32 as everywhere outside training."""
        was_training = self.model.training
        self.model.eval()
        found = translate(self.model, self.tokenizer, [pair.source for pair in pairs], config)
        self.model.train(was_training)
        return [translation.text for translation in found]


def prepare(
    splits: dict[str, ReadSplit],
    request: PairsRequest,
    plan: PairPlan,
    machine: Machine,
    place: Place,
) -> PairsProblem:
    """Learn the tokenizer, encode, build; what would fail after training fails now."""
    progress, train_pairs = place.progress, splits["train"].pairs
    tokenizer = joint_tokenizer(
        train_pairs,
        request.pairs["train"],
        place.folder / layout.TOKENIZER,
        plan.vocab,
        progress,
        request.minutes,
    )
    assert tokenizer.eos_id is not None
    config = plan.config(request.family, tokenizer.vocab_size)
    to_hf(config)
    test = encode(splits["test"].pairs, tokenizer)
    if (longest := max(len(pair.source) for pair in test) + 1) > plan.context:
        raise UsageError(f"A source of the test pairs has {longest} tokens; raise the context.")
    train, held = (
        fitting(encode(splits[name].pairs, tokenizer), plan.context, name, progress)
        for name in ("train", "validation")
    )
    ends = (config.start, tokenizer.eos_id)
    model = config.build(request.seed).to(machine.device)
    assert isinstance(model, Seq2Seq)
    progress.say(
        f"Model: {config.parameters():,} weights; vocabulary {config.vocab:,}, width "
        f"{config.width}, context {plan.context}."
    )
    loop = LoopConfig(
        steps=1,
        micro_rows=len(train),
        schedule=request.schedule,
        device=machine.device,
        dtype=request.dtype or machine.dtype,
        seed=request.seed,
    )
    starts = range(0, len(held), _VALIDATION_ROWS)
    return PairsProblem(
        splits=splits,
        tokenizer=tokenizer,
        batches=PairBatches(train, plan.tokens, request.seed, *ends),
        validation=[collate(held[i : i + _VALIDATION_ROWS], *ends) for i in starts],
        model=model,
        request=request,
        plan=plan,
        loop=loop,
    )
