"""Text to the sequences that encoders read: special tokens placed, cut to a length.

Any tokenizer.json will do, WordPiece too: encoders read text and never write it, so nothing here
has to give bytes back. Ordinary text never becomes a special token.
"""

import json
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from hornbook.core.errors import HornbookError
from hornbook.core.files import hash_json, read_json
from hornbook.core.gguf import GGUFFile, is_gguf
from hornbook.tokenize.gguf import read_sequences
from hornbook.tokenize.guard import check_parts, opening, panics_are_errors
from hornbook.tokenize.settings import Settings, read_settings
from hornbook.tokenize.tokenizer import TOKENIZER, Tokenizer, is_lossless

_NO_TEXT = "\ufdd0"
"""A code point that is no character, and that normalisers leave alone."""


class PairSequence(NamedTuple):
    """Two texts as one sequence. ids: (T,) int64. types: (T,) int64, the side of each, 0 or 1, as
    the tokenizer says it."""

    ids: np.ndarray
    types: np.ndarray


class SequenceTokenizer:
    """Opened with `load`. Ids are ints below `vocab_size`.

    cls_id, sep_id, mask_id, pad_id: by the roles that the folder names, or None. special_ids: all
    tokens that text never becomes. eos_id and stop_ids are those of a model that writes no text.
    """

    eos_id: int | None = None
    stop_ids: frozenset[int] = frozenset()

    def __init__(self, values: dict[str, Any], settings: Settings, where: Path) -> None:
        import tokenizers

        self.where = where
        self._values = values
        self.reference = tokenizers.Tokenizer.from_str(_ordinary(values))
        self.reference.encode_special_tokens = True
        added = values["added_tokens"]
        vocabulary = self.reference.get_vocab() | {t["content"]: t["id"] for t in added}
        self.vocab_size = max(vocabulary.values()) + 1
        self._roles = {role: vocabulary.get(name) for role, name in settings.names.items()}
        self.cls_id, self.sep_id = self.role("cls_token"), self.role("sep_token")
        self.mask_id, self.pad_id = self.role("mask_token"), self.role("pad_token")
        self.special_ids = frozenset(token["id"] for token in added if token["special"])

    @cached_property
    def fingerprint(self) -> str:
        """What decides the ids of all texts."""
        return hash_json(self._values)

    @classmethod
    def load(cls, folder: Path) -> "SequenceTokenizer":
        """Open the tokenizer of a folder or GGUF file; raises HornbookError naming the file that is
        wrong."""
        if is_gguf(folder):
            values, settings = read_sequences(GGUFFile(folder))
            return cls(values, settings, folder)
        path = folder / TOKENIZER
        if not path.is_file():
            raise HornbookError(f"{folder} holds no tokenizer: {TOKENIZER} is missing.")
        values, settings = read_json(path), read_settings(folder)
        with opening(path):
            check_parts(values)
            return cls(values, settings, path)

    def encode_batch(self, texts: Sequence[str], longest: int) -> list[np.ndarray]:
        """int64 arrays of at most `longest` ids, special tokens included; what is over is cut off.

        Raises HornbookError for half a surrogate pair.
        """
        return self.encode_counted(texts, longest)[0]

    def encode_counted(
        self, texts: Sequence[str], longest: int
    ) -> tuple[list[np.ndarray], np.ndarray]:
        """As `encode_batch`, and (N,) int64 how many ids each text would have uncut."""
        self.reference.enable_truncation(longest)
        encodings = self._encoded(texts, True)
        sequences = [np.array(encoding.ids, np.int64) for encoding in encodings]
        extra = self.reference.num_special_tokens_to_add(False)
        over = [sum(len(rest.ids) - extra for rest in e.overflowing) for e in encodings]
        return sequences, np.array([len(s) for s in sequences], np.int64) + np.array(over, np.int64)

    def encode_pairs(self, pairs: Sequence[tuple[str, str]], longest: int) -> list[PairSequence]:
        """Two texts in one sequence of at most `longest` ids.

        The longer text loses its end first. Where no special token stands between them, a line
        break does. Raises HornbookError for half a surrogate pair.
        """
        self.reference.enable_truncation(longest)
        if not self.reference.num_special_tokens_to_add(True):
            pairs = [(f"{one}\n", other) for one, other in pairs]
        return [
            PairSequence(np.array(found.ids, np.int64), np.array(found.type_ids, np.int64))
            for found in self._encoded(pairs, True)
        ]

    def encode_bare(self, texts: Sequence[str]) -> list[np.ndarray]:
        """int64 arrays of all ids of each text, without special tokens.

        Raises HornbookError for half a surrogate pair.
        """
        self.reference.no_truncation()
        return [np.array(encoding.ids, np.int64) for encoding in self._encoded(texts, False)]

    def _encoded(self, texts: Sequence[str] | Sequence[tuple[str, str]], special: bool) -> Any:
        try:
            with panics_are_errors(self.where):
                return self.reference.encode_batch_fast(list(texts), add_special_tokens=special)
        except (UnicodeEncodeError, TypeError):
            raise HornbookError(
                "A text holds half a surrogate pair, which is no Unicode text; read the file with "
                "its right encoding."
            ) from None

    def role(self, name: str) -> int | None:
        """The id of the token that the folder names for a role, as "eos_token", or None."""
        return self._roles.get(name)

    @property
    def padding(self) -> int:
        """An id to fill up with; what stands there is never looked at, so any will do."""
        return self.pad_id or 0


def open_tokenizer(folder: Path) -> Tokenizer | SequenceTokenizer:
    """The tokenizer of a folder as what it can be: one that says every byte, or only encodes."""
    if is_lossless(folder):
        return Tokenizer.load(folder)
    return SequenceTokenizer.load(folder)


def _ordinary(values: dict[str, Any]) -> str:
    """The file without padding and truncation, which are the caller's.

    A Unigram model keeps its special tokens among its pieces, as the likeliest of all: there they
    get spellings that no text has.
    """
    model, added = values["model"], values["added_tokens"]
    if model["type"] == "Unigram":
        special = {token["id"] for token in added if token["special"]}
        pieces = enumerate(model["vocab"])
        vocab = [[_NO_TEXT * (i in special) + text, score] for i, (text, score) in pieces]
        model = {**model, "vocab": vocab}
        added = [token for token in added if not token["special"]]
    bare = {"added_tokens": added, "model": model, "truncation": None, "padding": None}
    return json.dumps({**values, **bare})
