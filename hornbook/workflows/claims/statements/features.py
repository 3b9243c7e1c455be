"""Learned features replace hand-made ones: a network that reads texts against listed signs."""

from collections.abc import Sequence

import numpy as np

from hornbook.baselines.linear_classifier import make
from hornbook.datasets.labelled import LabelledText
from hornbook.workflows.claims.classified import COUNTS, DrawnRows, draw_rows, right, tuned
from hornbook.workflows.claims.lab import Lab
from hornbook.workflows.claims.statement import Also, Mark, Picture, Trial, statement

_SEEN = 4000
"""Texts that a training reads: a network that begins afresh needs more of them."""
_BESIDE = (
    "accuracy of the learned features less that of weighted words",
    "学到的特征的准确率减去词加权的准确率",
)
_LEARNED, _HANDMADE, _WORDS = "learned", "hand-made", "weighted words"


@statement(
    1,
    "features",
    sentence=(
        "Learned features replace hand-made ones.",
        "学到的特征取代了手工设计的特征。",
    ),
    experiment=(
        "Texts are classified by a linear model on signs that people listed (trigger words, "
        "capitals, digits, links, lengths), and by a small network that learns from the same "
        "texts what to look at. Both are judged on the same other texts. The verdict is that of "
        "the most labels. The signs are those by which people tell unwanted messages; beside them "
        "stand weighted words (TF-IDF), which fit any texts and are counted, not learned.",
        "用两种方法给文本分类：一种是线性模型，特征由人列出（触发词、大写、数字、链接、长度）；"
        "另一种是小型网络，自己从同样的文本中学习该看什么。两者在同样的其他文本上评判。结论取自标注最多的"
        "一次。这些特征是人们用来识别垃圾信息的；旁边的词加权（TF-IDF）适合任何文本，靠计数而不靠学习。",
    ),
    measure=(
        "accuracy of the learned features less that of the hand-made ones",
        "学到的特征的准确率减去手工特征的准确率",
    ),
    picture=Picture(
        height=("accuracy", "准确率"),
        names={_LEARNED: "学到的", _HANDMADE: "手工的", _WORDS: "加权的词"},
        axis=("labelled texts", "标注文本数"),
    ),
    uses=("spam",),
)
def tried(lab: Lab, seed: int) -> Trial:
    rows = draw_rows(lab.labelled("spam"), [lab.scaled(count, 20) for count in COUNTS], seed)
    marks, found = [], dict[str, np.ndarray]()
    for count, texts in rows.learned.items():
        run = tuned(lab, f"conv-{count}", seed, "conv", texts, _SEEN)
        found = {
            _LEARNED: right(run, rows),
            _HANDMADE: _linear("handmade", texts, rows, seed),
            _WORDS: _linear("tfidf", texts, rows, seed),
        }
        marks += [Mark(name, count, float(share.mean())) for name, share in found.items()]
    beside = Also(_BESIDE, (found[_LEARNED] - found[_WORDS]).tolist(), needed=False)
    return Trial((found[_LEARNED] - found[_HANDMADE]).tolist(), marks, also=(beside,))


def _linear(name: str, texts: Sequence[LabelledText], rows: DrawnRows, seed: int) -> np.ndarray:
    """(N,) 1.0 for each judged text that a linear classifier labels rightly."""
    classifier = make(name).fit([row.text for row in texts], [row.label for row in texts], seed)
    guesses = classifier.predict(rows.judged)
    return np.array([float(one == other) for one, other in zip(guesses, rows.labels, strict=True)])
