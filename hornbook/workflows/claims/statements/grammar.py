"""Predicting the next word teaches the rest: grammar, over the tokens that were read."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from hornbook.evaluate.likelihood import likelihoods
from hornbook.generate.likelihoods import encode_pair
from hornbook.models.causal_lm import CausalLM
from hornbook.models.folder import load_model
from hornbook.models.model import Model
from hornbook.tokenize.tokenizer import Tokenizer
from hornbook.workflows.claims.bodies import base, life, untrained
from hornbook.workflows.claims.lab import Lab
from hornbook.workflows.claims.minimal_pairs import PHENOMENA, MinimalPair, draw_pairs
from hornbook.workflows.claims.statement import Mark, Picture, Trial, statement

PAIRS = 600
_RIGHT = "grammatical one likelier"


@statement(
    14,
    "grammar",
    sentence=(
        "Predicting the next word teaches the rest, grammar among it.",
        "预测下一个词会教会其余的一切，包括语法。",
    ),
    experiment=(
        "A decoder that only ever foretold the next token is asked, without any training for it, "
        "which of two sentences that differ in one place is likelier: the grammatical one or the "
        "other. It is asked before its training and at checkpoints that were kept.",
        "一个只学过预测下一个词元的解码器，未经任何专门训练，要判断只有一处不同的两个句子哪个更可"
        "能：合语法的还是不合语法的。训练之前和训练中保留的检查点上都问一次。",
    ),
    measure=(
        "share of pairs that it gets right after the training less the share before",
        "训练后判断正确的比例减去训练前的比例",
    ),
    picture=Picture(
        height=("share of pairs", "句对比例"),
        axis=("tokens learned from", "学习的词元数"),
        names={_RIGHT: "合语法者更可能"},
    ),
    uses=("general", "pairs"),
)
def tried(lab: Lab, seed: int) -> Trial:
    folder, pairs = base(lab, "qwen3", seed), draw_pairs(lab.other("pairs"), PAIRS, seed)
    tokenizer = Tokenizer.load(folder)
    before = _right(load_model(untrained(lab, "qwen3", seed)), tokenizer, pairs)
    found = {tokens: _right(model, tokenizer, pairs) for tokens, model in life(folder)}
    after = found[max(found)]
    marks = [Mark(_RIGHT, tokens, float(one.mean())) for tokens, one in found.items()]
    kinds = _by_phenomenon(pairs, after)
    english = ", ".join(f"{name.replace('_', ' ')} {share:.0%}" for name, share in kinds.items())
    chinese = "，".join(f"{PHENOMENA.get(name, name)} {share:.0%}" for name, share in kinds.items())
    note = (
        f"Right before the training {before.mean():.1%}, after it {after.mean():.1%}: {english}.",
        f"训练前正确 {before.mean():.1%}，训练后正确 {after.mean():.1%}：{chinese}。",
    )
    return Trial((after - before).tolist(), marks, notes=(note,))


def _right(model: Model, tokenizer: Tokenizer, pairs: Sequence[MinimalPair]) -> np.ndarray:
    """(N,) 1.0 for each pair whose grammatical sentence is likelier."""
    assert isinstance(model, CausalLM)
    model.eval()
    requests = [encode_pair(tokenizer, "", text) for pair in pairs for text in pair[:2]]
    nats = np.array([each.logprob for each in likelihoods(model, requests)]).reshape(-1, 2)
    return (nats[:, 0] > nats[:, 1]).astype(float)


def _by_phenomenon(pairs: Sequence[MinimalPair], right: np.ndarray) -> dict[str, float]:
    found: defaultdict[str, list[float]] = defaultdict(list)
    for pair, one in zip(pairs, right.tolist(), strict=True):
        found[pair.phenomenon].append(one)
    return {name: float(np.mean(ones)) for name, ones in sorted(found.items())}
