"""Transformers are not only for text: a Vision Transformer against features made by hand."""

import numpy as np

from hornbook.baselines.image_features import linear_guesses
from hornbook.workflows.claims.lab import Lab
from hornbook.workflows.claims.pictured import draw_images, looked_at, right
from hornbook.workflows.claims.statement import Mark, Picture, Trial, statement
from hornbook.workflows.projects.images.project import Images

COUNTS = (200, 1200)
_SEEN = 50_000
"""Images that a training sees, however few there are: as many steps of each."""
_ROWS = 128
_LEARNED, _HANDMADE = "ViT", "hand-made"


@statement(
    8,
    "images",
    sentence=(
        "Transformers are not only for text: cut into patches, an image is read as text is.",
        "Transformer 不只用于文本：把图像切成小块，就能像文本一样读。",
    ),
    experiment=(
        "Images are named by a Vision Transformer, which sees patches in a row as tokens, and by "
        "a linear model on features that people made: how strongly the brightness changes in "
        "which direction, in each cell of the image (HOG). Both learn from the same images and "
        "are judged on the same others. The verdict is that of the most images.",
        "用两种方法给图像分类：一种是 Vision Transformer，把图像块当作一串词元来读；另一种是线性"
        "模型，用人设计的特征：图像每一格里亮度朝哪个方向变化、变化多大（HOG）。两者用同样的图像"
        "学习，在同样的其他图像上评判。结论取自图像最多的一次。",
    ),
    measure=(
        "accuracy of the Vision Transformer less that of the hand-made features",
        "Vision Transformer 的准确率减去手工特征的准确率",
    ),
    picture=Picture(
        height=("accuracy", "准确率"),
        axis=("labelled images", "标注图像数"),
        names={_LEARNED: "ViT", _HANDMADE: "手工特征"},
    ),
    uses=("images",),
)
def tried(lab: Lab, seed: int) -> Trial:
    marks, gains = [], np.zeros(0)
    for count in COUNTS:
        drawn = draw_images(lab, lab.scaled(count, 40), seed)
        steps = lab.scaled(_SEEN / _ROWS)
        plan = {"patch": drawn.patch, "depth": 4, "width": 64, "rows": _ROWS}
        name = f"vit-{len(drawn.train.labels)}"
        values = {"steps": steps, "plan": plan, "compiled": False, "augment": {"flip": False}}
        run = lab.train(name, seed, Images(drawn.folder), **values)
        found = {
            _LEARNED: right(looked_at(run, drawn.test), drawn.test),
            _HANDMADE: right(linear_guesses(*drawn.train[:2], drawn.test.pixels), drawn.test),
        }
        images = len(drawn.train.labels)
        marks += [Mark(name, images, float(share.mean())) for name, share in found.items()]
        gains = found[_LEARNED] - found[_HANDMADE]
    return Trial(gains.tolist(), marks)
