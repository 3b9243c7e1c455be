"""Is a rule right? Documents that it dropped and kept, to be judged by a person."""

import json
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from hornbook.core.errors import HornbookError, UsageError, unknown
from hornbook.core.stats import Estimate, wilson
from hornbook.corpus.document_files import parts, read_parquet
from hornbook.corpus.ingest import source_of_part
from hornbook.corpus.recipe import CorpusRecipe
from hornbook.corpus.rules import RULES

_ROW = {"rule", "id", "value", "dropped", "good"}
"""Of a line of the file of answers."""


class Case(NamedTuple):
    """A document that a rule judged. dropped: by this rule, whatever others say of it."""

    id: str
    text: str
    value: float
    dropped: bool


class ReviewAnswer(NamedTuple):
    """good: whether the person wants to train on the document."""

    case: Case
    good: bool


def cases(stages: Path, recipe: CorpusRecipe, rule: str, each: int, seed: int) -> list[Case]:
    """Up to `each` documents that the rule drops and as many that it keeps, drawn and shuffled.

    stages: the folder of a corpus' stages, and the recipe it was built by. Raises UsageError for a
    rule that it was built without, and HornbookError when the stages were deleted.
    """
    read, tags = stages / "read", stages / "tags"
    if rule not in RULES:
        raise unknown("rule", rule, RULES)
    if not parts(read):
        raise HornbookError(
            f"{stages} is gone, which holds the texts that were dropped; build the corpus again."
        )
    files, values, dropped = [], [], []
    for part in parts(read):
        rules = recipe.rules_of(source_of_part(read, part.name))
        if rule in rules:
            files.append(part)
            values.append(_values(tags / part.name, rule))
            dropped.append(~RULES[rule].parse(rules[rule], f"rule {rule}").keeps(values[-1]))
    if not files:
        raise UsageError(f"The corpus was built without the rule {rule}.")
    measured, drops = np.concatenate(values), np.concatenate(dropped)
    draw, chosen = np.random.default_rng(seed), dict[int, bool]()
    for side in (True, False):
        places = np.flatnonzero(~np.isnan(measured) & (drops == side))
        some = draw.choice(places, min(each, len(places)), replace=False)
        chosen |= {int(place): side for place in some}
    found = [
        Case(id, text, float(measured[place]), chosen[place])
        for place, id, text in _texts(files, sorted(chosen))
    ]
    random.Random(seed).shuffle(found)
    return found


def precision(answers: Sequence[ReviewAnswer]) -> dict[str, Estimate]:
    """precision: the share of dropped documents that are no good; kept_good: of kept ones that are.

    Each with its 95 % interval.
    """
    dropped = [answer for answer in answers if answer.case.dropped]
    kept = [answer for answer in answers if not answer.case.dropped]
    return {
        "precision": wilson(sum(not a.good for a in dropped), len(dropped)),
        "kept_good": wilson(sum(a.good for a in kept), len(kept)),
    }


def check_answers(path: Path) -> None:
    """Raises UsageError for a file that holds something else than answers: none is added to it."""
    if not path.exists():
        return
    try:
        with path.open(encoding="utf-8") as lines:
            first = json.loads(next(lines, "{}"))
    except (OSError, ValueError):
        first = None
    if not isinstance(first, dict) or (first and {*first} != _ROW):
        raise UsageError(f"{path} holds other things than answers to reviews; move it away.")


def remember(path: Path, rule: str, answers: Sequence[ReviewAnswer]) -> None:
    """Add what was answered to a file of JSON Lines, for later looks."""
    with path.open("a", encoding="utf-8") as lines:
        for case, good in answers:
            row = {"rule": rule, "id": case.id, "value": case.value, "dropped": case.dropped}
            lines.write(json.dumps({**row, "good": good}, ensure_ascii=False) + "\n")


def answers_in(path: Path, rule: str) -> dict[str, ReviewAnswer]:
    """What was answered of a rule, by document; of several answers the last one counts.

    The texts are not kept there. Raises UsageError as `check_answers`.
    """
    check_answers(path)
    found: dict[str, ReviewAnswer] = {}
    if path.exists():
        with path.open(encoding="utf-8") as lines:
            for row in map(json.loads, lines):
                if row["rule"] == rule:
                    found.pop(row["id"], None)  # so that the last one is last
                    case = Case(row["id"], "", row["value"], row["dropped"])
                    found[row["id"]] = ReviewAnswer(case, row["good"])
    return found


def _values(tags: Path, rule: str) -> np.ndarray:
    """(N,) what the rule measured, NaN where it did not judge."""
    values: np.ndarray = read_parquet(tags, [rule])[rule].to_numpy()
    return values


def _texts(files: Sequence[Path], places: Sequence[int]) -> Iterator[tuple[int, str, str]]:
    """Place, id and text of some documents of the files; groups without any are not read."""
    import pyarrow.parquet as parquet

    first = 0
    for path in files:
        file = parquet.ParquetFile(path)
        for group in range(file.num_row_groups):
            end = first + file.metadata.row_group(group).num_rows
            if own := [place for place in places if first <= place < end]:
                rows = [place - first for place in own]
                table = file.read_row_group(group, ["id", "text"]).take(rows)
                yield from zip(own, table["id"].to_pylist(), table["text"].to_pylist(), strict=True)
            first = end
