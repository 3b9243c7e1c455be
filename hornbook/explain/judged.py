"""What a model says of an input that it reads as a whole: the label of a text or of an image, or
the word that fills a gap.
"""

from collections.abc import Collection

import numpy as np
import torch
from torch import Tensor

from hornbook.explain.explained import Explained, SeenTokens, seen_tokens
from hornbook.models.classifier import ClassifierNetwork
from hornbook.models.masked_lm import MaskedLM
from hornbook.nn.contract import Context, Mask
from hornbook.nn.pooling import Pooling


class _WholeText(Explained):
    """ids: (T,) of the text. fixed: ids that are never hidden, special tokens."""

    model: ClassifierNetwork | MaskedLM

    def __init__(self, ids: np.ndarray, fixed: Collection[int], target: int) -> None:
        device = self.model.device
        self._tokens = torch.from_numpy(ids).to(device)
        self._pos = torch.arange(len(ids), device=device)
        free = [place for place, token in enumerate(ids.tolist()) if token not in fixed]
        self.places = torch.tensor(free, dtype=torch.int64, device=device)
        self.time, self.targets = len(ids), torch.tensor([target], device=device)
        self.stack, self.embedding = self.model.stack, self.model.embedding

    def _seen(self, kept: Tensor) -> SeenTokens:
        seen = torch.ones(len(kept), self.time, dtype=torch.bool, device=kept.device)
        seen[:, self.places] = kept
        seen[:, 0] |= ~seen.any(1)  # nothing but free tokens, all hidden: one has to be there
        return seen_tokens(self._tokens, self._pos, seen)


class ClassOfText(_WholeText):
    """A label that a classifier gives to a text."""

    model: ClassifierNetwork

    def __init__(
        self, model: ClassifierNetwork, ids: np.ndarray, fixed: Collection[int], label: int
    ) -> None:
        self.model = model
        super().__init__(ids, fixed, label)
        self.reads, self.answers = read_by(model.pooling, self.time), len(model.config.labels)

    def logits(self, kept: Tensor) -> Tensor:
        model, rows = self.model, self._seen(kept)
        ctx = Context(rows.pos, Mask(model.config.causal, rows.valid), shared={})
        x = model.stack(model.embedding(rows.tokens, rows.pos), ctx)
        logits: Tensor = model.head(model.pooling(x, rows.valid))[:, None]
        return logits


class FilledWord(_WholeText):
    """The token that a model puts into a gap at a place of ids; the gap itself is never hidden."""

    model: MaskedLM

    def __init__(
        self, model: MaskedLM, ids: np.ndarray, fixed: Collection[int], place: int, target: int
    ) -> None:
        self.model = model
        super().__init__(ids, {*fixed, int(ids[place])}, target)
        self.reads, self._place, self.answers = [place], place, model.config.vocab

    def logits(self, kept: Tensor) -> Tensor:
        model, rows = self.model, self._seen(kept)
        ctx = Context(rows.pos, Mask(False, rows.valid), shared={})
        x = model.features(rows.tokens, ctx)
        own = ((rows.pos == self._place) & rows.real).long().argmax(1)
        at = x[torch.arange(len(x), device=x.device), own]
        logits: Tensor = model.head(model.transform(at))[:, None]
        return logits


class ClassOfImage(Explained):
    """A label that a classifier gives to an image (1, C, H, W); the pieces are its patches, hidden
    in the mask."""

    model: ClassifierNetwork

    def __init__(self, model: ClassifierNetwork, image: Tensor, label: int) -> None:
        self.model, self.stack, self.embedding = model, model.stack, model.embedding
        self._image = image.to(model.device)
        self.time = model.config.context
        self.places = torch.arange(1, self.time, device=model.device)  # behind the class token
        self.targets = torch.tensor([label], device=model.device)
        self.reads, self.answers = read_by(model.pooling, self.time), len(model.config.labels)

    def logits(self, kept: Tensor) -> Tensor:
        first = torch.ones(len(kept), 1, dtype=torch.bool, device=kept.device)
        images = self._image.expand(len(kept), -1, -1, -1)
        logits: Tensor = self.model(images, torch.cat([first, kept], 1))[:, None]
        return logits


def read_by(pooling: Pooling, time: int) -> list[int]:
    """The positions that a pooling makes its vector of."""
    shares = pooling.gather(torch.eye(time)[None], None)[0]
    found: list[int] = shares.nonzero()[:, 0].tolist()
    return found
