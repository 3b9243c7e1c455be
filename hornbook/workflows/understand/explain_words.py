"""What methods, contexts and verdicts of explanations are called, in English and in Chinese."""

from hornbook.core.language import spoken
from hornbook.explain.deletion import BEATS, NO_BETTER, WORSE
from hornbook.explain.rankings import HIDING

Pair = tuple[str, str]
"""What something is called, in English and in Chinese."""

METHODS: dict[str, Pair] = {
    HIDING: ("hiding", "遮住"),
    "resampling": ("resampling", "重新抽取"),
    "gradient": ("gradient norm", "梯度的模"),
    "gradient_input": ("gradient × input", "梯度乘输入"),
    "attention": ("last layer's attention", "最后一层注意力"),
    "rollout": ("attention rollout", "注意力逐层相乘"),
}
EVIDENCE: dict[str, Pair] = {
    "any": ("at any place of the text", "文本的任意位置"),
    "far": ("where the evidence is far back", "依据在很远之前"),
}
VERDICTS: dict[str, Pair] = {
    BEATS: ("beats recency", "优于就近顺序"),
    NO_BETTER: ("no better than recency", "不优于就近顺序"),
    WORSE: ("worse than recency", "不如就近顺序"),
}
_MASKED = (
    "what is hidden is not looked at; the rest keeps its positions",
    "遮住的部分不被看到，其余保持原来的位置",
)
HIDDEN: dict[str, Pair] = {
    "a decoder": (
        "tokens that are hidden are taken out; the others keep their positions",
        "遮住的词元被拿掉，其余保持原来的位置",
    ),
    "a classifier": _MASKED,
    "an encoder": _MASKED,
    "a translator": (
        "tokens of the source that are hidden are taken out; the others keep their positions",
        "遮住的原文词元被拿掉，其余保持原来的位置",
    ),
}
"""What hiding means, by the kind of model."""


def called(pair: Pair) -> str:
    """In the language that is spoken."""
    return pair[spoken() == "zh"]
