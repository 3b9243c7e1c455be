"""Learning from text: tokenizer, tokens, batches, the model to train, and how it is looked at.

Each stage is reused when its inputs are unchanged.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hornbook.batches.packing import PackedWindows
from hornbook.batches.shards import TokenShards
from hornbook.core.machine import Machine
from hornbook.core.stages import run_stage
from hornbook.corpus.corpus import Corpus
from hornbook.explain.canaries import canaries, planted
from hornbook.models.convert import to_hf
from hornbook.models.folder import load_model
from hornbook.models.model import Model
from hornbook.models.presets import MASKED_PRESETS
from hornbook.tokenize.gguf import tokenizer_folder as folder_of
from hornbook.tokenize.masking import add_mask
from hornbook.tokenize.tokenizer import Tokenizer
from hornbook.training.dial import Plan
from hornbook.training.loop import LoopConfig
from hornbook.training.optimiser import Optimiser
from hornbook.training.problem import Problem
from hornbook.training.state import TrainState
from hornbook.training.validation import Score, Validation
from hornbook.workflows.curate.encode import prepare_shards, prepare_tokenizer
from hornbook.workflows.projects.text.request import TextRequest
from hornbook.workflows.projects.text.tasks import TextTask, task_of
from hornbook.workflows.runs import folder as layout
from hornbook.workflows.runs.place import Place

_QUICK = 64
"""Windows that are measured often."""


class TextProblem(Problem):
    """Going on with text, or filling in words: all that is built before the first step.

    token_bytes: (V,) bytes of text of each token. start: weights to go on from, or None for fresh.
    baselines: bits per byte of what knows nothing of language.
    """

    measure = "bits_per_byte"
    targets = "targets"

    model: Model
    plan: Plan
    baselines: dict[str, float]

    def __init__(
        self,
        corpus: Corpus,
        tokenizer: tuple[Tokenizer, Path],
        shards: tuple[TokenShards, TokenShards],
        model: tuple[Model, dict[str, Tensor] | None],
        request: TextRequest,
        plan: Plan,
        loop: LoopConfig,
    ) -> None:
        self.corpus, self.request, self.plan, self.loop = corpus, request, plan, loop
        self.tokenizer, self.tokenizer_folder = tokenizer
        self.train, self.validation = shards
        self.model, self.start = model
        self.token_bytes = token_bytes(self.tokenizer)
        self.task: TextTask = task_of(self.model.config, self.tokenizer)
        self.objective = self.task.objective
        self.fixed = bool(request.plan.rows)
        self._samples = self.task.samples(corpus, self.model)
        self._batch(plan.rows)

    def _batch(self, rows: int) -> None:
        windows = PackedWindows(
            self.train, self.plan.context, rows, self.request.seed, self.request.isolate
        )
        self.batches = self.task.view(windows, self.request.seed)
        self.steps_per_epoch = windows.steps_per_epoch

    def resize(self, size: int) -> None:
        at_once = min(size, self.plan.micro_rows)
        self.plan = self.plan.model_copy(update={"rows": size, "micro_rows": at_once})
        self.loop = self.loop.model_copy(update={"micro_rows": at_once})
        self._batch(size)

    def begin(self) -> TrainState:
        if self.start is None:
            self.model.reset(self.request.seed)
        else:
            with torch.no_grad():
                for name, weight in self.model.named_parameters():
                    weight.copy_(self.start[name])
        dtype: torch.dtype = getattr(torch, self.loop.dtype)
        return TrainState(self.model, Optimiser(self.model, self.request.optimiser, dtype))

    def score(self) -> dict[str, float]:
        found = self.scored(self.quick())
        bits = found.bits_per_byte.value
        return {"bits_per_byte": bits, "nats_per_token": found.nats_per_token}

    def said(self, figures: dict[str, float]) -> str:
        return f"{figures['bits_per_byte']:.4f} bits per byte"

    def sample(self, seed: int) -> dict[str, Any]:
        return self._samples.sample(seed)

    def score_at_end(self, figures: dict[str, float]) -> float:
        """With half a window of context, as at the end; of a part of the text."""
        return self.scored(self.thorough(_QUICK * self.plan.context)).bits_per_byte.value

    def sides(self) -> tuple[Iterable[str], Iterable[str]]:
        return self.corpus.texts("train"), self.corpus.texts("validation")

    def ending_s(self, score_s: float) -> float:
        return self.thorough().steps / self.quick().steps * score_s

    def quick(self) -> Validation:
        """A part of the validation text, small enough to measure often."""
        return self._windows(None, _QUICK * self.plan.context)

    def thorough(self, limit: int | None = None) -> Validation:
        """All of the validation text, or about `limit` tokens of it, with half a window of context
        each; never less than is measured often."""
        least = None if limit is None else max(_QUICK * self.plan.context, limit)
        return self._windows(max(1, self.plan.context // 2), least)

    def _windows(self, stride: int | None, limit: int | None) -> Validation:
        plan = self.plan
        return Validation(self.validation, self.token_bytes, plan.context, plan.rows, stride, limit)

    def scored(self, validation: Validation) -> Score:
        """Measure the model as it is now."""
        # The same words are hidden at every measurement, and in every run.
        view, loop = self.task.view(validation, 0), self.loop
        return validation.score(self.model, self.task.losses, loop.device, loop.dtype, view)


def prepare(
    corpus: Corpus,
    tokenizer_folder: Path | None,
    init: Path | None,
    request: TextRequest,
    plan: Plan,
    machine: Machine,
    place: Place,
) -> TextProblem:
    """Build or reuse everything up to the model on `machine`'s device, fresh or that of `init`."""
    run, progress = place.folder, place.progress
    if tokenizer_folder is None:
        tokenizer_folder = run / layout.TOKENIZER
        tokenizer = prepare_tokenizer(
            corpus, tokenizer_folder, plan.vocab, progress, layout.PART, request.minutes
        )
    else:
        unpacked = run / layout.TOKENIZER
        tokenizer_folder = folder_of(tokenizer_folder, unpacked, layout.PART)
        tokenizer = Tokenizer.load(tokenizer_folder)
    if init is None and plan.preset in MASKED_PRESETS:
        tokenizer_folder = run / layout.MASK_TOKENIZER
        tokenizer = _with_mask(tokenizer, tokenizer_folder)
    secrets = planted(canaries(request.canaries, request.seed))
    shards = prepare_shards(corpus, tokenizer, run / layout.SHARDS, progress, layout.PART, secrets)
    model, start = _model(plan, tokenizer.vocab_size, machine.device, init)
    to_hf(model.config)  # what could not be saved is refused now, not after the training
    progress.say(described(model))
    loop = LoopConfig(
        steps=1,
        micro_rows=plan.micro_rows,
        schedule=request.schedule,
        device=machine.device,
        dtype=request.dtype or machine.dtype,
    )
    built, named = (model, start), (tokenizer, tokenizer_folder)
    return TextProblem(corpus, named, shards, built, request, plan, loop)


