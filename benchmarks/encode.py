"""Bulk encoding against `tokenizers`, which Hornbook itself installs: nothing else is needed.

Run as `python -m benchmarks.encode`.

The text is encoded whole by each library; ids must be identical. Two figures are given for ours: a
first pass by a new instance, and later passes, when words have been met before.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import default_text, report
from hornbook.core.claims import Claim
from hornbook.core.progress import Progress
from hornbook.corpus.build import build
from hornbook.tokenize.tokenizer import Tokenizer
from hornbook.workflows.curate.encode import prepare_tokenizer

_FOLDERS = ("text_books_en", "text_techdocs_peps", "text_legal_dc", "text_poetry_zh")
_LEAST_BYTES = 30_000_000
_RUNS = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--vocab-size", type=int, default=8192)
    arguments = parser.parse_args()
    sources, name = default_text(*_FOLDERS)
    with tempfile.TemporaryDirectory() as folder:
        quiet = Progress(quiet=True)
        corpus = build(sources, Path(folder) / "corpus", progress=quiet)
        target = Path(folder) / "tokenizer"
        tokenizer = prepare_tokenizer(
            corpus, target, arguments.vocab_size, quiet, Claim("a benchmark")
        )
        texts = list(corpus.texts())
        texts *= -(-_LEAST_BYTES // sum(len(text.encode()) for text in texts))
        size = sum(len(text.encode()) for text in texts)
        reference, slow_s = _timed(lambda: _tokenizers(tokenizer, texts))
        firsts = [_timed(lambda: Tokenizer.load(target).encode_batch(texts))[1] for _ in "123"]
        laters = [_timed(lambda: tokenizer.encode_batch(texts)) for _ in range(_RUNS)]
    same = all(map(np.array_equal, laters[0][0], reference))
    later_s, first_s = statistics.median(s for _, s in laters), statistics.median(firsts)
    report(
        ours={
            "MB_per_second": size / 1e6 / later_s,
            "first_pass_MB_per_second": size / 1e6 / first_s,
            "encoder": tokenizer.encoder,
        },
        peers={"tokenizers encode_batch_fast": {"MB_per_second": size / 1e6 / slow_s}},
        ratio=slow_s / later_s,
        first_pass_ratio=slow_s / first_s,
        identical_ids=same,
        text=name,
        bytes=size,
        vocabulary=tokenizer.vocab_size,
    )


def _timed(work: Callable[[], Any]) -> tuple[Any, float]:
    start = time.perf_counter()
    result = work()
    return result, time.perf_counter() - start


def _tokenizers(tokenizer: Tokenizer, texts: Sequence[str]) -> list[np.ndarray]:
    """Ids by `tokenizers` alone; special tokens' spelling is ordinary text, as in ours."""
    encodings = tokenizer.reference.encode_batch_fast(list(texts), add_special_tokens=False)
    return [np.array(encoding.ids, np.uint32) for encoding in encodings]


if __name__ == "__main__":
    main()
