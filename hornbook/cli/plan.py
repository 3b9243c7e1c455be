"""`hornbook plan`: what a run would be, take and reach, before anybody starts it."""

from pathlib import Path
from typing import Annotated, Any

import typer

from hornbook.cli.option_groups import TrainedOn, spread
from hornbook.cli.options import Json


@spread
def command(
    target: Annotated[
        Path | None,
        typer.Argument(help="A recipe (.yaml), a run folder, or with --data the model to tune."),
    ] = None,
    minutes: Annotated[
        float | None, typer.Option(help="Minutes for the whole command that is planned.")
    ] = None,
    hours: Annotated[float | None, typer.Option(help="The same in hours.")] = None,
    kwh: Annotated[
        float | None, typer.Option(help="The same as energy, in kilowatt-hours; needs --watts.")
    ] = None,
    watts: Annotated[
        float | None, typer.Option(help="Power that this machine takes while it trains.")
    ] = None,
    on: TrainedOn = TrainedOn(),
    json: Json = False,
) -> None:
    """Say what a run would be, take and reach: size, passes, time, memory, disk and score.

    It is prepared aside and rehearsed for some seconds; nothing of it stays.
    """
    from hornbook.cli.output import print_json
    from hornbook.core.progress import Progress
    from hornbook.workflows.plan import Budget, plain, plan, sizes_alone

    budget = Budget.of(minutes, hours, kwh, watts)
    if target is None and not on.given:
        shown = sizes_alone(budget, Progress(quiet=json))
    else:
        what = on.meant(target)
        found = plan(what.target, what.project, what.values, budget, Progress(quiet=json))
        shown = plain(found, budget, target)
    if not json:
        _show(shown)
    print_json(shown, json)


def _show(found: dict[str, Any]) -> None:
    from hornbook.cli.output import show
    from hornbook.training.measures import MEASURES

    for choice in found["choices"]:
        show(f"  {choice['name']} = {choice['value']}: {choice['reason']}")
    show(f"{found['parameters']:,} weights, {found['steps']:,} steps.")
    if found["targets"] is not None:
        show(f"It learns from {found['targets']:,} targets.")
    if found["epochs"] is not None:
        show(f"It sees the data {found['epochs']:.1f} times.")
    show(f"Training takes about {found['training_seconds']:,.0f} s.")
    if found["kwh"] is not None:
        show(f"Energy: about {found['kwh']:.3g} kWh at {found['watts']:,.0f} W.")
    memory = found["memory"]
    show(
        f"Memory: the largest step, of {memory['largest_step']:,} values, took "
        f"{memory['peak_bytes'] / 2**20:,.0f} of {memory['available_bytes'] / 2**20:,.0f} MiB."
    )
    show(f"Disk: {found['disk_bytes'] / 2**20:,.0f} MiB.")
    if (score := found["forecast"]) is None:
        show("Score: not foretold; that takes data, and a law for how such runs go on.")
        return
    measure = MEASURES[score["measure"]]
    low, high = measure.text(score["low"]), measure.text(score["high"])
    show(
        f"Score: {measure.en} {measure.text(score['score'])} (80 % interval {low} to {high}), from "
        f"{found['past']['runs']} past runs, {found['past']['same_data']} of them of these data."
    )
