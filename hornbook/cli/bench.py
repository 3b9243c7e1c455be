"""`hornbook bench`: how fast a model generates on this machine."""

from typing import Annotated, Any

import typer

from hornbook.cli import options


def command(
    model: options.Model,
    length: Annotated[
        list[int] | None, typer.Option(help="Length of a prompt to measure, in tokens.")
    ] = None,
    streams: Annotated[
        list[int] | None, typer.Option(help="Number of answers written at the same time.")
    ] = None,
    tokens: Annotated[int, typer.Option(help="Length of each answer, in tokens.")] = 64,
    rounds: Annotated[
        int, typer.Option(help="Times that each measurement is repeated; the median is reported.")
    ] = 3,
    weights: options.Weights = None,
    device: options.Device = None,
    json: options.Json = False,
) -> None:
    """Measure a model's speed and memory, and what share of the machine's limits it reaches."""
    from hornbook.cli.output import print_json
    from hornbook.core.progress import Progress
    from hornbook.workflows.measure.bench import BenchConfig, bench

    given: dict[str, Any] = {
        "lengths": tuple(length or ()),
        "streams": tuple(streams or ()),
        "tokens": tokens,
        "rounds": rounds,
        "weights": weights,
        "device": device,
    }
    config = BenchConfig.parse({k: v for k, v in given.items() if v not in (None, ())}, "bench")
    found = bench(model, config, Progress())
    if not json:
        print(_table(found))
    print_json(found, json)


def _table(found: dict[str, Any]) -> str:
    machine = found["machine"]
    product = max(machine["rates"].values())
    lines = [
        f"{found['model']}: {found['kernels']}, {found['weight_bytes'] / 1e6:,.0f} MB read for a "
        f"token; opened in {found['load_seconds']:.1f} s; at most {found['peak_bytes'] / 1e6:,.0f} "
        "MB of memory.",
        f"{machine['name']}, {machine['threads']} threads: {product / 1e9:,.0f} GFLOP/s, memory "
        f"read at {machine['memory_bytes_per_second'] / 1e9:,.1f} GB/s.",
        "",
        f"{'prompt':>10} {'first token':>12} {'tokens/s':>10} {'GFLOP/s':>9} {'share':>6}",
    ]
    lines += [
        f"{row['tokens']:>10,} {row['seconds']:>10.2f} s {row['tokens_per_second']:>10,.0f} "
        f"{row['flops'] / 1e9:>9,.0f} {row['share']:>6.0%}"
        for row in found["prompts"]
    ]
    lines += [
        "",
        f"{'streams':>10} {'of each':>12} {'tokens/s':>10} {'GB/s':>9} {'share':>6}",
    ]
    lines += [
        f"{row['streams']:>10,} {row['tokens_per_second'] / row['streams']:>12,.1f} "
        f"{row['tokens_per_second']:>10,.0f} {row['bytes_per_second'] / 1e9:>9,.1f} "
        f"{row['share']:>6.0%}"
        for row in found["streams"]
    ]
    return "\n".join(lines)
