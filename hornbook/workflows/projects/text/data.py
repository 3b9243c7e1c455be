"""All that stands before the first step: tokenizer, tokens, batches, and the model to train.

Each stage is reused when its inputs are unchanged. Knows the front doors of tokenize, batches
and models; knows nothing of training.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from hornbook.batches.packing import PackedWindows
from hornbook.batches.shards import TokenShards
from hornbook.core.gguf import GGUFFile, is_gguf
from hornbook.core.machine import Machine
from hornbook.core.progress import Progress
from hornbook.core.stages import run_stage
from hornbook.corpus.corpus import Corpus
from hornbook.models.convert import to_hf
from hornbook.models.folder import load_model
from hornbook.models.model import Model
from hornbook.models.presets import MASKED_PRESETS
from hornbook.tokenize.gguf import unpack_tokenizer
from hornbook.tokenize.masking import add_mask
from hornbook.tokenize.tokenizer import Tokenizer
from hornbook.train.dial import Plan
from hornbook.workflows.curate.encode import prepare_shards, prepare_tokenizer
from hornbook.workflows.projects.text.tasks import Task, task_of
from hornbook.workflows.runs import folder as layout
from hornbook.workflows.runs.folder import PretrainRequest


@dataclass
class Bench:
    """All that is built before the first step.

    token_bytes: (V,) bytes of text of each token. start: weights to go on from, or None for fresh.
    """

    tokenizer: Tokenizer
    tokenizer_folder: Path
    token_bytes: np.ndarray
    train: TokenShards
    validation: TokenShards
    batches: PackedWindows
    task: Task
    model: Model
    start: dict[str, Tensor] | None

    def reset(self, seed: int) -> None:
        """Give the model the weights that training begins with."""
        if self.start is None:
            self.model.reset(seed)
            return
        with torch.no_grad():
            for name, weight in self.model.named_parameters():
                weight.copy_(self.start[name])


class Inputs(NamedTuple):
    """What training reads: a corpus, a tokenizer brought along, and a model to go on from."""

    corpus: Corpus
    tokenizer: Path | None = None
    init: Path | None = None

    def folders(self) -> dict[str, Any]:
        """Where they lie, for the recipe."""
        return {
            f"{name}_folder": str(place.absolute()) if place else None
            for name, place in zip(
                self._fields, (self.corpus.folder, self.tokenizer, self.init), strict=True
            )
        }


def prepare(
    inputs: Inputs,
    run: Path,
    plan: Plan,
    machine: Machine,
    request: PretrainRequest,
    progress: Progress,
) -> Bench:
    """Build or reuse everything up to the model on `machine`'s device, fresh or that of `init`."""
    corpus, tokenizer_folder, init = inputs
    if tokenizer_folder is None:
        tokenizer_folder = run / layout.TOKENIZER
        tokenizer = prepare_tokenizer(
            corpus, tokenizer_folder, plan.vocab, progress, layout.PART, request.minutes
        )
    elif is_gguf(tokenizer_folder):
        tokenizer_folder = _unpacked(tokenizer_folder, run / layout.TOKENIZER)
        tokenizer = Tokenizer.load(tokenizer_folder)
    else:
        tokenizer = Tokenizer.load(tokenizer_folder)
    if init is None and plan.preset in MASKED_PRESETS:
        tokenizer_folder = run / layout.MASK_TOKENIZER
        tokenizer = _with_mask(tokenizer, tokenizer_folder)
    train, validation = prepare_shards(
        corpus, tokenizer, run / layout.SHARDS, progress, layout.PART
    )
    model, start = _model(plan, tokenizer.vocab_size, machine.device, init)
    to_hf(model.config)  # what could not be saved is refused now, not after the training
    return Bench(
        tokenizer=tokenizer,
        tokenizer_folder=tokenizer_folder,
        token_bytes=token_bytes(tokenizer),
        train=train,
        validation=validation,
        batches=PackedWindows(train, plan.context, plan.rows, request.seed, request.isolate),
        task=task_of(model.config, tokenizer),
        model=model,
        start=start,
    )


def described(bench: Bench) -> str:
    """The model that was built, for people: with the vocabulary that its tokenizer really has."""
    config, weights = bench.model.config, sum(w.numel() for w in bench.model.parameters())
    return (
        f"Model: {weights:,} weights; vocabulary {config.vocab:,}, width {config.width}, "
        f"context {config.context}."
    )


def _unpacked(file: Path, folder: Path) -> Path:
    """The tokenizer in a GGUF file as a folder, which goes with the model that is saved."""
    inputs = {"stage": "gguf-tokenizer-1", "tokenizer": Tokenizer.load(file).fingerprint}
    run_stage(folder, layout.PART, inputs, lambda aside: unpack_tokenizer(GGUFFile(file), aside))
    return folder


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
