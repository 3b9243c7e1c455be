"""Mutants of what else a user names: recipes, tasks, rows, pictures, adapters, runs, an index."""

import csv
import functools
import io
import json
import shutil
from pathlib import Path

import pytest

from tests.fuzz import mutate
from tests.fuzz.hunt import Format, hunt

RECIPE = """\
tokens: 20000
seed: 3
dtype: float32
compiled: false
shard: null
plan: {preset: qwen3, vocab: 1024, depth: 2, width: 64, heads: 2, context: 64, rows: 8}
"""
TASK = """\
kind: generate
about: questions
content: "{{ text }}"
prompt: "Read: {{ text|trim }}\\n{% for i in range(3) %}{{ i }}{% endfor %}"
answers: label
metrics: [exact_match, f1]
groups: {kind: "{{ label }}"}
max_tokens: 8
stop: ["\\n"]
test_share: 0.5
"""
CURATION = """\
rules:
  gopher_word_count: {least: 3, most: 1000}
  c4_curly_brace: {}
sources:
  own: {match: ["*.txt"], rules: {gopher_bullets: {}}}
near_mode: drop
pii: [email, phone]
"""
ROWS = [
    {"text": f"Text {i}, {word}.", "label": label, "question": f"What is {word}?", "answer": word}
    for i, (word, label) in enumerate([("red", "a"), ("blue", "b"), ("ten", "a"), ("six", "b")] * 3)
]
CHATS = [
    {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]},
    {"instruction": "Say red.", "input": "", "output": "red"},
    {"prompt": "a", "chosen": "b", "rejected": "c"},
]
LINES = {"text_pieces": mutate.text_pieces, **mutate.BYTES}


def _text(name: str, text: str, folder: Path) -> list[Path]:
    (folder / name).write_text(text, encoding="utf-8")
    return [folder / name]


def _lines(name: str, rows: list[dict[str, object]], folder: Path) -> list[Path]:
    return _text(name, "".join(json.dumps(row) + "\n" for row in rows), folder)


def _table(name: str, folder: Path) -> list[Path]:
    out = io.StringIO()
    lines = csv.DictWriter(out, list(ROWS[0]), delimiter="\t" if name.endswith(".tsv") else ",")
    lines.writeheader()
    lines.writerows(ROWS)
    return _text(name, out.getvalue(), folder)


def _parquet(folder: Path) -> list[Path]:
    from tests.tables import parquet

    (folder / "rows.parquet").write_bytes(parquet(ROWS))
    return [folder / "rows.parquet"]


def _task(folder: Path) -> list[Path]:
    _lines("rows.jsonl", ROWS, folder)
    return _text("task.yaml", TASK + "data: rows.jsonl\n", folder)


def _pictures(folder: Path) -> list[Path]:
    import numpy as np
    from PIL import Image

    pixels, found = np.random.default_rng(0).integers(0, 256, (9, 7, 3), np.uint8), []
    for label, suffix in (("a", "png"), ("b", "jpg"), ("c", "gif"), ("d", "webp"), ("e", "bmp")):
        found.append(folder / "images" / "train" / label / f"0.{suffix}")
        found[-1].parent.mkdir(parents=True)
        Image.fromarray(pixels).save(found[-1])
    return found


def _idx(folder: Path) -> list[Path]:
    import numpy as np

    from hornbook.datasets.idx import write
    from hornbook.datasets.image_data import LabelledImages

    pixels = np.random.default_rng(0).integers(0, 256, (6, 5, 5, 1), np.uint8)
    labels = np.array([0, 1, 1, 0, 2, 2])
    write(folder, "train", LabelledImages(pixels, labels, ("a", "b", "c")))
    return sorted(folder.glob("*idx*"))


def _adapter(folder: Path) -> list[Path]:
    from hornbook.adapt.method import Method
    from hornbook.adapt.peft import base_of, save_adapter
    from hornbook.models.folder import load_model
    from tests.fuzz.test_models import model_folder

    base = model_folder(folder)
    model = load_model(base)
    Method.parse("lora:4").apply(model, 0)
    save_adapter(model, folder / "adapter", base_of(base))
    return sorted((folder / "adapter").glob("adapter_*"))


def _run(folder: Path) -> list[Path]:
    """A finished run on a text, with what is read of it."""
    from tests.workflows import test_life as life

    data, values = life.MAKERS["text"](folder)
    project = life.project_class("text")(**data)
    life.train(project, folder / "run", project.request(values), progress=life.QUIET)
    return [folder / "run" / name for name in ("recipe.yaml", "result.json", "metrics.jsonl")]


def _whole_run(folder: Path) -> list[Path]:
    """What of a finished run is opened by name."""
    run = _run(folder)[0].parent
    model = ("config.json", "model.safetensors", "tokenizer.json")
    return [run / "recipe.yaml", run / "result.json", *(run / "model" / name for name in model)]


def _index(folder: Path) -> list[Path]:
    from hornbook.core.progress import Progress
    from hornbook.workflows.documents.indexing import IndexRequest, make_index

    (folder / "texts").mkdir()
    for i, row in enumerate(ROWS):
        (folder / "texts" / f"{i}.txt").write_text(f"{row['text']} {row['question']} " * 40)
    sources = (str(folder / "texts"),)
    make_index(IndexRequest(sources, encoder="none"), folder / "index", Progress(quiet=True))
    files = (path for path in sorted((folder / "index").rglob("*")) if path.is_file())
    return [path for path in files if path.stat().st_size]


