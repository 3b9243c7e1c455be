"""The token that a decoder says next, as a function of the tokens before it.

Tokens that are hidden are taken out, and the others keep their positions. For attention that is
what hiding them in its mask is, token for token (but in windows, which reach as many tokens back as
before). A recurrent state, which has no mask, is that of a text without them. The last token can be
hidden as well: then the one before it is asked.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from hornbook.explain.explained import Explained, seen_tokens
from hornbook.models.causal_lm import CausalLM
from hornbook.nn.contract import Context, Mask


class NextToken(Explained):
    """A context of `ids` behind tokens that stand before every text, and the token after it.

    begin: those before every text, never hidden; a model without any begins with `start` where
    nothing is left to see. target: the token that is explained.
    """

    model: CausalLM

    def __init__(
        self, model: CausalLM, ids: Sequence[int], target: int, begin: Sequence[int], start: int
    ) -> None:
        self.model, self.stack, self.embedding = model, model.stack, model.embedding
        self.ids = np.array(ids, np.int64)
        device = model.device
        self._first = list(begin) or [start]
        self._always = bool(begin)
        self._tokens = torch.tensor([*self._first, *ids], device=device)
        offset = len(begin)
        self._pos = torch.cat([torch.arange(len(self._first)), torch.arange(len(ids)) + offset]).to(
            device
        )
        self.places = torch.arange(len(ids), device=device) + offset
        self.time, self.answers = offset + len(ids), model.vocab
        self.reads, self.asked = [-1], frozenset({len(ids) - 1})
        self.targets = torch.tensor([target], device=device)

    def logits(self, kept: Tensor) -> Tensor:
        first = torch.full((len(kept), 1), True, device=kept.device)
        if not self._always:
            first = ~kept.any(1, keepdim=True)
        seen = torch.cat([first.expand(-1, len(self._first)), kept], 1)  # (R, M)
        rows = seen_tokens(self._tokens, self._pos, seen)
        ctx = Context(rows.pos, Mask(True, rows.valid), shared={})
        x = self.model.features(rows.tokens, ctx)
        last = x[torch.arange(len(x), device=x.device), rows.counts - 1]
        logits: Tensor = self.model.head(last)[:, None]
        return logits

    @torch.no_grad()
    def replaced(self, rows: np.ndarray) -> np.ndarray:
        """Log-probabilities of the target, (R,), after other contexts (R, N) int64."""
        ids = torch.from_numpy(rows).to(self.model.device)
        first = self._tokens[: len(self._first)] if self._always else self._tokens[:0]
        tokens = torch.cat([first.expand(len(ids), -1), ids], 1)
        x = self._vectors(tokens)[:, -1]
        return self.of_targets(self.model.head(x)[:, None])[:, 0].cpu().numpy()

    @torch.no_grad()
    def foretold(self) -> np.ndarray:
        """Probabilities of all tokens at each place of the context, (N, V) float64."""
        first, rest = self._tokens.split([len(self._first), len(self.ids)])
        # What begins a document where nothing else does tells of the first token alone.
        parts = [torch.cat([first, rest[:-1]])] if self._always else [first, rest[:-1]]
        x = torch.cat([self._vectors(part[None])[0] for part in parts if len(part)])
        shares: np.ndarray = self.model.head(x[-len(rest) :]).double().softmax(-1).cpu().numpy()
        return shares

    def _vectors(self, tokens: Tensor) -> Tensor:
        """What the head reads, (R, T, D), of whole rows (R, T)."""
        pos = torch.arange(tokens.shape[1], device=tokens.device)[None]
        return self.model.features(tokens, Context(pos, Mask(True), shared={}))
