"""Freezing most weights costs little and saves much."""

from collections import Counter
from typing import Any

import numpy as np

from hornbook.workflows.claims.bodies import base
from hornbook.workflows.claims.classified import COUNTS, POOLING, RATES, draw_rows, right, tuned
from hornbook.workflows.claims.lab import Lab
from hornbook.workflows.claims.statement import Also, Mark, Picture, Trial, statement
from hornbook.workflows.runs import folder as layout

_LEARNED = (
    "accuracy of LoRA less that of always naming the most frequent label",
    "LoRA 的准确率减去总猜最常见标签的准确率",
)
_SEEN = 6400
"""Texts that a training reads: with fewer, only what moves all weights is done with learning, and
steps would be compared instead of methods (docs/log.md)."""
_LITTLE = 0.03
"""Of accuracy: what freezing may cost and still cost little."""
_FULL, _LORA, _HEAD = "all weights", "LoRA", "head alone"
_ZH = {_FULL: "全部权重", _LORA: "LoRA", _HEAD: "只有输出层"}
METHODS: dict[str, dict[str, Any]] = {
    _FULL: {"optimiser": RATES},
    _LORA: {"method": "lora:8", "optimiser": {"matrix_rate": RATES["matrix_rate"]}},
    _HEAD: {"method": "head"},
}


@statement(
    11,
    "freezing",
    sentence=(
        "Freezing most weights costs little and saves much.",
        "冻结大部分权重，损失很小，节省很多。",
    ),
    experiment=(
        "A pretrained model is tuned to classify texts: with all its weights, with thin matrices "
        "beside frozen ones (LoRA, Hu et al. 2022), and with nothing but a new head. Little is at "
        "most three points of accuracy, so the verdict is whether LoRA stays within them, and "
        "whether it learned anything. How many weights move is named beside it.",
        "把一个预训练模型微调成文本分类器：更新全部权重；冻结原权重、旁边加上低秩矩阵（LoRA，Hu "
        "等 2022）；只更新新加的输出层。“损失很小”指准确率最多低三个百分点，结论看 LoRA 是否在此"
        "之内，以及它是否学到了东西。更新的权重数另外列出。",
    ),
    measure=(
        "accuracy of LoRA less that of all weights, plus the 0.03 that it may cost",
        "LoRA 的准确率减去全部权重的准确率，再加上允许的 0.03",
    ),
    picture=Picture(
        height=("accuracy", "准确率"),
        names=_ZH,
    ),
    uses=("general", "sentiment"),
)
def tried(lab: Lab, seed: int) -> Trial:
    body = base(lab, "qwen3", seed)
    rows = draw_rows(lab.labelled("sentiment"), [lab.scaled(COUNTS[-1], 20)], seed)
    ((count, texts),) = rows.learned.items()
    found, marks, counts = {}, [], {}
    for name, values in METHODS.items():
        kind = values.get("method", "full").partition(":")[0]
        given = {**values, "pooling": POOLING}
        run = tuned(lab, f"{body.parent.name}-{count}-{kind}", seed, body, texts, _SEEN, **given)
        found[name] = right(run, rows)
        marks.append(Mark(name, None, float(found[name].mean())))
        counts[name] = f"{layout.result(run)['parameters']['trained']:,}"
    notes = (
        "Weights that move: " + ", ".join(f"{name} {n}" for name, n in counts.items()) + ".",
        "更新的权重数：" + "，".join(f"{_ZH[name]} {n}" for name, n in counts.items()) + "。",
    )
    gains = found[_LORA] - found[_FULL] + _LITTLE
    frequent, _ = Counter(row.label for row in texts).most_common(1)[0]
    always = np.array([float(label == frequent) for label in rows.labels])
    also = Also(_LEARNED, (found[_LORA] - always).tolist())
    return Trial(gains.tolist(), marks, also=(also,), notes=(notes,))
