"""`hornbook memorization`: what a trained model remembers of the very text it learned from."""

from pathlib import Path
from typing import Annotated, Any

import typer

from hornbook.cli import options


def command(
    run: Annotated[Path, typer.Argument(help="A finished run of `hornbook pretrain --corpus`.")],
    samples: Annotated[
        int, typer.Option(min=1, max=10_000, help="Number of texts that the model writes.")
    ] = 20,
    passages: Annotated[
        int, typer.Option(min=10, max=10_000, help="Passages of each side whose loss is compared.")
    ] = 200,
    seed: options.Seed = 0,
    json: options.Json = False,
) -> None:
    """Measure what a model remembers: planted secrets, whose text it was, what it copies.

    Secrets are planted by `hornbook pretrain --canaries`.
    """
    import time

    from hornbook.cli.output import print_json
    from hornbook.core.progress import Progress
    from hornbook.workflows.understand.memorization import MemorizationConfig, memorization

    started = time.perf_counter()
    config = MemorizationConfig(samples, passages, seed=seed)
    found = memorization(run, config, Progress(quiet=json))
    if not json:
        _show(found)
    print_json({**found, "seconds": round(time.perf_counter() - started, 2)}, json)


def _show(found: dict[str, Any]) -> None:
    from hornbook.cli.output import show

    for row in (found["canaries"] or {}).get("planted", ()):
        show(
            f"Secrets planted, copies of each: {row['copies']}; exposure {row['value']:.1f} of "
            f"{found['canaries']['bits']:.1f} bits ({row['low']:.1f} to {row['high']:.1f}); about "
            "1 where nothing is remembered"
        )
    member = found["membership"]
    if member:
        show(
            "A passage that was trained on has a lower loss than one that was held out: "
            f"{member['value']:.3f} of pairs ({member['low']:.3f} to {member['high']:.3f}); 0.5 "
            "tells nothing"
        )
    overlap = found["overlap"]
    show(
        f"Of {overlap['characters']:,} characters that it wrote {overlap['covered']:,} stand in "
        f"the corpus in passages of at least 24; the longest has {overlap['longest']:,}."
    )
    if overlap["text"]:
        print(f'  "{" ".join(overlap["text"].split())}"')
    show(f"The report: {found['report']}")
