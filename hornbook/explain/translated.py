"""A translation as a function of the tokens of its source: by hiding them, and by alignment.

The tokens of the translation before the one that is asked are given, as it was written.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from hornbook.explain.explained import Explained, seen_tokens
from hornbook.explain.looking import mean_head, watched
from hornbook.models.seq2seq import Memory, Seq2Seq
from hornbook.nn.contract import Context, Mask
from hornbook.nn.cross_attention import CrossAttention


class TokensOfTranslation(Explained):
    """Tokens of a translation, explained by those of its source.

    source: (S,) ids, their end included, which is never hidden. written: ids of the translation.
    asked_at: the places in it that are explained, K of them.
    """

    model: Seq2Seq

    def __init__(
        self, model: Seq2Seq, source: np.ndarray, written: Sequence[int], asked_at: Sequence[int]
    ) -> None:
        self.model, self.stack, self.embedding = model, model.decoder, model.embedding
        device = model.device
        self._source = torch.from_numpy(source.astype(np.int64)).to(device)
        self._pos = torch.arange(len(source), device=device)
        self._before = torch.tensor([[model.config.start, *written[:-1]]], device=device)
        self.places = torch.arange(len(source) - 1, device=device)
        self._at = torch.tensor(list(asked_at), device=device)
        self.targets = torch.tensor(list(written), device=device)[self._at]
        self.time = len(source) + len(written)
        self.reads, self.answers = list(asked_at), model.config.vocab

    def logits(self, kept: Tensor) -> Tensor:
        end = torch.ones(len(kept), 1, dtype=torch.bool, device=kept.device)
        rows = seen_tokens(self._source, self._pos, torch.cat([kept, end], 1))
        ctx = Context(rows.pos, Mask(not self.model.config.bidirectional, rows.valid), shared={})
        vectors = self.model.encoder(self.model.embedding(rows.tokens, rows.pos), ctx)
        before = self._before.expand(len(kept), -1)
        x = self.model.features(before, Memory(vectors, rows.real))
        logits: Tensor = self.model.head(x[:, self._at])
        return logits


@torch.no_grad()
def alignment(explained: TokensOfTranslation) -> np.ndarray | None:
    """What the last cross-attention looks at when each token is written, mean of all heads: (K, S)
    shares of the source's tokens without its end; None where nothing looks at the source."""
    looking = [
        part for part in explained.model.decoder.modules() if isinstance(part, CrossAttention)
    ]
    if not looking:
        return None
    with watched(looking[-1], mean_head) as seen:
        explained.logits(explained.everything())
    weights = seen[0][explained.reads][:, explained.places].double()
    shares: np.ndarray = weights.cpu().numpy()
    return shares
