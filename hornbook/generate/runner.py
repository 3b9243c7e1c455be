"""Runs a model on slots, the rows of one state: a prompt's chunk in one, a token in several.

A chunk is a call of its own, as its rows would otherwise be padded to the longest; decoding is one
call over the rows from the first that writes to the last, in which the others are marked invalid.
Rows are views, so nothing is copied and no other row is touched. Knows slots; knows nothing of
requests, of the order in which things are computed, or of sampling.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from hornbook.generate.decode import Decoder


class Runner:
    """A model and the memory of `slots` sequences of at most `room` tokens (None: the context)."""

    def __init__(self, model: Decoder, slots: int, room: int | None = None) -> None:
        self.model, self.state = model, model.new_state(slots, room)

    @torch.inference_mode()
    def keep(self, slot: int, count: int) -> None:
        """Let a slot hold the first `count` of its tokens only."""
        self.state.cut(slot, count)

    @torch.inference_mode()
    def read(self, slot: int, ids: Sequence[int]) -> Tensor:
        """Go on with several tokens; the logits after the last of them, (V,)."""
        tokens = torch.tensor([ids], device=self.state.length.device)
        features = self.model.go_on(tokens, self.state.view(slot, slot + 1))
        return self.model.head(features[0, -1])

    @torch.inference_mode()
    def decode(self, newest: Mapping[int, int]) -> dict[int, Tensor]:
        """Go on with one token in each of some slots; the logits after it, (V,) each."""
        first, stop = min(newest), max(newest) + 1
        tokens = torch.tensor([[newest.get(slot, 0)] for slot in range(first, stop)])
        valid = torch.tensor([[slot in newest] for slot in range(first, stop)])
        device = self.state.length.device
        logits = self.model(
            tokens.to(device),
            self.state.view(first, stop),
            None if len(newest) == stop - first else valid.to(device),
        )
        return {slot: logits[slot - first, -1] for slot in newest}
