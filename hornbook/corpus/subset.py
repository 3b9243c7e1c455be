"""A part of a corpus's training text, of a size to the byte; what is held out stays as it is.

For two corpora of one size: documents are drawn until the size is full, and of the last one the
beginning is taken. Nothing is built for it.
"""

import dataclasses
from collections.abc import Iterator

import numpy as np

from hornbook.core.files import hash_json
from hornbook.corpus.corpus import Corpus
from hornbook.corpus.split import Side
from hornbook.read.documents import Document


class CorpusSubset(Corpus):
    """most: UTF-8 bytes of its training text; at most three fewer, where a character is cut.

    seed: of which documents are drawn; they stay in stored order.
    """

    def __init__(self, whole: Corpus, most: int, seed: int) -> None:
        named = {"stage": "part-1", "corpus": whole.fingerprint, "most": most, "seed": seed}
        super().__init__(whole.folder, hash_json(named))
        self.built = whole.fingerprint
        sizes = np.array([size for _, size in self._training()], np.int64)
        order = np.random.default_rng(seed).permutation(len(sizes))
        before = np.cumsum(sizes[order]) - sizes[order]
        self._room = np.zeros(len(sizes), np.int64)
        self._room[order] = np.clip(most - before, 0, sizes[order])
        taken = {"documents": int((self._room > 0).sum()), "bytes": int(self._room.sum())}
        self.facts["split"] = {**self.facts["split"], "train": taken}
        self.facts["one_pass"] = {**taken, "most_copies": 1}

    def _training(self) -> Iterator[tuple[Document, int]]:
        for part, side, copies in super()._parts():
            if side == "train" and copies:
                yield part, len(part.text.encode("utf-8"))

    def _parts(self) -> Iterator[tuple[Document, Side, int]]:
        rooms = iter(self._room.tolist())
        for part, side, copies in super()._parts():
            if side != "train":
                yield part, side, copies
            elif copies and (room := next(rooms)):
                yield _cut(part, room), side, 1


def _cut(document: Document, room: int) -> Document:
    """The document, or its beginning of so many bytes."""
    text = document.text.encode("utf-8")
    if len(text) <= room:
        return document
    return dataclasses.replace(document, text=text[:room].decode("utf-8", "ignore"))
