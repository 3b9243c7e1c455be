"""What methods, contexts and verdicts of explanations are called, in English and in Chinese."""

from hornbook.core.language import spoken
from hornbook.explain.deletion import BEATS, NO_BETTER, RECENCY, WORSE
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
    "inputs": ("over inputs of the file or folder", "文件或文件夹中的各个输入"),
    "far": ("where the evidence is far back", "依据在很远之前"),
}
VERDICTS: dict[str, Pair] = {
    BEATS: ("beats", "优于"),
    NO_BETTER: ("no better than", "不优于"),
    WORSE: ("worse than", "不如"),
}
LENGTH, NEAREST, CENTRE = "length", "nearness", "centre"
ORDERS: dict[str, tuple[Pair, Pair]] = {
    RECENCY: (
        ("recency", "就近顺序"),
        ("the most recent token first", "从最近的词元删起"),
    ),
    LENGTH: (("length", "长短顺序"), ("the longest token first", "从最长的词元删起")),
    NEAREST: (
        ("nearness", "远近顺序"),
        ("the token nearest to the gap first", "从离空缺最近的词元删起"),
    ),
    CENTRE: (
        ("the centre", "中心顺序"),
        ("the patch nearest to the centre first", "从最靠近中心的块删起"),
    ),
}
"""Orders that need no model: what they are called, and what they are."""
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


def verdict_pair(verdict: str, against: str) -> Pair:
    """A verdict in words, with what it is against."""
    (en, zh), (name, name_zh) = VERDICTS[verdict.removesuffix(f" {against}")], ORDERS[against][0]
    return f"{en} {name}", f"{zh}{name_zh}"


def called(pair: Pair) -> str:
    """In the language that is spoken."""
    return pair[spoken() == "zh"]
