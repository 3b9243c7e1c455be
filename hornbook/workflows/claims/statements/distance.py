"""Recurrent models forget over distance, attention does not: recall against distance."""

from collections.abc import Iterator
from itertools import product
from pathlib import Path

import numpy as np
import torch

from hornbook.models.causal_lm import CausalLM
from hornbook.models.folder import load_model
from hornbook.tokenize.tokenizer import Tokenizer
from hornbook.workflows.claims.bodies import PLAN
from hornbook.workflows.claims.lab import Lab
from hornbook.workflows.claims.statement import Also, Mark, Picture, Trial, statement
from hornbook.workflows.projects.text.project import Text
from hornbook.workflows.runs import folder as layout

_FAMILIES = {
    "GPT": "qwen3",
    "LSTM": "lstm",
    "LSTM with attention": "lstm-attention",
    "Mamba-2": "mamba2",
    "LFM2": "lfm2",
}
_WORDS = [f"{one}{other}" for one, other in product("bdfgklmnprstvz", "aeiou")][:64]
_DISTANCES = (4, 8, 16, 32, 48)
_LENGTH, _DOCUMENTS, _PROBED, _VOCABULARY = 112, 6000, 32, 512
"""Words of a text, texts to learn from, texts of each distance that are read, tokens."""
_TOKENS = 200_000
"""That each model learns from at scale 1."""
_FORGOTTEN = (
    "nats a word by which the LSTM recalls better at the shortest distance than at the longest",
    "LSTM 在最短距离比最长距离多记住的奈特/词",
)


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
        "GPT against the LSTM at the longest distance.",
        "文本由随机的词组成，隔若干词之前出现过的内容会一再重复：只有记得它，才能预测它。"
        "五种结构，深度和宽度相同，学习距离为 4 到 48 个词的这种文本，然后阅读新的文本。"
        "记住多少，是一个词再次出现时比第一次出现时可能性大多少。"
        "结论取最长距离上 GPT 与 LSTM 之比。",
    ),
    measure=(
        "nats a word that GPT recalls more than the LSTM at the longest distance",
        "在最长距离上 GPT 比 LSTM 多记住的奈特/词",
    ),
    picture=Picture(
        height=("nats a word recalled", "记住的奈特/词"),
        names={
            "GPT": "GPT",
            "LSTM": "LSTM",
            "LSTM with attention": "带注意力的 LSTM",
            "Mamba-2": "Mamba-2",
            "LFM2": "LFM2",
        },
        axis=("words between", "相隔的词数"),
    ),
)
def tried(lab: Lab, seed: int) -> Trial:
    corpus = lab.made("repeated", lambda: _texts(_DOCUMENTS, 0))
    found, marks = {}, []
    for name, preset in _FAMILIES.items():
        plan = {**PLAN, "preset": preset, "vocab": _VOCABULARY}
        project = Text(corpus, baselines=lab.baselines("repeated"))
        tokens = lab.scaled(_TOKENS)
        run = lab.train(
            f"{preset}-repeated", seed, project, tokens=tokens, plan=plan, compiled=False
        )
        for distance in _DISTANCES:
            found[name, distance] = _recall(run / layout.MODEL, distance, 1 + seed)
            marks.append(Mark(name, distance, float(found[name, distance].mean())))
    near, far = _DISTANCES[0], _DISTANCES[-1]
    also = Also(_FORGOTTEN, (found["LSTM", near] - found["LSTM", far]).tolist())
    return Trial((found["GPT", far] - found["LSTM", far]).tolist(), marks, also=[also])


def _texts(count: int, seed: int) -> Iterator[str]:
    """Texts of all distances by turns."""
    random = np.random.default_rng(seed)
    for number in range(count):
        yield _text(_DISTANCES[number % len(_DISTANCES)], random)


def _text(distance: int, random: np.random.Generator) -> str:
    """So many words drawn at random, over and over."""
    words = random.choice(_WORDS, distance)
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
