"""Is a model better for curated text? Nothing else needs to be installed.

Run as `python -m benchmarks.curation` with HORNBOOK_DATA set. Pages of web archives and of C4 are
built into two corpora: as they were read (only exact copies left out, as always), and by the recipe
`web` with repeated addresses and paragraphs taken out, English only. Both are cut to the same size;
the same model is trained on each for the same number of tokens, with one tokenizer, several seeds.
Both are measured in bits per byte on news articles that neither holds.
"""

import argparse
import gzip
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np

from benchmarks.common import report
from hornbook.batches.shards import TokenShards, write_shards
from hornbook.core.machine import DType
from hornbook.core.progress import Progress
from hornbook.core.stats import bootstrap_ratio
from hornbook.corpus.build import build
from hornbook.corpus.corpus import Corpus
from hornbook.corpus.recipe import CorpusRecipe, recipe_of
from hornbook.models.folder import load_model
from hornbook.read.documents import Document
from hornbook.tokenize.tokenizer import Tokenizer
from hornbook.tokenize.train import train_tokenizer
from hornbook.training.validation import Validation
from hornbook.workflows.projects.text.problem import token_bytes
from hornbook.workflows.projects.text.project import Text
from hornbook.workflows.projects.text.request import TextRecipe
from hornbook.workflows.projects.text.tasks import task_of
from hornbook.workflows.runs.run import run as train_project

_SIZES = {"depth": 4, "width": 256, "context": 256, "rows": 32}
_VOCABULARY = 2048
_SEEDS = 3
_ARTICLES = 400


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tokens", type=int, default=3_000_000, help="of each training")
    arguments = parser.parse_args()
    if "HORNBOOK_DATA" not in os.environ:
        parser.error("HORNBOOK_DATA must name the folder of the data sets.")
    data, progress = Path(os.environ["HORNBOOK_DATA"]), Progress()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        corpora = _corpora(data, folder, progress)
        tokenizer = _tokenizer(data, folder / "tokenizer", progress)
        (folder / "held_out").mkdir()
        write_shards(_articles(data), tokenizer, folder / "held_out", progress)
        held_out = TokenShards.open(folder / "held_out")
        tokens = arguments.tokens
        found = {
            side: [
                _bits(corpus, tokenizer, held_out, folder / f"{side}-{seed}", seed, tokens)
                for seed in range(_SEEDS)
            ]
            for side, corpus in corpora.items()
        }
    sizes = found["raw"][0][1]
    summed = {side: np.mean([bits for bits, _ in runs], 0) for side, runs in found.items()}
    change = bootstrap_ratio(list(summed["curated"] - summed["raw"]), list(sizes))
    report(
        ours=_summary(found["curated"]),
        peers={"raw": _summary(found["raw"])},
        ratio=None,
        change_bits_per_byte=change._asdict(),
        tokens=tokens,
        bytes={side: corpus.bytes("train") for side, corpus in corpora.items()},
        dropped=corpora["curated"].facts["bytes"]["dropped"],
        held_out_bytes=int(sizes.sum()),
    )


def _corpora(data: Path, folder: Path, progress: Progress) -> dict[str, Corpus]:
    """Both corpora, cut to the size of the smaller."""
    sources = [data / "web_warc", data / "text_web_c4"]
    cleaning = ["urls=true", "paragraphs={}", "languages=[en]", "pii=[]"]
    recipes = {
        "raw": CorpusRecipe(near_mode="ignore"),
        "curated": recipe_of("web", cleaning),
    }
    most = min(
        build(sources, folder / f"{side}-whole", recipe, progress).facts["bytes"]["kept"]
        for side, recipe in recipes.items()
    )
    cut = {side: r.model_copy(update={"budget_bytes": most}) for side, r in recipes.items()}
    return {side: build(sources, folder / side, recipe, progress) for side, recipe in cut.items()}


def _articles(data: Path) -> Iterator[Document]:
    with gzip.open(data / "news_bbc" / "bbc.jsonl.gz", "rt", encoding="utf-8") as lines:
        for number, line in zip(range(_ARTICLES), lines, strict=False):
            yield Document(str(number), json.loads(line)["text"], "news_bbc")


def _tokenizer(data: Path, folder: Path, progress: Progress) -> Tokenizer:
    """Trained on neither: on film reviews."""
    folder.mkdir()
    with gzip.open(data / "sentiment_imdb" / "train.jsonl.gz", "rt", encoding="utf-8") as lines:
        texts = [json.loads(line)["text"] for line in lines]
    return train_tokenizer(texts, _VOCABULARY, folder, progress)


def _bits(
    corpus: Corpus, tokenizer: Tokenizer, held_out: TokenShards, run: Path, seed: int, tokens: int
) -> tuple[np.ndarray, np.ndarray]:
    """(W,) bits of each held-out window under a model that is trained now, and (W,) its bytes."""
    project = Text(corpus, tokenizer.where.parent)
    request = project.request({"tokens": tokens, "seed": seed, "plan": _SIZES})
    train_project(project, run, request, progress=Progress())
    dtype: DType = TextRecipe.load(run).loop.dtype
    model = load_model(run)
    windows = Validation(held_out, token_bytes(tokenizer), 256, 32)
    return windows.bits(model, task_of(model.config, tokenizer).losses, "cpu", dtype)


def _summary(runs: list[tuple[np.ndarray, np.ndarray]]) -> dict[str, Any]:
    """The mean over seeds with an interval over the held-out windows, and each run."""
    sizes = runs[0][1]
    middle = bootstrap_ratio(list(np.mean([bits for bits, _ in runs], 0)), list(sizes))
    each = [float(bits.sum() / sizes.sum()) for bits, _ in runs]
    return {"bits_per_byte": middle._asdict(), "seeds": each, "mean": mean(each)}


if __name__ == "__main__":
    main()
