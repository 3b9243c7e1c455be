"""Vectors of sentences, by the encoder that is there, or by words where there is none."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from hornbook.core.progress import Progress
from hornbook.retrieve.word_vectors import word_vectors

if TYPE_CHECKING:
    import numpy as np

    from hornbook.workflows.open.encoder import Encoder

_LONGEST = 128
"""Tokens of a sentence that are read."""
_AT_ONCE = 256


class SentenceVectors:
    """Makes vectors. name: of the encoder, or None where words are all there is."""

    def __init__(self, name: str | None, progress: Progress, language: str = "en") -> None:
        self.name, self._progress, self._language = name, progress, language
        self._encoder: Encoder | None = None

    def of(self, texts: Sequence[str], prompt: str = "passage") -> "np.ndarray":
        """(N, D) float32, rows of length one."""
        if self.name is None:
            return word_vectors(texts, self._language)
        import numpy as np

        encoder = self._opened(self.name)
        parts = []
        with self._progress.bar("vectors", len(texts), "sentences") as advance:
            for start in range(0, len(texts), _AT_ONCE):
                some = texts[start : start + _AT_ONCE]
                parts.append(encoder.embed(some, _LONGEST, prompt))
                advance(len(some))
        return np.concatenate(parts) if parts else np.zeros((0, encoder.width), np.float32)

    def _opened(self, name: str) -> "Encoder":
        if self._encoder is None:
            from hornbook.workflows.open.encoder import Encoder
            from hornbook.workflows.open.load import load

            self._encoder = load(name, Encoder)
        return self._encoder
