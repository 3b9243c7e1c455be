"""The Mamba-2 mixer (Dao & Gu 2024): a recurrence whose decay, input and output the token chooses.

Training and prompts take the recurrence in chunks, as matrix products; generation keeps one state
of constant size. Parameters as `transformers` holds them in Mamba2Mixer, shapes and rows in the
same order: input = in_proj, conv = conv1d, step_bias = dt_bias, decay_log = A_log, skip = D,
norm = norm, output = out_proj.

What the parameters want to begin with, as rules of `initialise`:
step_bias = softplus_log_uniform(1e-3, 0.1), decay_log = log_uniform(1, 16), skip and norm.weight =
constant(1), conv.weight = fan_in(), conv.bias = constant(0).

Shapes besides the package's: H heads of P channels, G groups of heads that share what they write
by and read by, N numbers of state, Q tokens of a chunk, K chunks.
"""

from collections.abc import Sequence
from typing import ClassVar, Self

import pydantic
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hornbook.kernels.recurrence import ScanSizes
from hornbook.nn.chunks import chunked, chunked_segments, running, segment_before
from hornbook.nn.contract import Cache, Context, Layer, LayerConfig, Mask, register
from hornbook.nn.convolution import CausalConvolution
from hornbook.nn.recurrence_kernel import begins, gated_norm, gates, recurs, scanned


@register("mamba2")
class Mamba2Config(LayerConfig):
    """heads of `head` channels, each channel with `state` numbers of memory.

    groups of heads share what they write by and read by. kernel: taps of the convolution before.
    chunk: tokens taken at once; a matter of speed alone. step_limit: the least and the largest
    step, None for no limit. bias: of both projections. epsilon: of the gated RMSNorm.
    """

    one_way: ClassVar[bool] = True

    heads: int
    head: int
    state: int
    groups: int = 1
    kernel: int = pydantic.Field(default=4, ge=1)
    # Measured on one core at 16 x 256 tokens, 8 heads of 64, state 64: 32 to 64 are
    # the fastest; at 256 the (Q, Q) decays of each head nearly double the time.
    chunk: int = pydantic.Field(default=64, ge=1)
    step_limit: tuple[float, float] | None = None
    bias: bool = False
    conv_bias: bool = True
    epsilon: float = 1e-5

    @pydantic.model_validator(mode="after")
    def _fits(self) -> Self:
        if self.heads % self.groups:
            raise ValueError(f"groups = {self.groups} does not divide heads = {self.heads}")
        return self

    @property
    def inner(self) -> int:
        """Channels of all heads."""
        return self.heads * self.head

    @property
    def convolved(self) -> int:
        """Channels that pass through the convolution: the heads', and two sets of state."""
        return self.inner + 2 * self.groups * self.state

    @property
    def sizes(self) -> ScanSizes:
        """As the kernels take them."""
        return ScanSizes(self.heads, self.head, self.groups, self.state)

    def build(self, width: int) -> Layer:
        return Mamba2(self, width)

    def parameters(self, width: int) -> int:
        projected = self.inner + self.convolved + self.heads
        projections = width * (projected + self.inner) + self.bias * (projected + width)
        convolution = self.convolved * (self.kernel + self.conv_bias)
        return projections + convolution + 3 * self.heads + self.inner

    @classmethod
    def examples(cls) -> Sequence[Self]:
        return (
            cls(heads=4, head=4, state=6, chunk=4),
            cls(heads=4, head=8, state=5, groups=2, kernel=3, step_limit=(0.1, 2.0), bias=True),
            cls(heads=2, head=3, state=4, kernel=1, chunk=1, conv_bias=False),
        )


