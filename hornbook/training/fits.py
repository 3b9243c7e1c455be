"""Sizes that no run on this machine can have, refused before anything starts.

What is computed is the least that any family needs with the sizes that were set, all others being
one: what passes can still be too much, but what is refused could never have been trained. Knows
names of sizes and bytes; knows nothing of families.
"""

from collections.abc import Mapping

from hornbook.core.config import Config
from hornbook.core.errors import UsageError
from hornbook.core.machine import memory_bytes

_BYTES_PER_WEIGHT = 12
"""Weight, gradient and one moment of the optimiser in float32."""
_OPTIONS = {"vocab": "vocab-size", "micro_rows": "micro-rows"}


def check_fits(wanted: Config) -> None:
    """Refuse sizes of a plan (`Wanted` and its like) that this machine's memory cannot hold.

    Raises UsageError naming the size that is too large by itself, or all that are set.
    """
    sizes = {name: value for name, value in wanted.plain().items() if type(value) is int}
    have = memory_bytes()
    for asked in [*({name: value} for name, value in sizes.items()), sizes]:
        need = least_bytes(asked)
        if need > have:
            shown = ", ".join(
                f"--{_OPTIONS.get(name, name)} {value}" for name, value in asked.items()
            )
            raise UsageError(
                f"{shown}: a step needs at least {need / 2**30:,.0f} GiB of memory, and this "
                f"machine has {have / 2**30:,.0f}."
            )


def least_bytes(sizes: Mapping[str, int]) -> int:
    """The least memory of a training step of a model with these sizes, in bytes.

    Weights are an embedding and one square matrix a block; of activations, one vector a token and
    block is kept for the backward pass; of rows that are not computed at once, the ids.
    """

    def size(name: str) -> int:
        return sizes.get(name, 1)

    width, depth, context = size("width"), size("depth"), size("context")
    weights = size("vocab") * width + depth * width * max(width, size("hidden"))
    tokens = max(size("micro_rows") * context, size("tokens"))
    activations = 4 * tokens * width * depth
    return _BYTES_PER_WEIGHT * weights + activations + 8 * size("rows") * context
