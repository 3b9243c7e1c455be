"""Which rows of a tuning are trained on, and which say when to stop and what it was worth.

What a user asks first stands on one side only. Where many rows begin alike ("Hi"), what is asked
next decides; and what most rows ask is trained on, so that the held-out parts keep their shares. A
row that is there twice counts once.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

from hornbook.core.errors import HornbookError
from hornbook.core.files import hash_json
from hornbook.datasets.instructions import Preference
from hornbook.datasets.samples import TaskRows

FEWEST = 10
"""Different prompts, so that some can be held out twice."""
_HELD_OUT, _MOST_TEST, _MOST_VALIDATION = 0.1, 200, 64
_LARGE = 0.5
"""Of a held-out part: rows that begin alike and are more are told apart by what follows, if any."""
_SHORT = 0.7
"""Of what a part should hold: less is said."""
_SHOWN = 60


class NothingToLearn(HornbookError):
    """Of these rows too little can be learned and measured."""


class SampleSplit(NamedTuple):
    """The samples, each on one side. doubles: rows left out because another says the same.

    note: why the held-out parts are smaller than they should be, or "".
    """

    train: list[Any]
    validation: list[Any]
    test: list[Any]
    doubles: int
    note: str = ""


def split(samples: Sequence[Any], seed: int) -> SampleSplit:
    """Hold a tenth out for the test and as much for validation, by what the user asks.

    Raises NothingToLearn where too few different things are asked.
    """
    unique = _unique(samples)
    size = max(1, round(_HELD_OUT * len(unique)))
    wanted = {"test": min(size, _MOST_TEST), "validation": min(size, _MOST_VALIDATION)}
    found = _groups(unique, max(1, int(_LARGE * wanted["validation"])))
    if len(found) < FEWEST:
        raise NothingToLearn(
            f"{len(found)} different prompts are too few to tune on and hold some out; "
            f"{FEWEST} are the least.{_commonest(found, len(unique))}"
        )
    order = sorted(found, key=lambda key: _draw(seed, key))
    parts = _dealt([found[key] for key in order], wanted)
    short = any(len(parts[name]) < _SHORT * count for name, count in wanted.items())
    note = _commonest(found, len(unique)).strip() if short else ""
    return SampleSplit(**parts, doubles=len(samples) - len(unique), note=note)


def held_apart(samples: Sequence[Any], held_out: Sequence[Any], seed: int) -> SampleSplit:
    """The split where the user says what is held out: it is dealt to validation and test by what
    is asked, and what asks the same is not trained on.

    Raises NothingToLearn where a side would be empty.
    """
    held = _groups(_unique(held_out), len(held_out))
    train = [sample for sample in _unique(samples) if _asked(sample)[:1] not in held]
    order = sorted(held, key=lambda key: _draw(seed, key))
    count = min(max(1, len(order) // 3), _MOST_VALIDATION)
    if not train or count == len(order):
        raise NothingToLearn(
            f"{len(train)} rows to train on, and {len(order)} prompts held out, are too few."
        )
    validation, test = (
        [sample for key in side for sample in held[key]] for side in (order[:count], order[count:])
    )
    kept = len(train) + len(validation) + len(test)
    return SampleSplit(train, validation, test, doubles=len(samples) + len(held_out) - kept)


def _unique(samples: Sequence[Any]) -> list[Any]:
    return list({hash_json(list(sample[:-2])): sample for sample in samples}.values())


def _draw(seed: int, key: tuple[str, ...]) -> str:
    """What decides who is held out; it says nothing of what is asked."""
    return hash_json([seed, key])


def _dealt(groups: list[list[Any]], wanted: dict[str, int]) -> dict[str, list[Any]]:
    """Groups to the parts that they fit into, and the others to be trained on.

    Of all rows that are in no large group, a quarter at most goes to each part. One that is left
    with nothing gets the smallest group.
    """
    small = sum(len(group) for group in groups if len(group) <= min(wanted.values()))
    most = {name: max(1, min(count, small // 4)) for name, count in wanted.items()}
    held: dict[str, list[Any]] = {name: [] for name in wanted}
    rest = []
    for group in groups:
        fitting = [name for name in most if len(held[name]) + len(group) <= most[name]]
        if fitting:
            held[min(fitting, key=lambda name: len(held[name]) / most[name])] += group
        else:
            rest.append(group)
    for name in (name for name in held if not held[name]):
        held[name] = rest.pop(min(range(len(rest)), key=lambda place: len(rest[place])))
    return {**held, "train": [sample for group in rest for sample in group]}


def _groups(samples: Sequence[Any], large: int) -> dict[tuple[str, ...], list[Any]]:
    """Samples by what is asked first, and by what is asked next where too many begin alike."""
    turns = [_asked(sample) for sample in samples]
    keys = [turn[:1] for turn in turns]
    depth = 1
    while True:
        counts = Counter(keys)
        longer = [
            i for i, key in enumerate(keys)
            if len(key) == depth and counts[key] > large and len(turns[i]) > depth
        ]  # fmt: skip
        if not longer:
            break
        depth += 1
        for i in longer:
            keys[i] = turns[i][:depth]
    groups: dict[tuple[str, ...], list[Any]] = {}
    for key, sample in zip(keys, samples, strict=True):
        groups.setdefault(key, []).append(sample)
    return groups


def _asked(sample: Any) -> tuple[str, ...]:
    """What the user says, turn by turn, white space apart; where nothing, what is answered.

    A system text and a greeting of the assistant are the same in many rows and ask nothing.
    """
    if isinstance(sample, Preference):
        messages, text = sample.prompt, sample.chosen
    else:
        messages, text = sample.messages, sample.text
    asked = [m["content"] for m in messages if m["role"] == "user"]
    answers = [m["content"] for m in messages if m["role"] == "assistant"]
    return tuple(" ".join(one.split()) for one in asked or answers or [text])


def wording(sample: Any) -> str:
    """All that is said in a sample, turn by turn."""
    if isinstance(sample, Preference):
        return "\n".join([*(m["content"] for m in sample.prompt), sample.chosen])
    return "\n".join(m["content"] for m in sample.messages) or str(sample.text)


def _commonest(groups: dict[tuple[str, ...], list[Any]], rows: int) -> str:
    """A sentence on what most rows ask, if many do."""
    key, group = max(groups.items(), key=lambda item: len(item[1]))
    if len(group) < 2:
        return ""
    asked = " … ".join(key)
    asked = asked if len(asked) <= _SHOWN else asked[:_SHOWN] + "…"
    return f" {len(group):,} of {rows:,} rows ask the same: {asked!r}; they stay on one side."


def said(rows: TaskRows, parts: SampleSplit) -> list[str]:
    """What was read, for people, a line each."""
    forms = ", ".join(f"{count:,} {form}" for form, count in rows.forms.items())
    reasons = Counter(rejection.reason for rejection in rows.rejected)
    first = next(iter(rows.rejected), None)
    bad = ", ".join(f"{count:,} {reason}" for reason, count in reasons.items())
    lines = [f"Read as rows: {forms}; {parts.doubles:,} duplicates left out."]
    if first is not None:
        where = first.file if first.line is None else f"{first.file}, row {first.line}"
        lines.append(f"  Rejected: {bad}; the first is {where}: {first.detail or first.reason}.")
    lines.append(
        f"  {len(parts.train):,} to train on, {len(parts.validation):,} to know when to stop, "
        f"{len(parts.test):,} to measure on."
    )
    if parts.note:
        lines.append(f"  Fewer than a tenth could be held out. {parts.note}")
    return lines
