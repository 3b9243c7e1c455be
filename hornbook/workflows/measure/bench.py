"""How fast a model generates here: prompts, streams, the first token, memory, and what is left.

Every figure is taken from the token loop that generation uses; what the machine could do is
measured beside it. Knows models and the token loop; prints nothing.
"""

import random
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from pydantic import Field, PositiveInt

from hornbook.core.config import Config
from hornbook.core.errors import UsageError
from hornbook.core.machine import measure_machine, memory_bytes, memory_rate, peak_memory_bytes
from hornbook.core.progress import Progress
from hornbook.generate.decode import SequenceModel, decode
from hornbook.generate.native_decoder import NativeDecoder
from hornbook.generate.sampling import SamplingConfig
from hornbook.models.place import resolve
from hornbook.workflows.open.generator import open_generator


class BenchConfig(Config):
    """lengths: of prompts, in tokens. streams: that are written together, each after the first of
    `lengths`. tokens: written in each. rounds: of which the median counts. weights, device: as
    `open_generator` takes them.
    """

    lengths: tuple[PositiveInt, ...] = Field(default=(128, 512, 2048), min_length=1)
    streams: tuple[Annotated[int, Field(ge=1, le=4096)], ...] = Field(
        default=(1, 4, 8), min_length=1
    )
    tokens: int = Field(default=64, ge=2)
    rounds: int = Field(default=3, ge=1, le=1000)
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
    begun = time.perf_counter()
    model, _ = open_generator(path, config.device, config.weights, progress.say)
    load_seconds = time.perf_counter() - begun
    lengths = _fitting(config, model.context)
    _check_memory(config, model)
    work = _work(model)
    with progress.bar("measuring", len(lengths) + len(config.streams), "figures") as advance:
        prompts = []
        for length in lengths:
            prompts.append(_prompt(model, length, config.rounds))
            advance(1)
        streams = []
        for count in config.streams:
            streams.append(_streams(model, count, lengths[0], config))
            advance(1)
    # Before the machine is measured: that takes torch and memory of its own.
    peak = peak_memory_bytes(work.device)
    machine, memory = measure_machine(work.device), memory_rate(work.device)
    for row in prompts:
        row["flops"] = 2 * work.numbers * row["tokens_per_second"]
        row["share"] = row["flops"] / max(machine.rates.values())
    for row in streams:
        steps = row["tokens_per_second"] / row["streams"]
        held = row.pop("cache_bytes")
        row["bytes_per_second"] = steps * (work.bytes + held)
        row["share"] = row["bytes_per_second"] / memory
    return {
        "model": str(resolve(path)),
        "kernels": work.kernels,
        "weight_bytes": work.bytes,
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


def _check_memory(config: BenchConfig, model: SequenceModel) -> None:
    """Raises UsageError for more streams than this machine can hold."""
    length, most = config.lengths[0] + config.tokens, max(config.streams)
    needed = model.sequences(1, 1).bytes_of_position() * length * most
    if needed > (have := memory_bytes()):
        raise UsageError(
            f"{most:,} streams of {length:,} tokens need {needed / 2**30:,.1f} GiB of memory, and "
            f"this machine has {have / 2**30:,.1f}."
        )


def _prompt(model: SequenceModel, length: int, rounds: int) -> dict[str, Any]:
    config = SamplingConfig(temperature=0, max_tokens=1)
    ids, seconds = _ids(length, model.vocab), []
    for _ in range(rounds + 1):
        begun = time.perf_counter()
        next(iter(decode(model, [ids], config, frozenset())))
        seconds.append(time.perf_counter() - begun)
    return {"tokens": length, "seconds": statistics.median(seconds[1:]), **_rates(length, seconds)}


def _streams(model: SequenceModel, count: int, length: int, config: BenchConfig) -> dict[str, Any]:
    sampling = SamplingConfig(temperature=0, max_tokens=config.tokens)
    prompts, seconds = [_ids(length, model.vocab, i) for i in range(count)], []
    for _ in range(config.rounds + 1):
        begun = 0.0
        for done, _step in enumerate(decode(model, prompts, sampling, frozenset()), 1):
            if done == count:
                begun = time.perf_counter()
        seconds.append(time.perf_counter() - begun)
    held = model.sequences(1, 1).bytes_of_position() * count * (length + config.tokens // 2)
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
    return random.Random(seed).choices(range(vocab), k=length)


class _WorkOfToken(NamedTuple):
    """numbers: in the matrices that a token is multiplied with. bytes: of all that is read.
    kernels: what computes, in words."""

    numbers: int
    bytes: int
    kernels: str
    device: str


def _work(model: SequenceModel) -> _WorkOfToken:
    if not isinstance(model, NativeDecoder):
        return _work_of_layers(model)
    weights = model.weights
    matrices = [weights.logits]
    for block in weights.blocks:
        matrices += block.matrices()
    numbers = sum(matrix.outputs * matrix.inputs for matrix in matrices)
    size = sum(matrix.blocks.nbytes for matrix in matrices)
    return _WorkOfToken(numbers, size, "codes in our kernels", "cpu")


def _work_of_layers(model: SequenceModel) -> _WorkOfToken:
    from torch import nn

    from hornbook.nn.packed import NativeLinear, PackedLinear

    whole = getattr(model, "model", model)  # of what takes a shorter way through it
    assert isinstance(whole, nn.Module)
    numbers = size = 0
    for module in whole.modules():
        if isinstance(module, NativeLinear | PackedLinear):
            numbers += module.outputs * module.inputs
            size += sum(b.numel() * b.element_size() for b in module.buffers(recurse=False))
        elif not isinstance(module, nn.Embedding):  # of its table a row is read
            own = list(module.parameters(recurse=False))
            numbers += sum(p.numel() for p in own if p.ndim == 2)
            size += sum(p.numel() * p.element_size() for p in own)
    kinds = {type(module) for module in whole.modules()}
    named = {
        NativeLinear: "codes in our kernels",
        PackedLinear: "codes in torch's kernels",
    }
    words = next((named[kind] for kind in named if kind in kinds), "all digits in torch's kernels")
    return _WorkOfToken(numbers, size, words, next(whole.parameters()).device.type)