def described(model: Model) -> str:
    """The model that was built, for people: with the vocabulary that its tokenizer really has."""
    config, weights = model.config, sum(w.numel() for w in model.parameters())
    met = config.active()
    if met < weights:
        return (
            f"Model: {weights:,} weights, of which a token meets {met:,}; vocabulary "
            f"{config.vocab:,}, width {config.width}, context {config.context}."
        )
    return (
        f"Model: {weights:,} weights; vocabulary {config.vocab:,}, width {config.width}, "
        f"context {config.context}."
    )


def _with_mask(tokenizer: Tokenizer, folder: Path) -> Tokenizer:
    """The same tokenizer with a token for hidden words."""

    def build(aside: Path) -> None:
        add_mask(tokenizer.where.parent, aside)

    run_stage(folder, layout.PART, {"stage": "mask-1", "tokenizer": tokenizer.fingerprint}, build)
    return Tokenizer.load(folder)


def _model(
    plan: Plan, vocab: int, device: str, init: Path | None
) -> tuple[Model, dict[str, Tensor] | None]:
    """The model to train, and the weights that it brings along."""
    if init is None:
        return plan.config(vocab).build().to(device), None
    model = load_model(init, device)
    return model, {name: weight.detach().clone() for name, weight in model.named_parameters()}


def token_bytes(tokenizer: Tokenizer) -> np.ndarray:
    """(V,) int64: how many bytes of text each token stands for; special tokens stand for none."""
    special = set(tokenizer.special_ids)
    sizes = [
        0 if i in special else len(tokenizer.decode_bytes([i])) for i in range(tokenizer.vocab_size)
    ]
    return np.array(sizes, np.int64)
