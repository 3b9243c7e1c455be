"""One layer of attention, forward and backward, against torch's kernel in bfloat16.

Run as `python -m benchmarks.attend`. Times are of the process, on one thread, so that other work on
the machine counts less.
"""

import time

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.common import report
from hornbook.nn.attend import attend

_SHAPES = ((128, 4, 50, 32), (128, 4, 24, 32), (32, 4, 128, 32), (16, 4, 256, 32), (16, 4, 256, 64))
"""Rows, heads, time, channels of a head: image patches, sentences, short and long windows."""
_TRIES = 5


def main() -> None:
    torch.set_num_threads(1)
    ours, peers = {}, {}
    for shape in _SHAPES:
        name = " x ".join(map(str, shape))
        ours[name], peers[name] = _seconds(shape, attend), _seconds(shape, _plain)
    first = next(iter(ours))
    report(
        ours={f"{name}, s": s for name, s in ours.items()},
        peers={"scaled_dot_product_attention": {f"{name}, s": s for name, s in peers.items()}},
        ratio=peers[first] / ours[first],
        ratios={name: peers[name] / ours[name] for name in ours},
    )


def _plain(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return F.scaled_dot_product_attention(q, k, v)


def _seconds(shape: tuple[int, int, int, int], attention: object) -> float:
    """CPU seconds of the fastest of a few tries."""
    assert callable(attention)
    rows, heads, length, channels = shape
    inputs = [
        torch.randn(rows, length, heads, channels, dtype=torch.bfloat16)
        .transpose(1, 2)
        .requires_grad_()
        for _ in range(3)
    ]
    seconds = []
    for _ in range(_TRIES):
        start = time.process_time()
        attention(*inputs).float().sum().backward()
        seconds.append(time.process_time() - start)
    return min(seconds)


if __name__ == "__main__":
    main()
