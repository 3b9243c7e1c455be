"""An encoder for the few texts of a question: opened in a tenth of a second, as it loads no torch.

Gives the vectors of `Encoder` in float32. A model of another kind than BERT's is none for it.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np

from hornbook.core.files import read_json
from hornbook.models.numpy_bert import NumpyBert
from hornbook.models.place import resolve
from hornbook.models.prompts import Prompts, read_prompts
from hornbook.tokenize.sequences import SequenceTokenizer

POOLING = Path("1_Pooling") / "config.json"
"""Where sentence-transformers says how vectors of tokens become one."""


class QuickEncoder:
    """As `Encoder`, for texts that are few. width: numbers of a vector."""

    def __init__(self, model: NumpyBert, tokenizer: SequenceTokenizer, prompts: Prompts) -> None:
        self.model, self.tokenizer, self.prompts = model, tokenizer, prompts
        self.width = model.width

    @classmethod
    def open(cls, path: Path) -> Self | None:
        """The encoder of a model or run folder; None where only `Encoder` opens it, or says what
        is wrong with it. Raises UsageError where there is no model, and HornbookError for a broken
        tokenizer."""
        folder = resolve(path)
        if other_pooling(folder) or (model := NumpyBert.open(folder)) is None:
            return None
        tokenizer = SequenceTokenizer.load(folder)
        if tokenizer.vocab_size > model.vocab:
            return None
        return cls(model, tokenizer, read_prompts(folder))

    def embed(
        self, texts: Sequence[str], longest: int | None = None, prompt: str | None = None
    ) -> np.ndarray:
        """(N, D) float32 of texts, in their order, as `Encoder.embed`."""
        before, most = self.prompts.of(prompt), min(longest or self.context, self.context)
        found = np.zeros((len(texts), self.width), np.float32)
        ids = self.tokenizer.encode_batch([before + text for text in texts], most)
        real = [i for i, one in enumerate(ids) if len(one)]
        if real:
            found[real] = self.model.vectors([ids[i] for i in real])
        return found

    @property
    def context(self) -> int:
        """Tokens of a text that are read, at most."""
        return int(self.model.context)


def other_pooling(folder: Path) -> str | None:
    """How the vectors of tokens become one, where a model's folder asks for another way than the
    mean; None for the mean."""
    if not (folder / POOLING).is_file():
        return None
    asked = [name for name, on in read_json(folder / POOLING).items() if on is True]
    other = [n for n in asked if n.startswith("pooling_") and n != "pooling_mode_mean_tokens"]
    return other[0] if other else None
