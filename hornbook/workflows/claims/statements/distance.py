"""Recurrent models forget over distance, attention does not: recall, loss and BLEU."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch

from hornbook.batches.batch import IGNORE
from hornbook.models.causal_lm import CausalLM
from hornbook.models.folder import load_model
from hornbook.tokenize.tokenizer import Tokenizer
from hornbook.training.objective import token_losses
from hornbook.training.validation import Validation
from hornbook.workflows.claims.bodies import (
    ATTENDING,
    FAMILIES,
    PLAN,
    RECURRENT,
    TRANSFORMER,
    by_time,
    held_out,
)
from hornbook.workflows.claims.lab import Lab
from hornbook.workflows.claims.lengths import WORDS, translated
from hornbook.workflows.claims.statement import Also, Mark, Picture, Trial, statement
from hornbook.workflows.projects.text.project import Text
from hornbook.workflows.runs import folder as layout

_DISTANCES = (4, 8, 16, 32, 48)
_LENGTH, _DOCUMENTS, _PROBED, _VOCABULARY = 112, 6000, 32, 512
"""Words of a text, texts to learn from, texts of each distance that are read, tokens."""
_TOKENS = 200_000
"""That each model learns from at scale 1."""
_FORGOTTEN = (
    "nats a word by which the LSTM recalls better at the shortest distance than at the longest",
    "LSTM 在最短距离比最长距离多记住的奈特/词",
)
_READ_ON = (
    "nats a token of natural text by which the Transformer is farther ahead of the LSTM after 64 "
    "tokens than in the first eight",
    "在自然文本上，Transformer 领先 LSTM 的奈特/词元，读过 64 个词元之后比前八个词元多多少",
)
_TRANSLATED = (
    "BLEU of a sentence that is longer than most which attention adds to an LSTM that translates",
    "对比多数句子更长的句子，注意力给做翻译的 LSTM 增加的 BLEU",
)
_READ = (2, 4, 8, 16, 32, 64, 128)
"""Tokens of natural text that were read, at most, in each part of a window."""
_TRANSLATORS = {"lstm": RECURRENT, "lstm-attention": ATTENDING}
_ZH = {
    TRANSFORMER: "Transformer", RECURRENT: "LSTM", ATTENDING: "带注意力的 LSTM",
    "Mamba-2": "Mamba-2", "LFM2": "LFM2",
}  # fmt: skip


@statement(
    6,
    "distance",
    sentence=(
        "Recurrent models forget over distance, attention does not.",
        "循环模型会随距离遗忘，注意力不会。",
    ),
    experiment=(
        "Texts of words drawn at random in which what stood some words before comes again and "
        "again: only who remembers it can foretell it. Five families of one depth and width learn "
        "from such texts with distances of 4 to 48 words, and then read new ones. Recall is how "
        "much likelier a word is when it comes again than the first time. The verdict is that of "
        "the Transformer against the LSTM at the longest distance. Beside it: the same families, "
        "as long on general text, and their loss by how much of it they have read; and LSTMs that "
        "translate, one that knows a sentence by a single vector, one that looks back at it.",
        "文本由随机的词组成，隔若干词之前出现过的内容会一再重复：只有记得它，才能预测它。"
        "五种结构，深度和宽度相同，学习距离为 4 到 48 个词的这种文本，然后阅读新的文本。"
        "记住多少，是一个词再次出现时比第一次出现时可能性大多少。"
        "结论取最长距离上 Transformer 与 LSTM 之比。此外：同样的几种结构用同样的时间学习通用文本，"
        "看损失随已读长度的变化；以及做翻译的 LSTM，一个只用一个向量记住整句，另一个可以回看。",
    ),
    measure=(
        "nats a word that the Transformer recalls more than the LSTM at the longest distance",
        "在最长距离上 Transformer 比 LSTM 多记住的奈特/词",
    ),
    picture=Picture(
        height=("nats a word recalled", "记住的奈特/词"),
        names=_ZH,
        axis=("words between", "相隔的词数"),
    ),
    more=(
        Picture(
            height=("nats a token of natural text", "自然文本的奈特/词元"),
            names=_ZH,
            axis=("tokens read before, at most", "此前读过的词元数上限"),
        ),
        Picture(
            height=("BLEU", "BLEU"),
            names=_ZH,
            axis=("words of the sentence, at most", "句子的词数上限"),
        ),
    ),
    uses=("general", "translations"),
)
def tried(lab: Lab, seed: int) -> Trial:
    recalled, marks = _recalled(lab, seed)
    near, far = _DISTANCES[0], _DISTANCES[-1]
    forgotten = recalled[RECURRENT, near] - recalled[RECURRENT, far]
    read = {name: _by_place(by_time(lab, name, seed), held_out(lab, "general")) for name in _ZH}
    ahead = read[RECURRENT] - read[TRANSFORMER]
    beside = {name: translated(lab, family, seed) for family, name in _TRANSLATORS.items()}
    attending, alone = beside[ATTENDING], beside[RECURRENT]
    long = alone.words > np.median(alone.words)
    return Trial(
        (recalled[TRANSFORMER, far] - recalled[RECURRENT, far]).tolist(),
        marks,
        also=(
            Also(_FORGOTTEN, forgotten.tolist()),
            Also(_READ_ON, (ahead[:, -1] - ahead[:, :3].mean(1)).tolist(), needed=False),
            Also(_TRANSLATED, (attending.single - alone.single)[long].tolist(), needed=False),
        ),
        more=(
            [
                Mark(name, most, float(nats))
                for name, losses in read.items()
                for most, nats in zip(_READ, losses.mean(0), strict=True)
            ],
            [
                Mark(name, most, bleu)
                for name, found in beside.items()
                for most, bleu in found.by_length.items()
            ],
        ),
    )


def _recalled(lab: Lab, seed: int) -> tuple[dict[tuple[str, int], np.ndarray], list[Mark]]:
    """What each family recalls over each distance, trained on made texts of all of them."""
    corpus = lab.made("repeated", lambda: _texts(_DOCUMENTS, 0))
    found, marks = {}, []
    for name in _ZH:
        preset = FAMILIES[name].preset
        plan = {**PLAN, "preset": preset, "vocab": _VOCABULARY}
        project = Text(corpus, baselines=lab.baselines("repeated"))
        tokens = lab.scaled(_TOKENS)
        run = lab.train(
            f"{preset}-repeated", seed, project, tokens=tokens, plan=plan, compiled=False
        )
        for distance in _DISTANCES:
            found[name, distance] = _recall(run / layout.MODEL, distance, 1 + seed)
            marks.append(Mark(name, distance, float(found[name, distance].mean())))
    return found, marks


@torch.no_grad()
def _by_place(folder: Path, windows: Validation) -> np.ndarray:
    """(W, P) nats a token of natural text in each part of `_READ`, in windows that are full."""
    model, found = load_model(folder).eval(), []
    for step in range(windows.steps):
        batch = windows.batch(step)
        full = (batch.targets != IGNORE).all(1)
        found.append(token_losses(model, batch)[full].double().numpy())
    losses, edges = np.concatenate(found), (0, *_READ)
    parts = [losses[:, one:other].mean(1) for one, other in pairwise(edges)]
    return np.stack(parts, 1)


def _texts(count: int, seed: int) -> Iterator[str]:
    """Texts of all distances by turns."""
    random = np.random.default_rng(seed)
    for number in range(count):
        yield _text(_DISTANCES[number % len(_DISTANCES)], random)


def _text(distance: int, random: np.random.Generator) -> str:
    """So many words drawn at random, over and over."""
    words = random.choice(WORDS, distance)
    return " " + " ".join(words[i % distance] for i in range(_LENGTH))


@torch.no_grad()
def _recall(folder: Path, distance: int, seed: int) -> np.ndarray:
    """(N,) by how many nats the words of a text are likelier when they come for the second time,
    but for the first of them, which nothing announces."""
    model, tokenizer = load_model(folder).eval(), Tokenizer.load(folder)
    assert isinstance(model, CausalLM)
    random = np.random.default_rng(seed)
    rows = [tokenizer.encode(_text(distance, random)) for _ in range(_PROBED)]
    each = len(rows[0]) // _LENGTH  # tokens of a word
    tokens = torch.tensor([[tokenizer.eos_id, *row] for row in rows])
    logs = model(tokens[:, :-1]).double().log_softmax(-1)
    seen = logs.gather(-1, tokens[:, 1:, None])[..., 0].numpy()
    first, again = (seen[:, at * each : (at + distance) * each] for at in (0, distance))
    found: np.ndarray = each * (again[:, each:].mean(1) - first[:, each:].mean(1))
    return found
