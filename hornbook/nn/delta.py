"""The gated delta rule (Yang et al. 2024, arXiv 2412.06464): a memory that corrects itself.

Each head keeps a matrix S that maps keys to values. A token lets it decay, looks up what S has
under its key, and writes the difference to its own value:

    S_t = exp(decay_t) S_(t-1) (I - rate_t k_t k_t^T) + rate_t v_t k_t^T,    y_t = S_t q_t

Training takes it in chunks, as matrix products; generation keeps one matrix a head, and goes on
with it in our own kernels, or by the same products where they cannot be had.
Parameters as `transformers` holds them in Qwen3_5GatedDeltaNet, shapes and rows in the same order:
input = in_proj_qkv, gate = in_proj_z, rate = in_proj_b, step = in_proj_a, conv = conv1d,
step_bias = dt_bias, decay_log = A_log, norm = norm, output = out_proj.

What the parameters want to begin with, as rules of `initialise`, is what Mamba-2's want.

Shapes besides the package's: H heads of P channels of values, G heads of N channels of keys and
queries, each for H/G heads of values that lie together, Q tokens of a chunk, K chunks.
"""

from collections.abc import Sequence
from typing import ClassVar, NamedTuple, Self

import numpy as np
import pydantic
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hornbook import kernels
from hornbook.kernels.delta import DeltaMemory, DeltaRows
from hornbook.kernels.delta import delta_rule as delta_kernel
from hornbook.kernels.library import Library
from hornbook.kernels.quantised import DeltaSizes, DeltaWeights
from hornbook.kernels.recurrence import RuleSizes
from hornbook.nn.chunks import chunked, chunked_segments, running, segment_before
from hornbook.nn.contract import Cache, Context, Layer, LayerConfig, Mask, register
from hornbook.nn.convolution import CausalConvolution
from hornbook.nn.norm import RMSNorm
from hornbook.nn.recurrence_kernel import begins, gated_norm, gates, recurs, ruled

_TINY = 1e-6
"""Added to squared lengths of keys and queries before they are divided by."""


