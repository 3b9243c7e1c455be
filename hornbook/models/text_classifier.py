"""A classifier with its tokenizer: texts in, probabilities of labels out."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from hornbook.models.classifier import ClassifierNetwork
from hornbook.models.sentences import alike
from hornbook.nn.padding import padded
from hornbook.tokenize.sequences import SequenceTokenizer


class Read(NamedTuple):
    """Texts as a model reads them. sequences: int64 ids each, at least one.

    tokens: (N,) int64, how many ids each whole text has; where a sequence has fewer, it was cut.
    empty: (N,) bool, nothing but white space: the label says nothing then.
    """

    sequences: list[np.ndarray]
    tokens: np.ndarray
    empty: np.ndarray

    @property
    def cut(self) -> np.ndarray:
        """(N,) bool, True = the end of the text was not read."""
        return self.tokens > np.array([len(ids) for ids in self.sequences], np.int64)


class TextClassifier:
    """labels: the classes' names in the order of the columns."""

    def __init__(self, model: ClassifierNetwork, tokenizer: SequenceTokenizer) -> None:
        assert model.config.vocab is not None, "images are no texts"
        self.model, self.tokenizer = model, tokenizer
        self.labels = model.config.labels

    def read(self, texts: Sequence[str]) -> Read:
        """Raises HornbookError for half a surrogate pair."""
        return read_texts(self.tokenizer, texts, self.model.config.context)

    def probabilities(self, texts: Sequence[str]) -> np.ndarray:
        """(N, L) float64, rows that sum to 1. Raises HornbookError as `read` does."""
        return softmax(self.logits(self.read(texts).sequences))

    def logits(self, sequences: Sequence[np.ndarray]) -> np.ndarray:
        """(N, L) float32, in the order of `sequences`."""
        return self._each(sequences, self.model, len(self.labels))

    def gathered(self, sequences: Sequence[np.ndarray]) -> np.ndarray:
        """(N, D) float32: what the classifier's `Top` goes on from."""
        return self._each(sequences, self.model.gathered, self.model.config.width)

    @torch.no_grad()
    def _each(
        self,
        sequences: Sequence[np.ndarray],
        compute: Callable[[Tensor, Tensor], Tensor],
        columns: int,
    ) -> np.ndarray:
        """(N, columns) float32.

        Sequences of one length are computed together; what a text shares a batch with moves no
        more than the last digits.
        """
        was_training = self.model.training
        self.model.eval()
        device = self.model.device
        found = np.zeros((len(sequences), columns), np.float32)
        for rows in alike(sequences):
            tokens, valid = (t.to(device) for t in padded([sequences[i] for i in rows], 0))
            found[rows] = compute(tokens, valid).float().cpu().numpy()
        self.model.train(was_training)
        return found


def read_texts(tokenizer: SequenceTokenizer, texts: Sequence[str], longest: int) -> Read:
    """Texts as at most `longest` ids each; a text without any becomes one end of text.

    Raises HornbookError for half a surrogate pair.
    """
    sequences, tokens = tokenizer.encode_counted(texts, longest)
    nothing = np.array([tokenizer.padding], np.int64)
    return Read(
        sequences=[ids if len(ids) else nothing for ids in sequences],
        tokens=np.maximum(tokens, 1),
        empty=np.array([not text.strip() for text in texts], bool),
    )


def softmax(logits: np.ndarray) -> np.ndarray:
    """(N, L) -> (N, L) float64, rows that sum to 1."""
    raised = np.exp(logits.astype(np.float64) - logits.max(1, keepdims=True))
    shares: np.ndarray = raised / raised.sum(1, keepdims=True)
    return shares
