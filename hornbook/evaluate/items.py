"""The items of a task: those that are tested and those that shots may be drawn from, apart."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from hornbook.core.errors import UsageError
from hornbook.datasets.labelled import LabelledText, split
from hornbook.evaluate.prompts import draw_shots
from hornbook.evaluate.rows import LeftOut
from hornbook.evaluate.task import Item, Task
from hornbook.evaluate.templates import render
from hornbook.read.documents import content_hash

FEW = 30
"""Items below which an interval is so wide that a warning is due."""


class TaskItems(NamedTuple):
    """test: what is asked, in the file's order. shots: what is shown first. pool: the training part
    that shots are drawn from. total: items before `limit`. empty, copies: rows left out.
    """

    test: list[Item]
    shots: list[Item]
    pool: list[Item]
    total: int
    empty: int
    copies: int


def read_items(
    task: Task,
    data: Path,
    train: Path | None,
    shots: int,
    limit: int | None,
    seed: int,
    left_out: LeftOut = lambda rejection: None,
) -> TaskItems:
    """Read a task's data, set the training part aside, draw shots and the items to test.

    Without a training part, shots are drawn from the test items and are not tested. limit: test so
    many, drawn by seed, as many of each of the finest groups as it goes. left_out: as of
    `Task.read`. Raises UsageError for rows that lack a field, and when nothing is left to test.
    """
    every, empty = _items(task, task.read(data, left_out), str(data))
    pool: list[Item] = []
    if train is not None:
        pool, _ = _items(task, task.read(train, left_out), str(train))
        test = every
    elif task.test_share is not None:
        pool, test = _split(task, every, task.test_share)
    else:
        test = every
    copies = 0
    if task.distinct:
        before, test = len(test), _distinct(test)
        copies = before - len(test)
    own = train is None and task.test_share is None
    drawn = draw_shots(task, _distinct(test if own else pool), shots, seed) if shots else []
    if own and drawn:
        shown = {content_hash(item.content) for item in drawn}
        test = [item for item in test if content_hash(item.content) not in shown]
    if not test:
        raise UsageError(f"{data} leaves no item to test.")
    return TaskItems(_limited(task, test, limit, seed), drawn, pool, len(test), empty, copies)


def _items(task: Task, rows: Sequence[dict[str, Any]], where: str) -> tuple[list[Item], int]:
    """The rows as items, and how many had an empty content and were left out."""
    if not rows:
        raise UsageError(f"{where} holds no rows.")
    found = []
    for number, row in enumerate(rows):
        try:
            content = render(task.content, row)
            if content.strip():
                task.check(row)
                found.append(Item(number, row, content))
        except UsageError as error:
            raise UsageError(f"{where}, row {number + 1}: {error}") from None
    if not found:
        raise UsageError(f"{where}: all {len(rows)} rows are empty ({task.content!r}).")
    return found, len(rows) - len(found)


def _split(task: Task, items: Sequence[Item], share: float) -> tuple[list[Item], list[Item]]:
    """Training and test part by content and label alone: the same for every seed and model."""
    rows = [
        LabelledText(str(i), item.content, task.label(item.row)) for i, item in enumerate(items)
    ]
    train, test = split(rows, share)
    return [items[int(row.id)] for row in train], [items[int(row.id)] for row in test]


def _distinct(items: Sequence[Item]) -> list[Item]:
    """The first of each content, white space apart."""
    found: dict[str, Item] = {}
    for item in items:
        found.setdefault(content_hash(item.content), item)
    return list(found.values())


def _limited(task: Task, items: list[Item], limit: int | None, seed: int) -> list[Item]:
    """At most `limit` items, in their order; groups take turns, so that each is heard."""
    if limit is None or limit >= len(items):
        return items
    order = np.random.default_rng([seed, 1]).permutation(len(items)).tolist()
    finest = list(task.groups.values())[-1] if task.groups else ""
    by_group: dict[str, list[int]] = {}
    for i in order:
        group = render(finest, items[i].row)
        by_group.setdefault(group, []).append(i)
    turns = [(turn, i) for group in by_group.values() for turn, i in enumerate(group)]
    turns.sort(key=lambda pair: pair[0])
    return [items[i] for i in sorted(i for _, i in turns[:limit])]
