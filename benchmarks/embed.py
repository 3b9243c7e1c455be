"""Sentence embeddings: texts a second of All-MiniLM-L6-v2 beside `transformers` in plain batches.

Both read the same abstracts of SciFact (HORNBOOK_DATA) from text to normalised vectors with the
same weights and threads, by turns; medians of the rounds. The peer pads batches of 32 texts in
their order, as its documentation does. Run: python -m benchmarks.embed [--texts N] [--longest T]
"""

import argparse
import gzip
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from benchmarks.common import report
from hornbook.models.encoder import EncoderNetwork
from hornbook.models.folder import load_model
from hornbook.models.place import resolve
from hornbook.models.sentences import embed
from hornbook.tokenize.sequences import SequenceTokenizer
from hornbook.workflows.open.encoder import Encoder
from hornbook.workflows.open.load import load

NAME, BATCH = "all-minilm-l6-v2", 32

_Embed = Callable[[Sequence[str]], np.ndarray]


def main() -> None:
    """Print the JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=Path(NAME), help="folder or pulled name")
    parser.add_argument("--texts", type=int, default=512, help="abstracts, spread over all")
    parser.add_argument("--longest", type=int, default=512, help="tokens read of a text")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    folder, texts = resolve(asked.model), abstracts(asked.texts)
    opened = load(folder, Encoder, device="cpu")
    model, tokenizer = opened.model, opened.tokenizer
    plain = load_model(folder, "cpu").eval()
    assert isinstance(plain, EncoderNetwork)
    sides: dict[str, _Embed] = {
        "ours": lambda some: embed(model, tokenizer, some, asked.longest),
        "ours_without_onednn": lambda some: embed(plain, tokenizer, some, asked.longest),
        "transformers": peer(folder, asked.longest),
    }
    found = measure(sides, texts, asked.rounds)
    difference = np.abs(found["ours"]["vectors"] - found["transformers"]["vectors"]).max()
    tokens = sum(map(len, SequenceTokenizer.load(folder).encode_batch(texts, asked.longest)))
    rates = {name: _rates(side, len(texts), tokens) for name, side in found.items()}
    ours = rates.pop("ours")
    report(
        ours | {"largest_difference": float(difference)},
        rates,
        ours["texts_per_second"] / rates["transformers"]["texts_per_second"],
        ratio_of_cpu_time=ours["texts_per_cpu_second"]
        / rates["transformers"]["texts_per_cpu_second"],
        texts=len(texts),
        tokens=tokens,
        longest=asked.longest,
        batch_of_the_peer=BATCH,
        load=os.getloadavg(),
    )


def abstracts(count: int) -> list[str]:
    """Abstracts of SciFact at equal distances, as many as asked for."""
    data = os.environ.get("HORNBOOK_DATA")
    if not data:
        sys.exit("HORNBOOK_DATA names no folder with retrieval_scifact.")
    path = Path(data) / "retrieval_scifact" / "corpus.jsonl.gz"
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        texts = [json.loads(line)["text"] for line in lines]
    places = np.linspace(0, len(texts) - 1, min(count, len(texts))).astype(int)
    return [texts[i] for i in places]


def peer(folder: Path, longest: int) -> _Embed:
    """The same vectors by `transformers`: batches in the order of the texts, padded."""
    import transformers

    model = transformers.AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)

    @torch.no_grad()
    def vectors(texts: Sequence[str]) -> np.ndarray:
        found = []
        for start in range(0, len(texts), BATCH):
            batch = texts[start : start + BATCH]
            inputs = tokenizer(
                list(batch), padding=True, truncation=True, max_length=longest, return_tensors="pt"
            )
            features = model(**inputs).last_hidden_state
            valid = inputs["attention_mask"][..., None].float()
            mean = (features * valid).sum(1) / valid.sum(1)
            found.append(F.normalize(mean, dim=1).numpy())
        return np.concatenate(found)

    return vectors


def measure(sides: dict[str, _Embed], texts: Sequence[str], rounds: int) -> dict[str, Any]:
    """Seconds and CPU seconds of each round, the sides by turns after one that is not counted."""
    found: dict[str, Any] = {name: {"seconds": [], "cpu_seconds": []} for name in sides}
    for vectors in sides.values():
        vectors(texts[:BATCH])
    for _ in range(rounds):
        for name, vectors in sides.items():
            wall, cpu = time.perf_counter(), time.process_time()
            found[name]["vectors"] = vectors(texts)
            found[name]["cpu_seconds"].append(time.process_time() - cpu)
            found[name]["seconds"].append(time.perf_counter() - wall)
    return found


def _rates(side: dict[str, Any], texts: int, tokens: int) -> dict[str, float]:
    seconds = statistics.median(side["seconds"])
    return {
        "texts_per_second": texts / seconds,
        "tokens_per_second": tokens / seconds,
        "texts_per_cpu_second": texts / statistics.median(side["cpu_seconds"]),
    }


if __name__ == "__main__":
    main()
