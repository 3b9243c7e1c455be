"""Not all language models are Transformers: bits per byte at equal size and minutes."""

import numpy as np

from hornbook.models.folder import load_config
from hornbook.workflows.claims.bodies import (
    ATTENDING,
    FAMILIES,
    TRANSFORMER,
    bits,
    by_time,
    held_out,
)
from hornbook.workflows.claims.lab import Lab
from hornbook.workflows.claims.statement import Mark, Picture, Trial, statement

_COMPARED = [name for name in FAMILIES if name != ATTENDING]


@statement(
    7,
    "families",
    sentence=(
        "Not all good language models are Transformers.",
        "好的语言模型不都是 Transformer。",
    ),
    experiment=(
        "A Transformer (the layers of Qwen3), an LSTM, Mamba-2 and LFM2 (short convolutions and "
        "some attention) of about the same number of weights learn from the same text for the same "
        "time. The other family that is best on one half of the held-out text is compared with the "
        "Transformer on the other half.",
        "Transformer（Qwen3 的层）、LSTM、Mamba-2 和 LFM2（短卷积加一些注意力），权重数大致相同，"
        "用同样的时间学习同样的文本。在留出文本的一半上选出其他结构中最好的一个，"
        "在另一半上与 Transformer 比较。",
    ),
    measure=(
        "bits per byte that the best other family saves against the Transformer",
        "最好的其他结构比 Transformer 每字节节省的比特数",
    ),
    picture=Picture(
        height=("bits per byte", "比特/字节"), names={name: name for name in _COMPARED}
    ),
    uses=("general",),
)
def tried(lab: Lab, seed: int) -> Trial:
    windows, found, marks, weights = held_out(lab, "general"), {}, [], {}
    sizes = np.zeros(0)
    for name in _COMPARED:
        model = by_time(lab, name, seed)
        found[name], sizes = bits(model, windows)
        weights[name] = load_config(model).parameters()
        marks.append(Mark(name, None, float(found[name].sum() / sizes.sum())))
    others = [name for name in _COMPARED if name != TRANSFORMER]
    best = min(others, key=lambda name: float(found[name][::2].sum()))
    saved = (found[TRANSFORMER] - found[best])[1::2]
    shown = ", ".join(f"{name} {count:,}" for name, count in weights.items())
    note = (
        f"Best of the others: {best}. Weights: {shown}.",
        f"其他中最好的：{best}。权重：{shown}。",
    )
    return Trial(saved.tolist(), marks, sizes[1::2].tolist(), notes=[note])
