"""A model that reads a question beside texts and says how well each fits, ready to use."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch

from hornbook.core.errors import UsageError
from hornbook.core.files import read_json
from hornbook.core.machine import has_bfloat16, pick_device
from hornbook.models.classifier import ClassifierNetwork
from hornbook.models.folder import load_model
from hornbook.models.pair_scores import pair_scores, read_pairs
from hornbook.models.place import resolve
from hornbook.nn.fast_linear import with_fast_linear
from hornbook.retrieve.reranking import SETTINGS, Counting
from hornbook.tokenize.sequences import SequenceTokenizer
from hornbook.workflows.open.opened import Opened, texts_of


class Reranker(Opened):
    """A cross-encoder. counting: what its scores should count beside those of a search, as its
    folder says."""

    kind, abilities = "a reranker", ("rerank",)

    def __init__(
        self,
        path: Path,
        model: ClassifierNetwork,
        tokenizer: SequenceTokenizer,
        counting: Counting = Counting(),  # noqa: B008
    ) -> None:
        super().__init__(path)
        self.model, self.tokenizer, self.counting = model, tokenizer, counting

    def rerank(self, question: str, texts: Iterable[str]) -> np.ndarray:
        """(N,) float32: how well each text fits a question, the larger, the better.

        Raises UsageError for what is no text, and HornbookError for half a surrogate pair.
        """
        (asked,) = texts_of([question])
        pairs = [(asked, text) for text in texts_of(texts)]
        return pair_scores(self.model, read_pairs(self.model, self.tokenizer, pairs))


def open_reranker(path: Path, device: str | None = None) -> Reranker:
    """The reranker of a model or run folder, in bfloat16 where the processor multiplies it.

    device: "cpu", "cuda", or None for the best there is. Raises UsageError or HornbookError naming
    what is missing or wrong.
    """
    folder, device = resolve(path), pick_device(device)
    fast = device == "cpu" and has_bfloat16()
    model = load_model(folder, device, torch.bfloat16 if fast else torch.float32).eval()
    assert isinstance(model, ClassifierNetwork)
    if model.config.vocab is None:
        raise UsageError(f"{folder} judges images, not texts.")
    with_fast_linear(model)
    settings = folder / SETTINGS
    known = settings.is_file()
    counting = Counting.parse(read_json(settings), str(settings)) if known else Counting()
    return Reranker(path, model, SequenceTokenizer.load(folder), counting)