class Mamba2(Layer):
    """output(norm((scan(conv(x)) + skip * conv(x)) * silu(gate)))"""

    begins_with_products = True
    # `peft` refuses it: kernels of theirs take the matrix as it is.
    unadapted: ClassVar[frozenset[str]] = frozenset({"output"})

    def __init__(self, config: Mamba2Config, width: int) -> None:
        super().__init__()
        self.config = config
        projected = config.inner + config.convolved + config.heads
        self.input = nn.Linear(width, projected, bias=config.bias)
        self.conv = CausalConvolution(config.convolved, config.kernel, config.conv_bias)
        self.step_bias = nn.Parameter(torch.zeros(config.heads))
        self.decay_log = nn.Parameter(torch.zeros(config.heads))
        self.skip = nn.Parameter(torch.ones(config.heads))
        self.norm = GatedNorm(config.inner, config.groups, config.epsilon)
        self.output = nn.Linear(config.inner, width, bias=config.bias)

    def forward(self, x: Tensor, ctx: Context, cache: Cache | None = None) -> Tensor:
        assert ctx.mask.causal, "a recurrence reads one way"
        assert cache is None or ctx.mask.segments is None, "a cache holds one segment a row"
        config = self.config
        sizes = [config.inner, config.convolved, config.heads]
        gate, mixed, step = self.input(x).split(sizes, dim=-1)
        mixed = self.conv.activated(mixed, ctx.mask, cache["conv"] if cache is not None else None)
        step = self._steps(step, ctx.mask)
        if cache is None and recurs(mixed):
            y = self._by_kernels(mixed, step, ctx.mask)
        else:
            y = self._by_products(mixed, step, ctx.mask, cache)
        out: Tensor = self.output(self.norm(y, gate).to(x.dtype))
        return out

    def _decays(self, step: Tensor) -> Tensor:
        """(B, T, H) float32, the logarithm of what is left of a state at each token."""
        decay: Tensor = -self.decay_log.float().exp() * step
        return decay

    def _by_kernels(self, mixed: Tensor, step: Tensor, mask: Mask) -> Tensor:
        """What the norm reads, (B, T, H*P)."""
        begin = begins(mask.segments)
        return scanned(self.config.sizes, mixed, step, self._decays(step), self.skip, begin)

    def _by_products(self, mixed: Tensor, step: Tensor, mask: Mask, cache: Cache | None) -> Tensor:
        """The same in torch."""
        config = self.config
        states = config.groups * config.state
        value, write, read = mixed.float().split([config.inner, states, states], dim=-1)
        value = value.unflatten(-1, (config.heads, -1))  # (B, T, H, P)
        write = write.unflatten(-1, (config.groups, -1))  # (B, T, G, N)
        read = read.unflatten(-1, (config.groups, -1))
        y, end = scan(
            value * step[..., None],
            self._decays(step),
            write,
            read,
            start=cache["state"].float() if cache is not None else None,
            segments=mask.segments,
            chunk=config.chunk,
        )
        if cache is not None:
            cache["state"].copy_(end)
        skipped: Tensor = y + self.skip[:, None] * value
        return skipped.flatten(2)

    def new_cache(self, rows: int, capacity: int, like: Tensor) -> Cache:
        shape = (rows, self.config.heads, self.config.head, self.config.state)
        return {"conv": self.conv.new_past(rows, like), "state": like.new_zeros(shape)}

    def _steps(self, step: Tensor, mask: Mask) -> Tensor:
        """(B, T, H) float32; 0 for invalid tokens, which then neither write nor let decay."""
        step = F.softplus(step.float() + self.step_bias.float())
        if self.config.step_limit is not None:
            step = step.clamp(*self.config.step_limit)
        return step if mask.valid is None else step.masked_fill(~mask.valid[..., None], 0)


