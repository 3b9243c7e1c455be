"""Encoders suit classification, decoders generation: BERT and GPT of one size, both ways."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from hornbook.models.causal_lm import CausalLM
from hornbook.models.folder import load_model
from hornbook.models.masked_lm import MaskedLM
from hornbook.tokenize.masking import MASK
from hornbook.tokenize.tokenizer import Tokenizer
from hornbook.workflows.claims.bodies import base, held_out
from hornbook.workflows.claims.classified import COUNTS, POOLING, RATES, draw_rows, right, tuned
from hornbook.workflows.claims.lab import Lab
from hornbook.workflows.claims.statement import Also, Mark, Picture, Trial, statement

_PRESETS = {"BERT": "bert", "GPT": "qwen3"}
_GOING_ON = (
    "nats a token by which the decoder foretells what comes next better than the encoder",
    "解码器预测后文比编码器好多少（奈特/词元）",
)
_WINDOWS, _READ, _TOLD = 100, 48, 8
"""Texts that are gone on with, tokens of each that are read, and next ones that are foretold."""


@statement(
    4,
    "both-ways",
    sentence=(
        "Encoders suit classification, decoders suit generation.",
        "编码器适合分类，解码器适合生成。",
    ),
    experiment=(
        "BERT and GPT of one size learn from the same tokens, BERT to fill in hidden words, GPT to "
        "go on. Both are then tuned with the same rates on the same labelled texts and judged on "
        "the same others; and both foretell the next tokens of held-out text, BERT with a hidden "
        "word at the end. Of the tokens, BERT learns from the one in seven that is hidden.",
        "同样大小的 BERT 和 GPT 学习同样的词元：BERT 填补被遮住的词，GPT 续写。"
        "然后两者用同样的标注文本和学习率微调，在同样的其他文本上评判；"
        "两者还要预测留出文本的后续词元，BERT 的做法是在末尾放一个被遮住的词。",
    ),
    measure=(
        "accuracy of the encoder less that of the decoder",
        "编码器的准确率减去解码器的准确率",
    ),
    picture=Picture(
        height=("share of labels and of next tokens that are right", "标签与后续词元猜对的比例"),
        names={
            "BERT, labels": "BERT，标签",
            "GPT, labels": "GPT，标签",
            "BERT, next tokens": "BERT，后续词元",
            "GPT, next tokens": "GPT，后续词元",
        },
    ),
    uses=("sentiment", "general"),
)
def tried(lab: Lab, seed: int) -> Trial:
    bodies = {name: base(lab, preset, seed) for name, preset in _PRESETS.items()}
    rows = draw_rows(lab.labelled("sentiment"), [lab.scaled(COUNTS[-1], 20)], seed)
    ((count, texts),) = rows.learned.items()
    labelled, foretold, marks = {}, {}, []
    for name, body in bodies.items():
        given: dict[str, Any] = {"optimiser": RATES, "pooling": POOLING}
        run = tuned(lab, f"{body.parent.name}-{count}", seed, body, texts, **given)
        labelled[name] = right(run, rows)
        foretold[name], guessed = _foretold(body, _windows(lab))
        marks.append(Mark(f"{name}, labels", None, float(labelled[name].mean())))
        marks.append(Mark(f"{name}, next tokens", None, guessed))
    also = Also(_GOING_ON, (foretold["BERT"] - foretold["GPT"]).tolist())
    return Trial((labelled["BERT"] - labelled["GPT"]).tolist(), marks, also=[also])


def _windows(lab: Lab) -> np.ndarray:
    """(W, T) tokens of held-out text."""
    windows = held_out(lab, "general", _READ + _TOLD)
    starts = np.linspace(0, windows.shards.tokens - _READ - _TOLD, _WINDOWS).astype(int)
    return np.stack([windows.shards.read(i, i + _READ + _TOLD) for i in starts]).astype(np.int64)


@torch.no_grad()
def _foretold(folder: Path, windows: np.ndarray) -> tuple[np.ndarray, float]:
    """(W,) mean loss of the last tokens of each window, each foretold from all before it, and how
    many of them are the likeliest there."""
    model, tokens = load_model(folder).eval(), torch.from_numpy(windows)
    if isinstance(model, CausalLM):
        logits = model(tokens[:, :-1])[:, -_TOLD:]
    else:
        assert isinstance(model, MaskedLM)
        tokenizer = Tokenizer.load(folder)
        (mask,) = (i for i in tokenizer.special_ids if tokenizer.decode([i]) == MASK)
        hidden = torch.full((len(tokens), 1), mask)
        ends = range(tokens.shape[1] - _TOLD, tokens.shape[1])
        looks = [model(torch.cat([tokens[:, :end], hidden], 1))[:, -1] for end in ends]
        logits = torch.stack(looks, 1)
    told = tokens[:, -_TOLD:]
    logs = logits.double().log_softmax(-1).gather(-1, told[..., None])[..., 0]
    guessed = (logits.argmax(-1) == told).double().mean()
    return -logs.mean(1).numpy(), float(guessed)
