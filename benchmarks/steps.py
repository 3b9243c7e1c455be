"""A training step of each family of decoders at equal size, on one thread.

Run as `python -m benchmarks.steps`. Seconds are the process's own of the fastest of a few steps, by
turns, so that other work on the machine counts less; the ratios are tokens a second, to those of
attention.
"""

import argparse
import time
from collections.abc import Callable

import torch

from benchmarks.common import report
from hornbook.batches.batch import Batch
from hornbook.core.machine import keep_freed_memory
from hornbook.models.causal_lm import CausalLM
from hornbook.nn.training_kernels import training_kernels
from hornbook.training.dial import Plan
from hornbook.training.objective import next_token
from hornbook.training.optimiser import Optimiser, OptimiserConfig
from hornbook.training.precision import product_type

PLAN = Plan(
    preset="llama", vocab=8192, depth=4, width=256, heads=4, hidden=672,
    context=256, rows=8, micro_rows=8,
)  # fmt: skip
_FAMILIES = ("llama", "mamba2", "qwen3.5", "lfm2", "gpt2", "lstm")
_TRIES = 8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--family", action="append", choices=_FAMILIES, help="default: all")
    parser.add_argument("--segments", action="store_true", help="two texts in each row")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    keep_freed_memory()
    training_kernels()
    steps = {name: step_of(name, arguments.segments) for name in arguments.family or _FAMILIES}
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(_TRIES + 1):  # by turns: the machine's speed changes by the minute
        for name, step in steps.items():
            start = time.process_time()
            step()
            seconds[name].append(time.process_time() - start)
    ours = {name: min(found[1:]) for name, found in seconds.items()}
    first = next(iter(ours.values()))
    report(
        ours={f"{name}, s": found for name, found in ours.items()},
        peers={},
        ratio=None,
        ratios={name: first / found for name, found in ours.items()},
    )


def step_of(preset: str, segments: bool) -> Callable[[], None]:
    """A step of a fresh model on tokens that are drawn, all of it."""
    plan = PLAN.model_copy(update={"preset": preset})
    torch.manual_seed(0)
    model = plan.config(plan.vocab).build(0)
    assert isinstance(model, CausalLM)
    optimiser = Optimiser(model, OptimiserConfig(), torch.bfloat16)
    tokens = torch.randint(plan.vocab, (plan.rows, plan.context))
    places = torch.arange(plan.context).expand(plan.rows, -1)
    texts = (places >= plan.context // 3).long() if segments else None
    batch = Batch(tokens, tokens, places, texts)

    def step() -> None:
        with product_type("cpu", "bfloat16"):
            loss, count = next_token(model, batch)
        loss.backward()
        optimiser.finish_gradient(count)
        optimiser.step(1.0)
        optimiser.clear_gradient()

    return step


if __name__ == "__main__":
    main()
