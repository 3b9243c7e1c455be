"""Text to ids and back where tokens are pieces of text, not of bytes: Unigram models that write.

What a piece cannot say is lost as the unknown token, so nothing is trained from scratch on one.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hornbook.tokenize.guard import panics_are_errors
from hornbook.tokenize.sequences import SequenceTokenizer
from hornbook.tokenize.tokenizer import Tokenizer, is_lossless


class UnigramTokenizer:
    """eos_id: ends a text, or None. special_ids: all tokens that text never becomes."""

    def __init__(self, sequences: SequenceTokenizer) -> None:
        self._sequences = sequences
        self.where, self.vocab_size = sequences.where, sequences.vocab_size
        self.special_ids, self.pad_id = sequences.special_ids, sequences.pad_id
        self.eos_id = sequences.role("eos_token")
        self.stop_ids = frozenset({self.eos_id} - {None})

    @classmethod
    def load(cls, folder: Path) -> "UnigramTokenizer":
        """Open the tokenizer of a folder; raises HornbookError naming the file that is wrong."""
        return cls(SequenceTokenizer.load(folder))

    def encode_batch(self, texts: Sequence[str]) -> list[np.ndarray]:
        """The ids of many texts, int64 arrays, without special tokens.

        Raises HornbookError for half a surrogate pair.
        """
        return self._sequences.encode_bare(texts)

    def decode(self, ids: Sequence[int]) -> str:
        """The text of ids; special tokens say nothing."""
        plain = [int(i) for i in ids if i not in self.special_ids]
        with panics_are_errors(self.where):
            text: str = self._sequences.reference.decode(plain, skip_special_tokens=False)
        return text


def open_writer(folder: Path) -> Tokenizer | UnigramTokenizer:
    """The tokenizer of a folder whose model writes text."""
    return Tokenizer.load(folder) if is_lossless(folder) else UnigramTokenizer.load(folder)
