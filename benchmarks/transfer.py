"""Does filling in words help a classifier? Nothing else needs to be installed.

Run as `python -m benchmarks.transfer` with HORNBOOK_DATA set. BERT is pretrained on the films'
reviews of `sentiment_imdb` without their labels; then classifiers of the sentences of
`sentiment_rt` are trained, from its body and from random weights, all else equal, with several
seeds: all weights, and all but the token vectors. A fifth of the sentences, chosen by their hash,
is what they are tested on. The classifiers read the mean of the vectors: without a task for the
first token, filling in words leaves nothing in it.
"""

import argparse
import gzip
import json
import os
import tempfile
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
import torch

from benchmarks.common import report
from hornbook.batches.labelled import LabelledTexts
from hornbook.core.machine import DType
from hornbook.core.progress import Progress
from hornbook.core.stats import wilson
from hornbook.corpus.build import build
from hornbook.models.classifier import ClassifierNetwork, on_encoder
from hornbook.models.encoder import EncoderConfig
from hornbook.models.folder import load_model
from hornbook.models.masked_lm import MaskedLM
from hornbook.models.transfer import copy_backbone
from hornbook.nn.pooling import MeanConfig
from hornbook.read.documents import content_hash
from hornbook.tokenize.sequences import SequenceTokenizer
from hornbook.training.loop import LoopConfig, train
from hornbook.training.objective import class_label
from hornbook.training.optimiser import Optimiser, OptimiserConfig
from hornbook.training.schedule import ScheduleConfig
from hornbook.training.scores import score
from hornbook.training.state import TrainState
from hornbook.workflows.projects.text.project import Text
from hornbook.workflows.projects.text.request import TextRecipe
from hornbook.workflows.runs.folder import MODEL
from hornbook.workflows.runs.run import run as train_project

LABELS = ("neg", "pos")
STARTS = ("pretrained", "random")
_ROWS, _EPOCHS, _SEEDS = 32, 3, 3
_LONGEST = 64
"""Tokens of a sentence that are read; few have more."""
# The same for both: a peak that neither diverges at nor stands still.
_TUNING = OptimiserConfig(
    matrix_rate=0.002, embedding_rate=0.001, head_rate=0.001, scalar_rate=0.001
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=5.0, help="of pretraining")
    arguments = parser.parse_args()
    if "HORNBOOK_DATA" not in os.environ:
        parser.error("HORNBOOK_DATA must name the folder with sentiment_imdb and sentiment_rt.")
    data = Path(os.environ["HORNBOOK_DATA"])
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        result = _pretrained(data, Path(folder) / "corpus", run, arguments.minutes)
        dtype = TextRecipe.load(run).loop.dtype
        encoder = load_model(run)
        assert isinstance(encoder, MaskedLM)
        parts = _sentences(data, SequenceTokenizer.load(run / MODEL))
        found = {
            (start, fixed): [
                _accuracy(encoder, parts, seed, start, fixed, dtype) for seed in range(_SEEDS)
            ]
            for fixed in (False, True)
            for start in STARTS
        }
        first = json.loads((run / "metrics.jsonl").read_text().splitlines()[0])
    scored = len(parts[1][1])
    report(
        ours=_summaries(found, "pretrained", scored),
        peers={"random initialisation": _summaries(found, "random", scored)},
        ratio=None,
        masked_words={
            "minutes": arguments.minutes,
            "bits_per_byte": result["bits_per_byte"],
            "floors": result["floors"],
            "parameters": result["parameters"]["all"],
            "first_loss": first.get("loss"),
        },
        test_sentences=scored,
    )


def _pretrained(data: Path, corpus: Path, run: Path, minutes: float) -> dict[str, Any]:
    progress = Progress()
    built = build([data / "sentiment_imdb" / "train.jsonl.gz"], corpus, progress=progress)
    project = Text(built)
    request = project.request({"minutes": minutes, "plan": {"preset": "bert"}})
    return train_project(project, run, request, progress=progress)


Part = tuple[list[np.ndarray], np.ndarray]


def _sentences(data: Path, tokenizer: SequenceTokenizer) -> tuple[Part, Part]:
    """(sequences, labels) to train on and to test on."""
    with gzip.open(data / "sentiment_rt" / "rt_polarity.jsonl.gz", "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    tested = np.array([int(content_hash(row["text"])[:8], 16) % 5 == 0 for row in rows])
    ids = tokenizer.encode_batch([row["text"] for row in rows], _LONGEST)
    places = np.array([LABELS.index(row["label"]) for row in rows], np.int64)

    def part(chosen: np.ndarray) -> Part:
        return [ids[i] for i in np.flatnonzero(chosen)], places[chosen]

    return part(~tested), part(tested)


def _accuracy(
    encoder: MaskedLM, parts: tuple[Part, Part], seed: int, start: str, fixed: bool, dtype: DType
) -> float:
    """Train a classifier and test it. start: of STARTS. fixed: token vectors stay as they are."""
    body = encoder.config
    config = EncoderConfig(
        vocab=body.vocab,
        width=body.width,
        context=body.context,
        embedding=body.embedding,
        stack=body.stack,
    )
    classifier = on_encoder(config, LABELS).model_copy(update={"pooling": MeanConfig()})
    model = classifier.build(seed)
    assert isinstance(model, ClassifierNetwork)
    if start == "pretrained":
        copy_backbone(encoder, model)
    model.embedding.requires_grad_(not fixed)
    trained, tested = (LabelledTexts(*part, rows=_ROWS, seed=seed, padding=0) for part in parts)
    loop = LoopConfig(
        steps=int(_EPOCHS * trained.steps_per_epoch),
        micro_rows=_ROWS,
        schedule=ScheduleConfig(warmup=0.1, cooldown=0.9),
        device="cpu",
        dtype=dtype,
        seed=seed,
    )
    state = TrainState(model, Optimiser(model, _TUNING, getattr(torch, dtype)))
    train(state, class_label, trained, loop)
    found = score(model, tested.in_order(), "cpu", dtype).accuracy.value
    what = "all but the token vectors" if fixed else "all weights"
    Progress().say(f"  {start}, {what}, seed {seed}: {found:.2%} in {state.elapsed_s:.0f} s")
    return found


def _summaries(
    found: dict[tuple[str, bool], list[float]], start: str, scored: int
) -> dict[str, Any]:
    return {
        "all_weights": _summary(found[start, False], scored),
        "token_vectors_fixed": _summary(found[start, True], scored),
    }


def _summary(accuracies: list[float], scored: int) -> dict[str, Any]:
    """The mean over seeds with Wilson's interval for one run, and each run."""
    middle = mean(accuracies)
    return {"accuracy": wilson(round(middle * scored), scored)._asdict(), "seeds": accuracies}


if __name__ == "__main__":
    main()
