"""A model whose work can be given up between two of its calls, whatever it is used for."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from hornbook.generate.decode import SequenceModel, Sequences


class WatchedModel:
    """A `SequenceModel`. look: is called before each call, and raises to end the work."""

    def __init__(self, model: SequenceModel, look: Callable[[], None]) -> None:
        self._model, self._look = model, look
        self.vocab, self.context = model.vocab, model.context

    def sequences(self, rows: int, capacity: int | None = None) -> "WatchedSequences":
        """The model's own, watched."""
        return WatchedSequences(self._model.sequences(rows, capacity), self._look)


class WatchedSequences:
    """`Sequences`, watched."""

    def __init__(self, sequences: Sequences, look: Callable[[], None]) -> None:
        self._look = look
        self._go_on, self._check = sequences.go_on, sequences.check
        self.capacity, self.cuttable = sequences.capacity, sequences.cuttable
        self.lazy, self.cut, self.copy = sequences.lazy, sequences.cut, sequences.copy
        self.drop, self.bytes_of_position = sequences.drop, sequences.bytes_of_position

    def go_on(
        self, new: Mapping[int, Sequence[int]], computing: Callable[[], None] | None = None
    ) -> dict[int, np.ndarray]:
        """As the model's, if the work goes on."""
        self._look()
        return self._go_on(new, computing)

    def check(self, row: int, ids: Sequence[int]) -> np.ndarray:
        """As the model's, if the work goes on."""
        self._look()
        return self._check(row, ids)