@register("gated_delta")
class GatedDeltaConfig(LayerConfig):
    """heads of `head` channels of values; key_heads of `key` channels of keys and queries.

    kernel: taps of the convolution before. chunk: tokens taken at once; a matter of speed alone.
    epsilon: of the gated RMSNorm.
    """

    one_way: ClassVar[bool] = True

    heads: int
    head: int
    key_heads: int
    key: int
    kernel: int = pydantic.Field(default=4, ge=1)
    chunk: int = pydantic.Field(default=64, ge=1)
    epsilon: float = 1e-6

    @pydantic.model_validator(mode="after")
    def _fits(self) -> Self:
        if self.heads % self.key_heads:
            raise ValueError(f"key_heads = {self.key_heads} does not divide heads = {self.heads}")
        return self

    @property
    def inner(self) -> int:
        """Channels of the values of all heads."""
        return self.heads * self.head

    @property
    def keys(self) -> int:
        """Channels of all keys, and of all queries."""
        return self.key_heads * self.key

    @property
    def convolved(self) -> int:
        """Channels that pass through the convolution."""
        return 2 * self.keys + self.inner

    @property
    def sizes(self) -> DeltaSizes:
        """As the kernels take them."""
        return DeltaSizes(
            self.heads, self.head, self.key_heads, self.key, self.kernel, self.epsilon
        )

    @property
    def rule_sizes(self) -> RuleSizes:
        """As the kernels of training take them."""
        return RuleSizes(self.heads, self.head, self.key_heads, self.key)

    def build(self, width: int) -> Layer:
        return GatedDelta(self, width)

    def parameters(self, width: int) -> int:
        projections = width * (self.convolved + 2 * self.inner + 2 * self.heads)
        return projections + self.convolved * self.kernel + 2 * self.heads + self.head

    def mixing(self, context: int) -> int:
        # What is read of, and written to, the memory; inside a chunk half of the tokens count.
        memory = 3 * self.key * self.head
        return self.heads * (memory + self.chunk * (3 * self.key + 2 * self.head) // 2)

    @classmethod
    def examples(cls) -> Sequence[Self]:
        return (
            cls(heads=4, head=4, key_heads=2, key=6, chunk=4),
            cls(heads=2, head=8, key_heads=2, key=8, kernel=1, chunk=1),
            cls(heads=3, head=5, key_heads=1, key=4, kernel=3),
        )


class Projected(NamedTuple):
    """What the layer makes of each token alone: mixed (B, T, 2*G*N + H*P), queries, keys and values
    before the convolution; gate (B, T, H*P); rate and step (B, T, H)."""

    mixed: Tensor
    gate: Tensor
    rate: Tensor
    step: Tensor


class GatedDelta(Layer):
    """output(norm(delta_rule(silu(conv(x)))) * silu(gate(x)))"""

    begins_with_products = True
    # A number a head, which the usual ranks do not fit.
    unadapted: ClassVar[frozenset[str]] = frozenset({"rate", "step"})

    def __init__(self, config: GatedDeltaConfig, width: int) -> None:
        super().__init__()
        self.config = config
        self.input = nn.Linear(width, config.convolved, bias=False)
        self.gate = nn.Linear(width, config.inner, bias=False)
        self.rate = nn.Linear(width, config.heads, bias=False)
        self.step = nn.Linear(width, config.heads, bias=False)
        self.conv = CausalConvolution(config.convolved, config.kernel, bias=False)
        self.step_bias = nn.Parameter(torch.zeros(config.heads))
        self.decay_log = nn.Parameter(torch.zeros(config.heads))
        self.norm = RMSNorm(config.head, config.epsilon)
        self.output = nn.Linear(config.inner, width, bias=False)

    def forward(self, x: Tensor, ctx: Context, cache: Cache | None = None) -> Tensor:
        assert ctx.mask.causal, "a recurrence reads one way"
        assert cache is None or ctx.mask.segments is None, "a cache holds one segment a row"
        said = Projected(self.input(x), self.gate(x), self.rate(x), self.step(x))
        if cache is not None and (library := self._kernels(x, cache)) is not None:
            y = self._by_kernels(library, said, ctx.mask, cache)
        else:
            y = self._by_products(said, ctx.mask, cache)
        out: Tensor = self.output(y.to(x.dtype))
        return out

    def new_cache(self, rows: int, capacity: int, like: Tensor) -> Cache:
        shape = (rows, self.config.heads, self.config.head, self.config.key)
        return {"conv": self.conv.new_past(rows, like), "state": like.new_zeros(shape)}

    def _by_products(self, said: Projected, mask: Mask, cache: Cache | None) -> Tensor:
        """What the output projection reads, (B, T, H*P)."""
        config, past = self.config, cache["conv"] if cache is not None else None
        wide = torch.promote_types(said.mixed.dtype, torch.float32)
        mixed = self.conv.activated(said.mixed, mask, past)
        decay, rate = self._strengths(said, mask, wide)
        if cache is None and recurs(mixed):
            found = ruled(config.rule_sizes, mixed, rate, decay, begins(mask.segments))
            return self._gated(found, said.gate)
        parts = mixed.to(wide).split([config.keys, config.keys, config.inner], dim=-1)
        query, key, value = parts
        y, end = delta_rule(
            _unit(query.unflatten(-1, (config.key_heads, -1))) * config.key**-0.5,
            _unit(key.unflatten(-1, (config.key_heads, -1))),
            value.unflatten(-1, (config.heads, -1)),
            decay,
            rate,
            start=cache["state"].to(wide) if cache is not None else None,
            segments=mask.segments,
            chunk=config.chunk,
        )
        if cache is not None:
            cache["state"].copy_(end)
        return self._gated(y.flatten(2), said.gate)

    def _gated(self, y: Tensor, gate: Tensor) -> Tensor:
        """Each head normed, and gated."""
        heads, gain = self.config.heads, self.norm.gain()
        if gates(y, gate, self.config.head):
            return gated_norm(y, gate, gain, self.norm.epsilon, heads, before=False)
        y, gate = (part.unflatten(-1, (heads, -1)) for part in (y, gate))
        made: Tensor = self.norm(y) * F.silu(
            gate.to(torch.promote_types(gate.dtype, torch.float32))
        )
        return made.flatten(2)

    def _kernels(self, x: Tensor, cache: Cache) -> Library | None:
        """The kernels where they can go on from the cache, and nothing is trained."""
        if torch.is_grad_enabled() or x.device.type != "cpu" or not self.config.sizes.fits():
            return None
        kept = cache.values()
        plain = all(t.dtype == torch.float32 for t in (x, self.conv.weight, *kept))
        plain = plain and all(t.is_contiguous() for t in kept)
        return kernels.library() if plain else None

    def _by_kernels(self, library: Library, said: Projected, mask: Mask, cache: Cache) -> Tensor:
        """The same by our own kernels: all tokens of a row in one piece, in the order of time."""
        rows, time = said.mixed.shape[:2]
        counts = np.full(rows, time, np.int32)
        if mask.valid is not None:
            counts = mask.valid.sum(1, dtype=torch.int32).numpy()
        weights = (
            self.conv.weight[:, 0].T.contiguous(),
            self.step_bias,
            self.decay_log,
            self.norm.weight,
        )
        memory = DeltaMemory(cache["conv"].numpy(), cache["state"].numpy())
        y = delta_kernel(
            library,
            self.config.sizes,
            DeltaWeights(*(weight.detach().numpy() for weight in weights)),
            DeltaRows(counts, *(part.contiguous().numpy() for part in said)),
            memory,
        )
        return torch.from_numpy(y)

    def _strengths(self, said: Projected, mask: Mask, wide: torch.dtype) -> tuple[Tensor, Tensor]:
        """decay and rate, (B, T, H) in `wide`; 0 for invalid tokens, which change nothing."""
        rate = said.rate.to(wide).sigmoid()
        step = F.softplus(said.step.to(wide) + self.step_bias.to(wide))
        decay = -self.decay_log.to(wide).exp() * step
        if mask.valid is None:
            return decay, rate
        invalid = ~mask.valid[..., None]
        return decay.masked_fill(invalid, 0), rate.masked_fill(invalid, 0)


def delta_rule(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    decay: Tensor,
    rate: Tensor,
    *,
    start: Tensor | None,
    segments: Tensor | None,
    chunk: int,
) -> tuple[Tensor, Tensor]:
    """The recurrence of the module's docstring for every head.

    query, key (B, T, G, N); value (B, T, H, P); decay (B, T, H), at most 0; rate (B, T, H); start
    (B, H, P, N) or None for zero; all float32 or longer. segments (B, T), each in one piece: the
    memory begins anew in each. Returns y (B, T, H, P) and the last S (B, H, P, N).

    Section 3.3 of Yang et al.: inside a chunk, what each token writes depends on what those before
    it wrote, a triangular system that is solved once for all; chunks follow each other.
    """
    time, shared = key.shape[1], value.shape[2] // key.shape[2]
    if shared > 1:
        query, key = (t.repeat_interleave(shared, dim=2) for t in (query, key))
    if start is None:
        start = value.new_zeros(len(value), *value.shape[2:], key.shape[-1])
    with torch.autocast(value.device.type, enabled=False):
        if time == 1:
            return _step(query, key, value, decay, rate, start)
        size = min(chunk, time)
        ids = None if segments is None else chunked_segments(segments, size)
        rows = (chunked(t, size).transpose(2, 3) for t in (query, key, value))
        query, key, value = rows  # (B, K, H, Q, N or P)
        total = running(chunked(decay, size), ids).transpose(2, 3)  # (B, K, H, Q)
        rate = chunked(rate, size).transpose(2, 3)[..., None]
        y, end = _scan(query, key, value, total, rate, start, ids)
    return y.transpose(2, 3).flatten(1, 2)[:, :time], end


def _step(
    query: Tensor, key: Tensor, value: Tensor, decay: Tensor, rate: Tensor, start: Tensor
) -> tuple[Tensor, Tensor]:
    """One token, by the definition."""
    state = start * decay[:, 0].exp()[..., None, None]
    known = (state @ key[:, 0, ..., None])[..., 0]
    written = rate[:, 0, ..., None] * (value[:, 0] - known)
    state = torch.addcmul(state, written[..., None], key[:, 0, :, None])
    return (state @ query[:, 0, ..., None])[None, ..., 0].transpose(0, 1), state


def _scan(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    total: Tensor,
    rate: Tensor,
    state: Tensor,
    ids: Tensor | None,
) -> tuple[Tensor, Tensor]:
    """y (B, K, H, Q, P) and the last state, from chunks (B, K, H, Q, ...).

    total: the decay since the chunk or the token's segment began, (B, K, H, Q). rate: (..., 1).
    """
    lasting = _lasting(total, ids)
    since, to_end, over = _through(total, ids)
    overlap = rate * (key @ key.mT) * lasting
    # The diagonal is taken for ones, what lies above it is not looked at.
    wanted = torch.cat([rate * value, rate * since * key], dim=-1)
    solved = torch.linalg.solve_triangular(overlap, wanted, upper=False, unitriangular=True)
    own, seen = solved.split([value.shape[-1], key.shape[-1]], dim=-1)
    score = (query @ key.mT) * lasting
    query, key = query * since, key * to_end
    outputs = []
    for i in range(value.shape[1]):
        written = own[:, i] - seen[:, i] @ state.mT
        outputs.append(query[:, i] @ state.mT + score[:, i] @ written)
        state = state * over[:, i] + written.mT @ key[:, i]
    return torch.stack(outputs, 1), state


def _lasting(total: Tensor, ids: Tensor | None) -> Tensor:
    """What is left at token i of what token j wrote, (B, K, H, Q, Q); 0 where i cannot see j."""
    size = total.shape[-1]
    seen = torch.ones(size, size, dtype=torch.bool, device=total.device).tril()
    if ids is not None:
        seen = seen & (ids[..., :, None] == ids[..., None, :])[:, :, None]
    # Hidden before exp: a later token's difference is positive and could overflow.
    return (total[..., :, None] - total[..., None, :]).masked_fill(~seen, -torch.inf).exp()


def _through(total: Tensor, ids: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
    """What is left at each token of the memory before the chunk, at the chunk's end of what each
    token wrote, and at its end of the memory before: (B, K, H, Q, 1) twice and (B, K, H, 1, 1)."""
    since, to_end = total, total[..., -1:] - total
    if ids is not None:
        since = since.masked_fill((ids != segment_before(ids)[..., None])[:, :, None], -torch.inf)
        to_end = to_end.masked_fill((ids != ids[..., -1:])[:, :, None], -torch.inf)
    since = since.exp()[..., None]
    return since, to_end.exp()[..., None], since[..., -1:, :]


def _unit(x: Tensor) -> Tensor:
    """x scaled to length 1 over its last dimension."""
    return x * torch.rsqrt(x.square().sum(-1, keepdim=True) + _TINY)