class GatedNorm(nn.Module):
    """RMSNorm of y * silu(gate), each group of channels by itself; in float32."""

    def __init__(self, channels: int, groups: int, epsilon: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.groups, self.epsilon = groups, epsilon

    def forward(self, y: Tensor, gate: Tensor) -> Tensor:
        if gates(y, gate, y.shape[-1] // self.groups):
            return gated_norm(y, gate, self.weight, self.epsilon, self.groups, before=True)
        y = (y.float() * F.silu(gate.float())).unflatten(-1, (self.groups, -1))
        return F.rms_norm(y, y.shape[-1:], eps=self.epsilon).flatten(-2) * self.weight


def scan(
    value: Tensor,
    decay: Tensor,
    write: Tensor,
    read: Tensor,
    start: Tensor | None,
    segments: Tensor | None,
    chunk: int,
) -> tuple[Tensor, Tensor]:
    """S_t = exp(decay_t) S_(t-1) + value_t write_t^T and y_t = S_t read_t, for every head.

    value (B, T, H, P); decay (B, T, H), at most 0; write, read (B, T, G, N); start (B, H, P, N) or
    None for zero; all float32. segments (B, T), each in one piece: the state begins anew in each.
    Returns y (B, T, H, P) and the last state (B, H, P, N). Section 6 of Dao & Gu 2024: inside a
    chunk it is attention with decays for a mask, between chunks a small recurrence of states.
    """
    time, groups = value.shape[1], write.shape[2]
    if time == 1:
        return _step(value, decay, write, read, start)
    size = min(chunk, time)
    value, decay, write, read = (chunked(t, size) for t in (value, decay, write, read))
    ids = None if segments is None else chunked_segments(segments, size)
    value = value.unflatten(3, (groups, -1))  # (B, K, Q, G, H/G, P)
    total = running(decay, ids).unflatten(3, (groups, -1))  # (B, K, Q, G, H/G)
    y = _inside(value, total, write, read, ids)
    to_end, since = total[:, :, -1:] - total, total.exp()
    if ids is not None:
        to_end = to_end.masked_fill(_differ(ids, ids[:, :, -1:]), -torch.inf)
        since = since.masked_fill(_differ(ids, segment_before(ids)[..., None]), 0)
    written = torch.einsum("bkqgn,bkqghp->bkghpn", write, value * to_end.exp()[..., None])
    before, end = _between(written, total[:, :, -1], start, ids)
    y = y + torch.einsum("bkqgn,bkghpn->bkqghp", read, before) * since[..., None]
    return y.flatten(3, 4).flatten(1, 2)[:, :time], end.flatten(1, 2)


def _step(
    value: Tensor, decay: Tensor, write: Tensor, read: Tensor, start: Tensor | None
) -> tuple[Tensor, Tensor]:
    """One token: the definition itself takes 0.6 of the time of a chunk of one."""
    shared = value.shape[2] // write.shape[2]
    write, read = (t[:, 0].repeat_interleave(shared, dim=1) for t in (write, read))  # (B, H, N)
    state = value[:, 0, ..., None] * write[:, :, None]
    if start is not None:
        state = torch.addcmul(state, start, decay[:, 0].exp()[..., None, None])
    return (state @ read[..., None])[None, ..., 0].transpose(0, 1), state


def _inside(
    value: Tensor, total: Tensor, write: Tensor, read: Tensor, ids: Tensor | None
) -> Tensor:
    """What tokens read of their own chunk, (B, K, Q, G, H/G, P)."""
    size = value.shape[2]
    seen = torch.ones(size, size, dtype=torch.bool, device=value.device).tril()
    if ids is not None:
        seen = seen & (ids[..., :, None] == ids[..., None, :])[:, :, None, None]
    since = total.permute(0, 1, 3, 4, 2)  # (B, K, G, H/G, Q)
    # Hidden before exp: a later token's difference is positive and could overflow.
    lasting = (since[..., :, None] - since[..., None, :]).masked_fill(~seen, -torch.inf).exp()
    score = torch.einsum("bkqgn,bksgn->bkgqs", read, write)  # shared by the heads of a group
    return torch.einsum("bkghqs,bksghp->bkqghp", lasting * score[:, :, :, None], value)


def _between(
    written: Tensor, total: Tensor, start: Tensor | None, ids: Tensor | None
) -> tuple[Tensor, Tensor]:
    """The state before each chunk (B, K, G, H/G, P, N) and after the last (B, G, H/G, P, N).

    written: what each chunk leaves at its end. total: its whole decay, (B, K, G, H/G). In float32
    even where products are short: errors of a state would add up from chunk to chunk.
    """
    written = written.float()
    chunks = total.shape[1]
    ends = running(total.flatten(2), None if ids is None else ids[..., -1]).view_as(total)
    begins = F.pad(ends[:, :-1], (0, 0, 0, 0, 1, 0))
    hidden = torch.ones(chunks, chunks, dtype=torch.bool, device=total.device).triu()[
        ..., None, None
    ]
    if ids is not None:
        hidden = hidden | _differ(segment_before(ids)[:, :, None], ids[:, None, :, -1])
    lasting = (begins[:, :, None] - ends[:, None]).masked_fill(hidden, -torch.inf).exp()
    with torch.autocast(written.device.type, enabled=False):
        before = torch.einsum("bkzgh,bzghpn->bkghpn", lasting, written)
    if start is not None:
        start = start.unflatten(1, total.shape[2:])
        before = before + begins.exp()[..., None, None] * start[:, None]
    return before, total[:, -1].exp()[..., None, None] * before[:, -1] + written[:, -1]


def _differ(one: Tensor, other: Tensor) -> Tensor:
    """Where segments differ, with dimensions for groups and heads."""
    return (one != other)[..., None, None]