def ask_for_a_run(path: Path) -> None:
    """What `pretrain --recipe` and `finetune --recipe` look at before any work, for each kind."""
    from hornbook.core.config import read_recipe
    from hornbook.workflows.projects import kinds, project_class

    values = read_recipe(path)
    for kind in kinds():
        request = project_class(kind).recipe.model_fields["request"].annotation
        _or_refused(lambda request=request: request.parse(values, str(path)).check())


def _or_refused(work: object) -> None:
    from hornbook.core.errors import HornbookError

    try:
        work()  # type: ignore[operator]
    except HornbookError:
        return


def curate(path: Path) -> None:
    from hornbook.corpus.recipe import recipe_of

    recipe_of(str(path)).check()


def evaluate(path: Path) -> None:
    """Load a task, its data, and render what its templates make of each row."""
    from hornbook.evaluate.load import find_data, load_task

    loaded = load_task(str(path))
    for row in loaded.task.read(find_data(loaded, loaded.task.data), lambda *_: None):
        loaded.task.check(row)


def learn_labels(path: Path) -> None:
    from hornbook.datasets.labelled import read_labelled

    read_labelled(path)


def learn_pairs(path: Path) -> None:
    from hornbook.datasets.pairs import read_pairs

    list(read_pairs([path], ("question", "answer")))


def learn_answers(path: Path) -> None:
    from hornbook.datasets.instructions import has_preferences, read_conversations, read_preferences

    has_preferences(path)
    list(read_conversations(path))
    list(read_preferences(path))


def see(path: Path) -> None:
    """All images of the folder that a picture stands in."""
    from hornbook.datasets.images import read_images

    idx = "idx" in path.name
    read_images(path.parent if idx else path.parents[2], "train", None if idx else 8, 3)


def adapted(path: Path) -> None:
    from hornbook.workflows.open.generator import open_generator

    open_generator(path.parent, "cpu")


def look_at_a_run(path: Path) -> None:
    """As `--resume`, the studio and `doctor` do before any work."""
    from hornbook.core.metrics import MetricsLog
    from hornbook.workflows.projects import kinds, project_class
    from hornbook.workflows.runs import folder as layout

    run = path.parent
    kind = project_class(layout.kind_of(run, kinds()))
    recipe = kind.recipe.load(run)
    kind.reopen(recipe).require_same(recipe.request, run)
    layout.result(run)
    MetricsLog(run / layout.METRICS).rewind(3)


def examine(path: Path) -> None:
    """As `doctor RUN` does, as far as it comes in three seconds."""
    from hornbook.workflows.doctor import examine as doctor

    doctor.MINUTES = 0.05
    doctor.examine(next(parent for parent in path.parents if parent.name == "run"))


def search(path: Path) -> None:
    """Open the index that a file belongs to, ask it, and read what is found."""
    from hornbook.retrieve.index import DocumentIndex

    folder = next(parent for parent in path.parents if parent.name == "index")
    copy = folder.with_name("copy")  # what is broken in it is made anew
    shutil.copytree(folder, copy)
    try:
        with DocumentIndex.open(copy) as index:
            for hit in index.search("what is red", by="words"):
                index.text(hit.document)
            index.documents()
            index.state()
    finally:
        shutil.rmtree(copy)


def _rows(use: object, name: str, mutants: int = 3000) -> Format:
    return Format(functools.partial(_table, name), LINES, use, mutants)  # type: ignore[arg-type]


FORMATS = {
    "recipe": Format(functools.partial(_text, "recipe.yaml", RECIPE), LINES, ask_for_a_run, 6000),
    "curation": Format(functools.partial(_text, "curation.yaml", CURATION), LINES, curate, 5000),
    "task": Format(_task, LINES, evaluate, 5000),
    "labels.csv": _rows(learn_labels, "rows.csv"),
    "labels.tsv": _rows(learn_labels, "rows.tsv"),
    "labels.jsonl": Format(
        functools.partial(_lines, "rows.jsonl", ROWS), LINES, learn_labels, 3000
    ),
    "labels.parquet": Format(_parquet, mutate.BYTES, learn_labels, 3000),
    "pairs.csv": _rows(learn_pairs, "pairs.csv"),
    "answers.jsonl": Format(
        functools.partial(_lines, "chats.jsonl", CHATS), LINES, learn_answers, 4000
    ),
    "pictures": Format(_pictures, mutate.BYTES, see, 5000),
    "idx": Format(_idx, mutate.BYTES, see, 3000),
    "adapter": Format(_adapter, mutate.BYTES, adapted, 3000),
    "run": Format(_run, LINES, look_at_a_run, 3000),
    "doctor": Format(_whole_run, LINES, examine, 400),
    "index": Format(_index, mutate.BYTES, search, 3000),
}


@pytest.mark.fuzz
@pytest.mark.parametrize("name", FORMATS)
def test_mutants_are_read_or_refused(name, tmp_path):
    found = hunt(__name__, name, tmp_path)
    assert not found, "\n".join(found)
