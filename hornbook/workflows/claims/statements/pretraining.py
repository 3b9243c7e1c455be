"""Pretraining helps fine-tuning: one body, pretrained against random, over numbers of labels."""

from typing import Any

import numpy as np

from hornbook.workflows.claims.bodies import base, untrained
from hornbook.workflows.claims.classified import POOLING, RATES, draw_rows, right, tuned
from hornbook.workflows.claims.lab import Lab
from hornbook.workflows.claims.statement import Mark, Picture, Trial, statement

_PRETRAINED, _RANDOM = "pretrained", "random weights"
_COUNTS = (50, 100, 200)
"""Labelled texts at scale 1."""


@statement(
    2,
    "pretraining",
    sentence=(
        "Pretraining helps fine-tuning.",
        "预训练有助于微调。",
    ),
    experiment=(
        "A decoder that learned to go on with general text and its twin with random weights (the "
        "same layers, sizes and tokenizer) learn to label the same texts in as many steps, with "
        "the same rates. Both are judged on the same other texts. The verdict is the mean over all "
        "numbers of labels.",
        "一个学过续写通用文本的解码器，和它权重随机的孪生（层、大小、分词器都相同），"
        "用同样的步数和学习率，学习给同样的文本加标签，并在同样的其他文本上评判。"
        "结论取各标注数量的平均。",
    ),
    measure=(
        "accuracy of the pretrained body less that of the random one",
        "预训练模型的准确率减去随机模型的准确率",
    ),
    picture=Picture(
        height=("accuracy", "准确率"),
        names={_PRETRAINED: "预训练过的", _RANDOM: "随机权重"},
        axis=("labelled texts", "标注文本数"),
    ),
    uses=("sentiment", "general"),
)
def tried(lab: Lab, seed: int) -> Trial:
    rows = draw_rows(lab.labelled("sentiment"), [lab.scaled(count, 20) for count in _COUNTS], seed)
    bodies = {
        _PRETRAINED: base(lab, "qwen3", seed),
        _RANDOM: untrained(lab, "qwen3", seed),
    }
    marks, gains = [], np.zeros(len(rows.judged))
    for count, texts in rows.learned.items():
        found = {}
        for name, body in bodies.items():
            given: dict[str, Any] = {"optimiser": RATES, "pooling": POOLING}
            run = tuned(lab, f"{body.parent.name}-{count}", seed, body, texts, **given)
            found[name] = right(run, rows)
            marks.append(Mark(name, count, float(found[name].mean())))
        gains += (found[_PRETRAINED] - found[_RANDOM]) / len(rows.learned)
    return Trial(gains.tolist(), marks)
