"""What rows that people bring are before anything is made of them: the first, with what is learned.

At most some thousand rows are read, and some of them shown.
"""

import base64
import io
import itertools
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from hornbook.core.errors import UsageError
from hornbook.datasets.columns import names_of
from hornbook.datasets.labelled import read_labelled
from hornbook.datasets.pairs import Pair, read_pairs
from hornbook.datasets.tables import read_rows
from hornbook.read.documents import Rejection
from hornbook.read.formats.table import Row
from hornbook.serve.studio.run_kinds import RunForm, sides_of, table_of

_READ, _SHOWN, _EXCERPT, _TOKENS = 20_000, 5, 400, 300
_SIDE, _PICTURES, _CLASSES = 48, 18, 12
"""Pixels of a picture's side; pictures and classes that are shown."""
_LARGEST = 128 * 2**20
"""Bytes of images that are opened for a look."""


class RowPiece(NamedTuple):
    """A part of a row. learned: whether the model learns to write it."""

    text: str
    learned: bool


class RowsPreview(NamedTuple):
    """rows: how many were read, and more: whether there are others. parts: files, and what they
    are for. samples: the first rows. classes: with how many rows each. columns: of a table, with
    text and label among them. tokens: whether pieces are tokens. pictures: class and PNG as base64.
    problem: why it is not understood, "" where it is."""

    rows: int = 0
    more: bool = False
    parts: Sequence[tuple[str, str]] = ()
    samples: Sequence[Sequence[RowPiece]] = ()
    classes: Sequence[tuple[str, int]] = ()
    columns: Sequence[str] = ()
    text: str = ""
    label: str = ""
    tokens: bool = False
    pictures: Sequence[tuple[str, str]] = ()
    refused: Sequence[tuple[str, str]] = ()
    problem: str = ""


def _labels(form: RunForm) -> RowsPreview:
    file = table_of(form)
    columns = names_of(
        row for row in itertools.islice(read_rows(file), 200) if isinstance(row, Row)
    )
    try:
        found = read_labelled(file, form.get("text_column"), form.get("label_column"), most=_READ)
    except UsageError as error:
        return RowsPreview(columns=columns, problem=str(error))
    counts = Counter(row.label for row in found.rows)
    return RowsPreview(
        rows=len(found.rows),
        more=len(found.rows) + len(found.rejected) >= _READ,
        samples=[
            [RowPiece(_short(row.text), False), RowPiece(row.label, True)]
            for row in found.rows[:_SHOWN]
        ],
        classes=counts.most_common(_CLASSES),
        columns=columns,
        text=found.text_column,
        label=found.label_column,
        refused=_refused(found.rejected),
    )


def _pairs(form: RunForm) -> RowsPreview:
    sides = sides_of(form)
    found = list(itertools.islice(read_pairs(sides["pairs"]), _READ))
    pairs = [item for item in found if isinstance(item, Pair)]
    return RowsPreview(
        rows=len(pairs),
        more=len(found) == _READ,
        parts=[(file.name, side) for side, files in sides.items() for file in files],
        samples=[
            [RowPiece(_short(pair.source), False), RowPiece(_short(pair.target), True)]
            for pair in pairs[:_SHOWN]
        ],
        refused=_refused(item for item in found if isinstance(item, Rejection)),
    )


def _answers(form: RunForm) -> RowsPreview:
    from hornbook.datasets.instructions import read_preferences
    from hornbook.datasets.samples import collect
    from hornbook.workflows.projects.answers.data import read_rows as read_task

    task, files = form.get("task") or "instruct", form.files()
    if task == "preference":
        every = itertools.chain.from_iterable(map(read_preferences, files))
        rows = collect(itertools.islice(every, _READ))
        samples = [
            [
                RowPiece("".join(_short(one["content"]) + "\n" for one in row.prompt), False),
                RowPiece(_short(row.chosen), True),
                RowPiece(_short(row.rejected), False),
            ]
            for row in rows.samples[:_SHOWN]
        ]
    else:
        rows = read_task(task, files, form.get("prompt"), _READ)
        samples = _as_tokens(rows.samples[:_SHOWN], Path(form.model()))
    return RowsPreview(
        rows=len(rows.samples),
        more=len(rows.samples) + len(rows.rejected) >= _READ,
        parts=[(name, f"{count:,}") for name, count in rows.forms.items()],
        samples=samples,
        tokens=task != "preference",
        refused=_refused(rows.rejected),
    )


def _as_tokens(samples: Sequence[Any], model: Path) -> list[list[RowPiece]]:
    """Rows as the model will read them, token by token."""
    from hornbook.models.place import resolve
    from hornbook.tokenize.answers import with_template
    from hornbook.tokenize.gguf import tokenizer_folder
    from hornbook.tokenize.tokenizer import Tokenizer
    from hornbook.workflows.projects.answers.data import encode_sample
    from hornbook.workflows.runs import folder as layout

    with tempfile.TemporaryDirectory() as aside:
        folder = tokenizer_folder(resolve(model), Path(aside) / layout.TOKENIZER, layout.PART)
        folder, _ = with_template(folder, Path(aside) / layout.CHAT_TOKENIZER, layout.PART)
        tokenizer = Tokenizer.load(folder)
        found = []
        for sample in samples:
            example, stream = encode_sample(sample, tokenizer, _TOKENS)[0], tokenizer.stream()
            pairs = zip(example.ids.tolist(), example.trained.tolist(), strict=True)
            pieces = [RowPiece(stream.push(i), learned) for i, learned in pairs]
            found.append([piece for piece in pieces[:_TOKENS] if piece.text])
        return found


def _images(form: RunForm) -> RowsPreview:
    from PIL import Image

    from hornbook.datasets.images import read_images

    size = sum(file.stat().st_size for file in form.files())
    if size > _LARGEST:
        problem = f"The images have more than {_LARGEST >> 20} MB: they are not opened here."
        return RowsPreview(problem=problem)
    found = read_images(Path(form.sources[0]), "train", _SIDE)
    counts = Counter(found.labels.tolist())
    pictures = []
    for place in _spread(found.labels.tolist(), _PICTURES):
        pixels, stream = found.pixels[place], io.BytesIO()
        Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).save(stream, "PNG")
        name = found.names[int(found.labels[place])]
        pictures.append((name, base64.b64encode(stream.getvalue()).decode()))
    return RowsPreview(
        rows=len(found.labels),
        classes=[(found.names[label], count) for label, count in counts.most_common(_CLASSES)],
        pictures=pictures,
        refused=[("", sentence) for sentence in found.rejected[:_SHOWN]],
    )


def _spread(labels: Sequence[int], most: int) -> list[int]:
    """Places of a few of each class, the classes in turn."""
    seen: Counter[int] = Counter()
    ranked = []
    for place, label in enumerate(labels):
        ranked.append((seen[label], label, place))
        seen[label] += 1
    return [place for _, _, place in sorted(ranked)[:most]]


def _short(text: str) -> str:
    return text if len(text) <= _EXCERPT else text[:_EXCERPT] + " …"


def _refused(rejections: Iterable[Rejection]) -> list[tuple[str, str]]:
    some = itertools.islice(rejections, _SHOWN)
    return [(f"{Path(one.file).name}:{one.line or ''}", one.reason) for one in some]


PREVIEWS: dict[str, Callable[[RunForm], RowsPreview]] = {
    "labels": _labels,
    "pairs": _pairs,
    "answers": _answers,
    "images": _images,
}
