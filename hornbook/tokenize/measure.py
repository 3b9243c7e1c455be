"""What a tokenizer does to a text, in figures."""

import time
from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np

from hornbook.tokenize.tokenizer import Tokenizer

_MOST_TEXTS, _MOST_BYTES = 2000, 4 * 2**20
"""Text looked at: enough for three digits."""


def measure(tokenizer: Tokenizer, texts: Iterable[str]) -> dict[str, Any]:
    """bytes_per_token, characters_per_token, vocabulary_used (share), longest tokens, lossless.

    token_lengths: how many tokens of the text stand for 1, 2, ... bytes. On at most 4 MiB of text.
    """
    sample, size = [], 0
    for text in texts:
        sample.append(text)
        size += len(text.encode("utf-8"))
        if len(sample) == _MOST_TEXTS or size > _MOST_BYTES:
            break
    tokenizer.encode_batch(sample[:1])  # opens the library, which is not what is timed
    start = time.perf_counter()
    encoded = tokenizer.encode_batch(sample)
    seconds = time.perf_counter() - start
    ids = np.concatenate([*encoded, np.array([], np.uint32)]).astype(np.int64)
    counts = np.bincount(ids, minlength=tokenizer.vocab_size)
    lengths: Counter[int] = Counter()
    for i in np.flatnonzero(counts).tolist():
        lengths[len(tokenizer.decode_bytes([i]))] += int(counts[i])
    used = np.flatnonzero(counts).tolist()
    longest = sorted(used, key=lambda i: -len(tokenizer.decode_bytes([i])))[:10]
    return {
        "vocabulary": tokenizer.vocab_size,
        "bytes": size,
        "tokens": len(ids),
        "bytes_per_token": size / max(1, len(ids)),
        "characters_per_token": sum(map(len, sample)) / max(1, len(ids)),
        "vocabulary_used": len(used) / tokenizer.vocab_size,
        "longest": [tokenizer.decode([i]) for i in longest],
        "token_lengths": dict(sorted(lengths.items())),
        "lossless": all(
            tokenizer.decode_bytes(ids.tolist()) == text.encode("utf-8")
            for ids, text in zip(encoded, sample, strict=True)
        ),
        "megabytes_per_second": size / 1e6 / seconds,
        "encoder": tokenizer.encoder,
    }
