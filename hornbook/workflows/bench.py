"""How fast a model generates here: prompts, streams, the first token, memory, and what is left.

Every figure is taken from the token loop that generation uses; what the machine could do is
measured beside it. Knows models and the token loop; prints nothing.
"""

import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from pydantic import Field, PositiveInt
from torch import nn

from hornbook.core.config import Config
from hornbook.core.errors import UsageError
from hornbook.core.machine import measure_machine, memory_rate, peak_memory_bytes, pick_device
from hornbook.core.progress import Progress
from hornbook.generate.decode import decode
from hornbook.generate.sampling import SamplingConfig
from hornbook.models.place import resolve
from hornbook.nn.contract import State
from hornbook.nn.packed import NativeLinear, PackedLinear
from hornbook.workflows.open_model import Generator, open_generator


class BenchConfig(Config):
    """lengths: of prompts, in tokens. streams: that are written together, each after the first of
    `lengths`. tokens: written in each. rounds: of which the median counts. weights, device: as
    `open_generator` takes them.
    """

    lengths: tuple[PositiveInt, ...] = Field(default=(128, 512, 2048), min_length=1)
    streams: tuple[PositiveInt, ...] = Field(default=(1, 4, 8), min_length=1)
    tokens: int = Field(default=64, ge=2)
    rounds: int = Field(default=3, ge=1)
    weights: str | None = None
    device: str | None = None


def bench(path: Path, config: BenchConfig, progress: Progress) -> dict[str, Any]:
    """Measure the model at `path`.

    Returns {model, kernels, weight_bytes, load_seconds, prompts: [{tokens, seconds,
    tokens_per_second, low, high, flops, share}], streams: [{streams, tokens_per_second, low, high,
    bytes_per_second, share}], peak_bytes, machine}. seconds: to the first token of an answer.
    share: of the machine's fastest matrix product, and of the rate at which its memory is read.
    Raises UsageError for lengths that do not fit into the model, and what `open_generator` raises.
    """
    device, begun = pick_device(config.device), time.perf_counter()
    model, _ = open_generator(path, device, config.weights, progress.say)
    load_seconds = time.perf_counter() - begun
    lengths = _fitting(config, model.config.context)
    matrices, bytes_read = _read_per_step(model)
    with progress.bar("measuring", len(lengths) + len(config.streams), "figures") as advance:
        prompts = []
        for length in lengths:
            prompts.append(_prompt(model, length, config.rounds))
            advance(1)
        streams = []
        for count in config.streams:
            streams.append(_streams(model, count, lengths[0], config))
            advance(1)
    peak = peak_memory_bytes(device)
    machine, memory = measure_machine(device), memory_rate(device)
    for row in prompts:
        row["flops"] = 2 * matrices * row["tokens_per_second"]
        row["share"] = row["flops"] / max(machine.rates.values())
    for row in streams:
        steps = row["tokens_per_second"] / row["streams"]
        held = row.pop("cache_bytes")
        row["bytes_per_second"] = steps * (bytes_read + held)
        row["share"] = row["bytes_per_second"] / memory
    return {
        "model": str(resolve(path)),
        "kernels": _kernels(model),
        "weight_bytes": bytes_read,
        "load_seconds": load_seconds,
        "prompts": prompts,
        "streams": streams,
        "peak_bytes": peak,
        "machine": {**machine.plain(), "memory_bytes_per_second": memory},
    }


def _fitting(config: BenchConfig, context: int) -> list[int]:
    """The lengths that fit into the context; the first one also with what is written after it."""
    fitting = [length for length in config.lengths if length < context]
    if not fitting or fitting[0] != config.lengths[0] or fitting[0] + config.tokens > context:
        raise UsageError(
            f"A prompt of {config.lengths[0]} and an answer of {config.tokens} tokens do not fit "
            f"into this model's context of {context}."
        )
    return fitting


def _prompt(model: Generator, length: int, rounds: int) -> dict[str, Any]:
    config = SamplingConfig(temperature=0, max_tokens=1)
    ids, seconds = _ids(length, model.config.vocab), []
    for _ in range(rounds + 1):
        begun = time.perf_counter()
        next(iter(decode(model, [ids], config, frozenset())))
        seconds.append(time.perf_counter() - begun)
    return {"tokens": length, "seconds": statistics.median(seconds[1:]), **_rates(length, seconds)}


def _streams(model: Generator, count: int, length: int, config: BenchConfig) -> dict[str, Any]:
    sampling = SamplingConfig(temperature=0, max_tokens=config.tokens)
    prompts, seconds = [_ids(length, model.config.vocab, i) for i in range(count)], []
    for _ in range(config.rounds + 1):
        begun = 0.0
        for done, _step in enumerate(decode(model, prompts, sampling, frozenset()), 1):
            if done == count:
                begun = time.perf_counter()
        seconds.append(time.perf_counter() - begun)
    held = _cache_bytes(model.new_state(1, 1)) * count * (length + config.tokens // 2)
    written = count * (config.tokens - 1)
    return {"streams": count, "cache_bytes": held, **_rates(written, seconds)}


def _rates(tokens: int, seconds: Sequence[float]) -> dict[str, float]:
    """The median of tokens a second, the least and the most; the first round only warms up."""
    rates = sorted(tokens / each for each in seconds[1:])
    return {
        "tokens_per_second": statistics.median(rates),
        "low": rates[0],
        "high": rates[-1],
    }


def _ids(length: int, vocab: int, seed: int = 0) -> list[int]:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(vocab, (length,), generator=generator).tolist()


def _cache_bytes(state: State) -> int:
    """Of one position in one row, as far as the cache grows with positions."""
    names = state.positional or [frozenset[str]()] * len(state.caches)
    return sum(
        tensor.numel() * tensor.element_size()
        for cache, growing in zip(state.caches, names, strict=True)
        for name, tensor in cache.items()
        if name in growing
    )


def _read_per_step(model: Generator) -> tuple[int, int]:
    """Numbers in the matrices that a token is multiplied with, and bytes of all that is read."""
    whole = model if isinstance(model, nn.Module) else model.model
    numbers = size = 0
    for module in whole.modules():
        if isinstance(module, NativeLinear | PackedLinear):
            numbers += module.outputs * module.inputs
            size += sum(b.numel() * b.element_size() for b in module.buffers(recurse=False))
        elif not isinstance(module, nn.Embedding):  # of its table a row is read
            own = list(module.parameters(recurse=False))
            numbers += sum(p.numel() for p in own if p.ndim == 2)
            size += sum(p.numel() * p.element_size() for p in own)
    return numbers, size


def _kernels(model: Generator) -> str:
    """What computes, in words."""
    whole = model if isinstance(model, nn.Module) else model.model
    kinds = {type(module) for module in whole.modules()}
    if NativeLinear in kinds:
        return "codes in our kernels"
    return "codes in torch's kernels" if PackedLinear in kinds else "all digits in torch's kernels"
