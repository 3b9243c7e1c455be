"""`hornbook corpus train`: the models that the rules `quality` and `perplexity` judge with."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hornbook.cli.options import Json

if TYPE_CHECKING:
    from hornbook.read.documents import Rejection
    from hornbook.read.locations import AnyPath


def train(
    kind: Annotated[str, typer.Argument(help="The rule to train for: quality or perplexity.")],
    good: Annotated[list[str], typer.Option(help="A file or folder of good text.")],
    out: Annotated[Path, typer.Option(help="The file to write; the rule's `model` names it.")],
    bad: Annotated[
        list[str] | None, typer.Option(help="A file or folder of bad text (quality only).")
    ] = None,
    text_field: Annotated[
        str | None, typer.Option(help="Field or column of the text in JSON Lines and tables.")
    ] = None,
    seed: Annotated[
        int,
        typer.Option(
            min=0,
            max=2**63 - 1,
            help="Seed of the training; the same seed gives the same model (quality).",
        ),
    ] = 0,
    json: Json = False,
) -> None:
    """Train the model of a rule on your own text, and measure it on a tenth that is held out."""
    from hornbook.cli.output import print_json
    from hornbook.core.claims import Claim
    from hornbook.core.errors import UsageError, unknown
    from hornbook.core.outputs import check_file
    from hornbook.corpus.build import places_of
    from hornbook.corpus.rule_models import KINDS, train_perplexity, train_quality
    from hornbook.read.locations import is_local, lies_in, local_path
    from hornbook.read.sources import find_files

    if kind not in KINDS:
        raise unknown("rule to train", kind, KINDS)
    if (kind == "quality") != bool(bad):
        needs = "needs --bad as well" if kind == "quality" else "is trained on good text, not --bad"
        raise UsageError(f"A {kind} model {needs}.")
    claim = Claim(f"corpus train {kind}", places_of([*good, *(bad or [])]))
    check_file(out, claim)
    for source in [*good, *(bad or [])]:
        if is_local(source) and local_path(source).is_dir() and lies_in(out, local_path(source)):
            raise UsageError(f"{out} lies in {source}, which is read; choose another --out.")
    started, refused = time.perf_counter(), list["Rejection"]()
    # All are found before any is read: a name that is mistyped costs no time.
    files, others = find_files(good), find_files(bad or [])
    texts = _texts(files, text_field, refused)
    if kind == "quality":
        facts = train_quality(texts, _texts(others, text_field, refused), out, seed, claim)
    else:
        facts = train_perplexity(texts, out, claim)
    facts |= {"unreadable": len(refused), "seconds": round(time.perf_counter() - started, 3)}
    if json:
        print_json(facts, True)
        return
    for item in refused[:3]:
        print(f"could not be read: {item.file}: {item.reason} {item.detail}".rstrip())
    for name, value in _flat(facts):
        print(f"{name}: {value:.4g}" if isinstance(value, float) else f"{name}: {value}")


def _texts(
    files: list["AnyPath"], text_field: str | None, refused: list["Rejection"]
) -> Iterator[str]:
    """The texts of all files; what cannot be read is added to `refused`."""
    from hornbook.read.documents import Document
    from hornbook.read.sources import read_file

    for file in files:
        for item in read_file(file, text_field):
            if isinstance(item, Document):
                yield item.text
            else:
                refused.append(item)


def _flat(facts: dict[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """Names and values, those inside others with both names; an estimate is one line."""
    for name, value in facts.items():
        if isinstance(value, dict) and set(value) == {"value", "low", "high"}:
            yield before + name, "{value:.4f} ({low:.4f} to {high:.4f})".format(**value)
        elif isinstance(value, dict):
            yield from _flat(value, f"{before}{name} ")
        else:
            yield before + name, value
