"""Understanding is text that is coherent with its context: the true context against others."""

from pathlib import Path

import numpy as np
import torch

from hornbook.batches.batch import IGNORE, Batch
from hornbook.batches.shards import TokenShards
from hornbook.models.folder import load_model
from hornbook.training.objective import token_losses
from hornbook.workflows.claims.bodies import CONTEXT, base, held_out
from hornbook.workflows.claims.lab import Lab
from hornbook.workflows.claims.statement import Mark, Picture, Trial, statement

ASKED, NEAR = 24, 8
"""Tokens that are foretold, and tokens before them that stand there in every case, so that the word
before is the same."""
_PASSAGES, _ROWS = 600, 16
_TRUE, _SHUFFLED, _FOREIGN, _SHORT = "true", "shuffled", "foreign", "shortened"


@statement(
    12,
    "coherent",
    sentence=(
        "What is called understanding is text that is coherent and fits its context.",
        "所谓理解，就是文字连贯、与上下文相符。",
    ),
    experiment=(
        f"A decoder foretells {ASKED} tokens of held-out text after the {NEAR} before them and, "
        "farther back, after the true text, the same tokens shuffled, another passage, or "
        "nothing. If it reads its context as text, the true one must help the most. The verdict "
        "is against the best of the other three.",
        f"解码器预测留出文本的 {ASKED} 个词元。紧靠前面的 {NEAR} 个词元总是原文，更远处则是真实的"
        "上文、打乱的同样词元、另一段文字，或者什么都没有。如果它把上下文当作文字来读，真实的上"
        "文必须最有帮助。结论取真实上文与其余三者中最好者之差。",
    ),
    measure=(
        "nats a token that the true context saves against the best of the others",
        "与其余三者中最好者相比，真实上文每词元节省的奈特数",
    ),
    picture=Picture(
        height=("loss, nats a token", "损失（奈特/词元）"),
        names={
            _TRUE: "真实的上文",
            _SHUFFLED: "打乱的上文",
            _FOREIGN: "另一段文字",
            _SHORT: "没有更远的上文",
        },
    ),
    uses=("general",),
)
def tried(lab: Lab, seed: int) -> Trial:
    model, shards = base(lab, "qwen3", seed), held_out(lab, "general").shards
    losses = {name: made(model, rows) for name, rows in contexts(shards, seed).items()}
    marks = [Mark(name, None, float(one.mean())) for name, one in losses.items()]
    others = [one for name, one in losses.items() if name != _TRUE]
    return Trial((min(others, key=np.mean) - losses[_TRUE]).tolist(), marks)


def contexts(shards: TokenShards, seed: int) -> dict[str, np.ndarray]:
    """Rows (N, T) of the same passages with each kind of context, by its name."""
    starts = np.linspace(0, shards.tokens - CONTEXT - 1, _PASSAGES).astype(int)
    rows = np.stack([shards.read(start, start + CONTEXT) for start in starts]).astype(np.int64)
    border = CONTEXT - ASKED - NEAR
    draw = np.random.default_rng(seed)
    far, near = rows[:, :border], rows[:, border:]
    return {
        _TRUE: rows,
        _SHUFFLED: np.hstack([draw.permuted(far, axis=1), near]),
        _FOREIGN: np.hstack([np.roll(far, len(far) // 2, axis=0), near]),
        _SHORT: near,
    }


def made(model: Path, rows: np.ndarray) -> np.ndarray:
    """(N,) the mean loss of the last `ASKED` tokens of each row, in nats."""
    loaded = load_model(model).eval()
    tokens, targets = torch.from_numpy(rows[:, :-1]), torch.from_numpy(rows[:, 1:].copy())
    targets[:, :-ASKED] = IGNORE
    batch = Batch(tokens, targets, torch.arange(tokens.shape[1])[None])
    found = [token_losses(loaded, part).sum(1) / ASKED for part in batch.split(_ROWS)]
    losses: np.ndarray = torch.cat(found).double().numpy()
    return losses
