"""How many bits a model needs for a byte of text, and its perplexity for a token.

Bits per byte of the original text compare any two models, and compressors too; perplexities compare
models of one tokenizer only. Every text is scored whole, from the end of a document before it.
"""

import itertools
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from hornbook.baselines.compress import gzip_bits_per_byte, xz_bits_per_byte
from hornbook.core.errors import UsageError
from hornbook.core.stats import Estimate, bootstrap_ratio
from hornbook.corpus.corpus import Corpus
from hornbook.datasets.tables import NOT_UNICODE
from hornbook.evaluate.evaluated_model import EvaluatedModel
from hornbook.evaluate.likelihood import windows
from hornbook.evaluate.rows import LeftOut
from hornbook.evaluate.task import Item, ItemResult, Metrics, Task
from hornbook.evaluate.templates import Row
from hornbook.generate.likelihoods import LikelihoodRequest, begin_of
from hornbook.read.documents import Document
from hornbook.read.sources import find_files, read_file


class PerplexityTask(Task):
    """window: tokens that the model sees at once, at most its context. stride: how many of them are
    scored anew in each window after the first; half of it if not given.
    """

    content: str = "{{ text }}"
    window: int = Field(default=2048, ge=2)
    stride: int | None = Field(default=None, ge=1)

    def read(self, path: Path, left_out: LeftOut) -> list[dict[str, Any]]:
        """The documents of a file or folder, or the held-out side of a corpus."""
        if path.is_dir() and (path / "split.json").is_file():
            corpus = Corpus.open(path)
            corpus.require("validation")
            return [{"text": document.text} for document in corpus.documents("validation")]
        found = itertools.chain.from_iterable(read_file(file) for file in find_files([path]))
        rows = []
        for item in found:
            if isinstance(item, Document):
                rows.append({"text": item.text, **item.metadata})
            elif item.reason == NOT_UNICODE:
                left_out(item)
            else:
                raise UsageError(f"{item}.")
        return rows

    def shown(self, row: Row) -> str:
        return ""

    def measure(
        self, evaluated: EvaluatedModel, items: Sequence[Item], shots: Sequence[Row]
    ) -> list[ItemResult]:
        if shots:
            raise UsageError("perplexity is that of whole texts: there are no shots.")
        begin, max_length = begin_of(evaluated.tokenizer), min(self.window, evaluated.max_length)
        stride = min(self.stride or max(1, max_length // 2), max_length)
        parts = [
            list(
                windows(
                    LikelihoodRequest(begin, evaluated.tokenizer.encode(item.content)),
                    max_length,
                    stride,
                )
            )
            for item in items
        ]
        found = iter(evaluated.likelihoods([part for one in parts for part in one], max_length))
        samples = []
        for item, requests in zip(items, parts, strict=True):
            rows = [
                [next(found).logprob, len(one.target), _bytes(evaluated, one)] for one in requests
            ]
            nats, tokens, size = (sum(column) for column in zip(*rows, strict=True))
            values = {"logprob": nats, "tokens": tokens, "bytes": size, "windows": rows}
            samples.append(ItemResult(item, values))
        return samples

    def scores(self, samples: Sequence[ItemResult], seed: int) -> Metrics:
        """With a bootstrap over windows: there may be one text only."""
        rows = np.array([row for sample in samples for row in sample.found["windows"]])
        nats, tokens, sizes = rows.T
        bits = bootstrap_ratio(list(-nats / math.log(2)), list(sizes), seed)
        mean = bootstrap_ratio(list(-nats), list(tokens), seed)
        if len(rows) == 1:  # one window says nothing of how much they differ
            bits, mean = (Estimate(e.value, math.nan, math.nan) for e in (bits, mean))
        return {"bits_per_byte": bits, "perplexity": Estimate(*map(float, np.exp(mean)))}

    def baselines(self, samples: Sequence[ItemResult], seed: int) -> dict[str, Metrics]:
        texts = [sample.item.content for sample in samples]
        by = {"gzip": gzip_bits_per_byte(texts), "xz": xz_bits_per_byte(texts)}
        return {
            name: {"bits_per_byte": Estimate(bits, math.nan, math.nan)} for name, bits in by.items()
        }


def _bytes(evaluated: EvaluatedModel, request: LikelihoodRequest) -> int:
    """Bytes of text that a window's targets stand for."""
    return len(evaluated.tokenizer.decode_bytes(request.target))
