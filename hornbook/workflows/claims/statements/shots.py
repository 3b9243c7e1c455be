"""Zero-shot and few-shot: shots against score, over draws of shots."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from hornbook.core.errors import UsageError
from hornbook.core.home import pulled
from hornbook.datasets.labelled import LabelledText, classes_of
from hornbook.evaluate.evaluated_model import EvaluatedModel
from hornbook.evaluate.kinds.classify import ClassifyTask
from hornbook.evaluate.prompts import draw_shots
from hornbook.evaluate.task import Item
from hornbook.workflows.claims.bodies import base
from hornbook.workflows.claims.classified import draw_rows
from hornbook.workflows.claims.lab import Lab
from hornbook.workflows.claims.said import Twice
from hornbook.workflows.claims.statement import Also, Mark, Picture, Trial, statement
from hornbook.workflows.compare.ladder import label_task
from hornbook.workflows.open.model import open_model

MODEL = "smollm2-135m-instruct"
_POOL, _DRAWS, _EACH = 200, 16, 6
"""Texts to draw examples from; draws of them at scale 1, and texts that are judged after each.
Accuracy differs more between draws of examples than between texts, so there are many draws, and the
interval is over them."""
_LABELS = 2
"""The most frequent, between which a model chooses: it reads a text once for each."""
_WORDS = {"pos": "positive", "neg": "negative"}
_ROWS = {0: "none", 1: "one", 4: "four", 8: "eight"}
SHOTS = tuple(_ROWS)
_PLAIN = (
    "the same by likelihoods as they are, where what a label's word has by itself is left in",
    "直接用可能性（不扣除标签词本身的可能性）时的同一差值",
)


@statement(
    5,
    "shots",
    sentence=(
        "A few examples in the prompt make a language model better at a task.",
        "提示中给几个例子，语言模型就能把任务做得更好。",
    ),
    experiment=(
        "A decoder that was not trained for the task labels texts by which label's word, of the "
        "two most frequent ones, is likelier after them: with no example, and with one, four and "
        "eight before the text, each few texts after a draw of their own. How likely a label's "
        "word is with no text there is taken out. The verdict is that of the most examples "
        "against none, on the same texts; its samples are the draws.",
        "一个没有为此任务训练过的解码器给文本加标签：看最常见的两个标签中哪个的词接在文本后面更可能。"
        "先不给例子，再在文本前给一、四、八个例子，每几篇文本另行抽取一次例子。标签的词在没有文本时就有的可能性"
        "已经扣除。结论取例子最多与没有例子之差，在同样的文本上；样本是各次抽取。",
    ),
    measure=(
        "accuracy with eight examples less that with none",
        "八个例子的准确率减去没有例子的准确率",
    ),
    picture=Picture(
        height=("accuracy", "准确率"),
        names={"none": "没有例子", "one": "一个", "four": "四个", "eight": "八个"},
    ),
    uses=("sentiment",),
)
def tried(lab: Lab, seed: int) -> Trial:
    subject, note = _subject(lab, seed)
    rows = _of_frequent_labels(lab.labelled("sentiment"))
    drawn = draw_rows(rows, [_POOL], seed)
    task = label_task(classes_of(row.label for row in rows), _WORDS)
    (pool,) = ([_item(i, row) for i, row in enumerate(texts)] for texts in drawn.learned.values())
    draws = min(lab.scaled(_DRAWS, 5), len(drawn.judged))
    order = np.random.default_rng(seed).permutation(len(drawn.judged))[: draws * _EACH]
    judged = [_item(int(i), LabelledText("", drawn.judged[i], drawn.labels[i])) for i in order]
    parts = [judged[draw::draws] for draw in range(draws)]
    sizes = [float(len(part)) for part in parts]

    def rights(task: ClassifyTask, shots: int) -> np.ndarray:
        """(D,) texts of each draw that are labelled rightly after so many examples."""
        return np.array(
            [
                _right(subject, task, part, pool, shots, 1000 * seed + draw)
                for draw, part in enumerate(parts)
            ]
        )

    found = {shots: rights(task, shots) for shots in SHOTS}
    plain = task.model_copy(update={"calibrate_prior": False})
    beside = rights(plain, SHOTS[-1]) - rights(plain, 0)
    also = Also(_PLAIN, beside.tolist(), sizes, needed=False)
    marks = [
        Mark(_ROWS[shots], None, float(right.sum() / sum(sizes))) for shots, right in found.items()
    ]
    gains = found[SHOTS[-1]] - found[0]
    return Trial(gains.tolist(), marks, sizes, also=[also], notes=[note])


def _of_frequent_labels(rows: Sequence[LabelledText]) -> list[LabelledText]:
    counts = Counter(row.label for row in rows).most_common(_LABELS)
    frequent = {label for label, _ in counts}
    return [row for row in rows if row.label in frequent]


def _subject(lab: Lab, seed: int) -> tuple[EvaluatedModel, Twice]:
    """The model that was pulled, or one of our own that is far smaller."""
    try:
        pulled_model = open_model(pulled(MODEL), "cpu")
    except UsageError:
        own = EvaluatedModel(*open_model(base(lab, "qwen3", seed), "cpu"))
        return own, (
            f"Tried on a small model trained here; `hornbook pull {MODEL}` brings a larger one.",
            f"用的是在这里训练的小模型；`hornbook pull {MODEL}` 可以取得更大的模型。",
        )
    return EvaluatedModel(*pulled_model), (f"Tried on {MODEL}.", f"用的是 {MODEL}。")


def _item(number: int, row: LabelledText) -> Item:
    return Item(number, {"text": row.text, "label": row.label}, row.text)


def _right(
    subject: EvaluatedModel,
    task: ClassifyTask,
    judged: list[Item],
    pool: list[Item],
    shots: int,
    seed: int,
) -> int:
    """How many texts are labelled rightly after so many examples, drawn by a seed."""
    examples = [item.row for item in draw_shots(task, pool, shots, seed)]
    found = task.measure(subject, judged, examples)
    return sum(one.found["answer"] == one.found["label"] for one in found)
