"""An encoder and its tokenizer as a GGUF file, and how near its vectors are to what they were."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hornbook.core.machine import versions
from hornbook.core.progress import Progress
from hornbook.models.gguf.write import StoredTensor, write_gguf
from hornbook.tokenize.tokenizer import read_files
from hornbook.tokenize.wordpiece import write_wordpiece
from hornbook.workflows.exchange.parity import PROMPTS, TOLERANCES
from hornbook.workflows.open.encoder import Encoder, open_to_train

_TEXTS, _CHARACTERS = 64, 500
"""Of the sample that are compared, and of each."""


def write_encoder_file(source: Path, out: Path, kind: str) -> tuple[Encoder, list[StoredTensor]]:
    """Write the encoder of `source` as one of FILE_TYPES. Returns it, and the tensors of the file.

    Raises HornbookError when GGUF has no architecture or no tokenizer for it.
    """
    encoder = open_to_train(source, "cpu")
    values, settings = read_files(source)
    config, where = encoder.model.config, str(encoder.tokenizer.where)
    said = {
        "general.type": "model",
        "general.name": source.name,
        **write_wordpiece(values, settings, config.vocab, where),
    }
    return encoder, write_gguf(encoder.model, out, kind, said)


def certify_encoder(
    before: Encoder, written: Path, kind: str, sample: str, progress: Progress
) -> dict[str, Any]:
    """parity {least_cosine, max_vector_difference} of the vectors of texts, same_tokens, tolerance
    {share, met}: how far a cosine may be from 1, and versions."""
    after = open_to_train(written, "cpu")
    texts = [*PROMPTS, *_pieces(sample)]
    one, other = (each.embed(texts) for each in (before, after))
    least = float((one * other).sum(1).min())
    progress.say(
        f"The cosine of a text's vectors before and after is {least:.6f} at least, of {len(texts)} "
        "texts."
    )
    return {
        "parity": {
            "least_cosine": least,
            "max_vector_difference": float(np.abs(one - other).max()),
        },
        "same_tokens": _tokens(before, texts) == _tokens(after, texts),
        "tolerance": {"share": TOLERANCES[kind], "met": 1 - least <= TOLERANCES[kind]},
        "versions": versions(),
    }


def _pieces(sample: str) -> list[str]:
    parts = (part.strip() for part in re.split(r"\n\s*\n", sample))
    return [part[:_CHARACTERS] for part in parts if part][:_TEXTS]


def _tokens(encoder: Encoder, texts: Sequence[str]) -> list[list[int]]:
    longest = encoder.model.config.context
    return [ids.tolist() for ids in encoder.tokenizer.encode_batch(texts, longest)]
