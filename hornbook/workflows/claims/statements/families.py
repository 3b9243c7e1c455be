"""Not all language models are Transformers: bits per byte at equal size and minutes."""

import numpy as np

from hornbook.models.folder import load_config
from hornbook.workflows.claims.bodies import PLAN, bits, held_out
from hornbook.workflows.claims.lab import Lab
from hornbook.workflows.claims.statement import Mark, Picture, Trial, statement
from hornbook.workflows.projects.text.project import Text
from hornbook.workflows.runs import folder as layout

_TRANSFORMER = "Transformer"
_FAMILIES = {
    _TRANSFORMER: ("qwen3", 1.0),
    "LSTM": ("lstm", 1.5),
    "Mamba-2": ("mamba2", 1.0),
    "LFM2": ("lfm2", 1.0),
}
"""Presets, and how many blocks of each hold as many weights as one of the Transformer."""
_MINUTES = 0.2
"""Of a training at scale 1."""


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
        height=("bits per byte", "比特/字节"), names={name: name for name in _FAMILIES}
    ),
    uses=("general",),
)
def tried(lab: Lab, seed: int) -> Trial:
    windows, found, marks, weights = held_out(lab, "general"), {}, [], {}
    sizes = np.zeros(0)
    for name, (preset, blocks) in _FAMILIES.items():
        plan = {**PLAN, "preset": preset, "depth": round(blocks * PLAN["depth"])}
        project = Text(lab.text("general"), lab.tokenizer(), baselines=lab.baselines("general"))
        minutes = _MINUTES * max(1.0, lab.scale)
        run = lab.train(f"{preset}-minutes", seed, project, minutes=minutes, plan=plan)
        found[name], sizes = bits(run / layout.MODEL, windows)
        weights[name] = load_config(run / layout.MODEL).parameters()
        marks.append(Mark(name, None, float(found[name].sum() / sizes.sum())))
    others = [name for name in _FAMILIES if name != _TRANSFORMER]
    best = min(others, key=lambda name: float(found[name][::2].sum()))
    saved = (found[_TRANSFORMER] - found[best])[1::2]
    shown = ", ".join(f"{name} {count:,}" for name, count in weights.items())
    note = (
        f"Best of the others: {best}. Weights: {shown}.",
        f"其他中最好的：{best}。权重：{shown}。",
    )
    return Trial(saved.tolist(), marks, sizes[1::2].tolist(), notes=[note])
