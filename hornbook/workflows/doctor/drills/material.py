"""What drills are made on: texts, a corpus, a model and a run of seconds."""

import random
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from hornbook.core.clock import Clock
from hornbook.core.progress import Progress
from hornbook.corpus.build import build
from hornbook.corpus.corpus import Corpus
from hornbook.models.folder import save_model
from hornbook.models.presets import qwen3
from hornbook.models.sizes import DecoderSizes
from hornbook.tokenize.train import train_tokenizer
from hornbook.training.optimiser import Optimiser, OptimiserConfig
from hornbook.training.state import TrainState
from hornbook.workflows.projects.text.project import Text
from hornbook.workflows.runs.run import run

QUIET = Progress(quiet=True)
_WORDS = (
    "the a tablet child letter teacher morning page bird river reads writes holds finds learns old "
    "small quiet green of with from under over and while until because"
)
_SIZES = {"vocab": 300, "depth": 1, "width": 32, "heads": 2, "context": 32, "rows": 4}


def texts(folder: Path, count: int, sentences: int = 12) -> Path:
    """So many files of sentences, no two alike."""
    folder.mkdir(parents=True, exist_ok=True)
    draw, words = random.Random(0), _WORDS.split()
    for number in range(count):
        lines = (" ".join(draw.choices(words, k=9)) + "." for _ in range(sentences))
        (folder / f"{number:05d}.txt").write_text(f"Text {number}. " + " ".join(lines))
    return folder


def corpus(folder: Path) -> Corpus:
    """A small corpus in `folder`/corpus; built once."""
    return build([texts(folder / "texts", 40)], folder / "corpus", progress=QUIET)


def decoder(folder: Path) -> Path:
    """A model folder that generates, with its tokenizer and a chat template."""
    tokenizer = train_tokenizer([_WORDS * 20], 300, folder / "tokenizer", QUIET)
    sizes = DecoderSizes(
        vocab=tokenizer.vocab_size, width=32, depth=1, context=512, heads=2, kv_heads=2, head=16,
        hidden=48, tied=False,
    )  # fmt: skip
    model = qwen3(sizes).build()
    save_model(model, folder / "model", tokenizer_folder=folder / "tokenizer")
    return folder / "model"


def state() -> TrainState:
    """A model that has taken a step."""
    sizes = DecoderSizes(
        vocab=300, width=32, depth=1, context=32, heads=2, kv_heads=2, head=16, hidden=48,
        tied=False,
    )  # fmt: skip
    model = qwen3(sizes).build()
    made = TrainState(model, Optimiser(model, OptimiserConfig(), torch.float32))
    for weight in model.parameters():
        weight.grad = torch.ones_like(weight)
    made.optimiser.finish_gradient(1)
    made.optimiser.step(1.0)
    made.optimiser.clear_gradient()
    made.step = 1
    return made


def text_values(**length: Any) -> dict[str, Any]:
    """Values of a recipe for a small run on text."""
    return {"plan": _SIZES, "compiled": False, "dtype": "float32", "device": "cpu", **length}


def minutes_used(folder: Path, minutes: float, plan: Mapping[str, Any] | None = None) -> float:
    """Train for so many minutes; the share of them that it took, all included."""
    began = time.monotonic()
    project = Text(corpus(folder))
    values = text_values(minutes=minutes)
    request = project.request({**values, "plan": plan or values["plan"]})
    run(project, folder / "run", request, progress=QUIET, clock=Clock.start(minutes, began))
    return (time.monotonic() - began) / 60 / minutes
