"""What a run on many accelerators takes, reckoned before there are any: time, memory, wires, cost.

Formulas are of this package's own plans (`training.parallel.plans`): float32 weights, gradients and
moments, products in bfloat16. Imports no torch.
"""

from typing import NamedTuple

_FLOAT = 4
_HALF = 2


class DecoderShape(NamedTuple):
    """A decoder as far as its size counts. parameters: all; hidden: those in matrices that Muon
    moves. width, depth, context: as in its plan."""

    parameters: float
    hidden: float
    width: int
    depth: int
    context: int

    def flops_per_token(self) -> float:
        """Of training: 6 for each parameter, and attention's products between positions (half the
        context on average; Kaplan et al. 2020, 2.1)."""
        return 6 * (self.parameters + self.depth * self.width * self.context)


class Cluster(NamedTuple):
    """accelerators: in machines of `together`. memory_bytes, flops: of each, flops as its maker
    states them in bfloat16. utilisation: the share of them that training reaches. inside, between:
    bytes a second that each sends within its machine, and to other machines. hourly: the price of
    one for an hour."""

    accelerators: int
    together: int
    memory_bytes: float
    flops: float
    utilisation: float
    inside: float
    between: float
    hourly: float

    @property
    def link(self) -> float:
        """Bytes a second, by the slowest wire that a ring over all of them meets."""
        return self.inside if self.accelerators <= self.together else self.between


class Needs(NamedTuple):
    """What a run takes. held_bytes: of each accelerator, for weights, gradients and moments;
    layers_bytes: for what layers give, kept for their gradients; sent_bytes: by each in a step;
    sending_s: that takes, were nothing computed meanwhile; step_s: computing a step; days; price.
    """

    held_bytes: float
    layers_bytes: float
    sent_bytes: float
    sending_s: float
    step_s: float
    days: float
    price: float


_KEPT = 14
"""Numbers of a layer that are kept for each channel of a token: normed inputs, queries, keys,
values, what attention gave, and the three of a gated MLP of some 2.7 widths."""


def needs(
    model: DecoderShape,
    cluster: Cluster,
    tokens: float,
    step_tokens: float,
    piece_rows: int,
    *,
    sharded: bool,
    recompute: bool,
) -> Needs:
    """Of training on `tokens` in steps of `step_tokens`, each accelerator computing `piece_rows`
    rows at once.
    """
    count = cluster.accelerators
    moments = _FLOAT * (2 * model.parameters - model.hidden)
    moved = 2 * _FLOAT * model.parameters + moments  # with weights and gradients
    whole = _FLOAT * model.parameters
    pieces = step_tokens / (count * piece_rows * model.context)
    ring = (count - 1) / count
    if sharded:
        # The problem's own model is whole on each; a layer is gathered twice a piece, and its
        # gradient goes where it belongs. Muon sends its matrices there and back.
        held = whole + moved / count
        sent = ring * _FLOAT * (3 * pieces * model.parameters + 2 * model.hidden / count)
    else:
        # A sum over all is sent twice around the ring; Muon's parts are gathered by all.
        held = moved
        sent = ring * _FLOAT * (2 * model.parameters + model.hidden)
    again = 4 / 3 if recompute else 1
    step_s = (
        again * step_tokens * model.flops_per_token() / (count * cluster.flops)
    ) / cluster.utilisation
    channels = piece_rows * model.context * model.width
    kept = (model.depth + _KEPT) if recompute else model.depth * _KEPT
    days = tokens / step_tokens * step_s / 86_400
    return Needs(
        held_bytes=held,
        layers_bytes=_HALF * channels * kept,
        sent_bytes=sent,
        sending_s=sent / cluster.link,
        step_s=step_s,
        days=days,
        price=24 * days * count * cluster.hourly,
    )
