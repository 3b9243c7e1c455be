"""How far a written model is from the one it was made from: logits, greedy text, bits per byte.

Knows opened models and their tokenizers; knows nothing of files.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F

from hornbook.core.stats import bootstrap_ratio
from hornbook.generate.decode import decode
from hornbook.generate.sampling import SamplingConfig
from hornbook.models.causal_lm import CausalLM
from hornbook.tokenize.tokenizer import Tokenizer

PROMPTS = (
    "The capital of France is",
    "Once upon a time there was a small tablet from which",
    "Water boils when",
    "def read(path):\n    ",
    "1, 2, 3, 4, 5,",
    "春眠不觉晓，",
    "语言模型是",
    "从前有一座山，山上",
)
GREEDY_TOKENS = 32
_WINDOW, _PART = 512, 64
"""Tokens of the text that are scored together, and of a part that may be drawn on its own."""


TOLERANCES = {
    "f32": 1e-5, "f16": 1e-3, "bf16": 0.01, "q8_0": 0.005, "q6_k": 0.01,
    "q5_k_m": 0.02, "q5_k_s": 0.02, "q5_1": 0.02, "q5_0": 0.02,
    "q4_k_m": 0.05, "q4_k_s": 0.05, "iq4_nl": 0.05, "iq4_xs": 0.05, "q4_1": 0.08, "q4_0": 0.08,
    "q3_k_l": 0.12, "q3_k_m": 0.12, "q3_k_s": 0.2, "q2_k": 0.4, "q2_k_s": 0.5,
    "tq2_0": 0.05, "tq1_0": 0.05,
}  # fmt: skip
"""The share by which bits per byte of a type of file may grow: about twice what it costs a model of
135 million weights, to which it costs more than to a larger one; of the ternary types, a model that
was trained for them. A wrong order of bytes or scale costs several times the largest."""


class ModelWithTokenizer(NamedTuple):
    """A model ready to generate, with its tokenizer."""

    model: CausalLM
    tokenizer: Tokenizer


def compare(before: ModelWithTokenizer, after: ModelWithTokenizer, text: str) -> dict[str, Any]:
    """parity {max_logit_difference, same_greedy, bits_per_byte_change, ...} and what it rests on.

    Logits are compared at every position of PROMPTS, greedy text over GREEDY_TOKENS tokens of
    each, bits per byte on `text`; a prompt is cut to half of a short context. same_tokens: both
    tokenizers give the same ids for all of these. Where they do, parity has an interval of 95 % of
    the change (a bootstrap over parts of the text, both models on the same ones) and the mean
    divergence of the new distribution from the old one, KL(before || after), in bits a token.
    """
    most = max(1, min(before.model.config.context, after.model.config.context) // 2)
    prompts = [before.tokenizer.encode_beginning(prompt)[:most] for prompt in PROMPTS]
    others = [after.tokenizer.encode_beginning(prompt)[:most] for prompt in PROMPTS]
    texts = [_greedy(before, prompts), _greedy(after, others)]
    bits, change, divergence = _on_text(before, after, text)
    same_text = before.tokenizer.encode(text) == after.tokenizer.encode(text)
    return {
        "parity": {
            "max_logit_difference": max(_difference(before, after, ids) for ids in prompts),
            "same_greedy": texts[0] == texts[1],
            "bits_per_byte_change": bits[1] - bits[0],
            "bits_per_byte_interval": change,
            "divergence": divergence,
        },
        "same_tokens": prompts == others and same_text,
        "greedy": [
            {"prompt": prompt, "before": one, "after": other}
            for prompt, one, other in zip(PROMPTS, *texts, strict=True)
        ],
        "bits_per_byte": {"before": bits[0], "after": bits[1], "bytes": len(text.encode("utf-8"))},
    }


def tolerance(compared: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """share: that bits per byte may grow by for a type. met: that they did not grow by more, which
    is said only of what the interval of the change leaves no doubt of."""
    share, parity = TOLERANCES[kind], compared["parity"]
    least = (parity["bits_per_byte_interval"] or [parity["bits_per_byte_change"]])[0]
    return {"share": share, "met": least <= share * compared["bits_per_byte"]["before"]}


class _Scored(NamedTuple):
    """bits (models, parts) and bytes (parts,) of a text's parts; divergence: of the second model
    from the first, if there are two, in bits a token."""

    bits: np.ndarray
    bytes: np.ndarray
    divergence: float

    def per_byte(self) -> list[float]:
        """Of each model, bits for a byte of the text."""
        return [float(bits) for bits in self.bits.sum(1) / max(1, self.bytes.sum())]


def _on_text(
    before: ModelWithTokenizer, after: ModelWithTokenizer, text: str
) -> tuple[list[float], list[float] | None, float | None]:
    """Bits per byte of both models, the interval of their difference, and the divergence."""
    ids, others = (opened.tokenizer.encode_beginning(text) for opened in (before, after))
    if ids != others:
        alone = [
            _score([each.model], each.tokenizer, i) for each, i in ((before, ids), (after, others))
        ]
        return [scored.per_byte()[0] for scored in alone], None, None
    scored = _score([before.model, after.model], before.tokenizer, ids)
    if len(scored.bytes) < 2:
        return scored.per_byte(), None, scored.divergence
    found = bootstrap_ratio(list(scored.bits[1] - scored.bits[0]), list(scored.bytes))
    return scored.per_byte(), [found.low, found.high], scored.divergence


@torch.inference_mode()
def _score(models: Sequence[CausalLM], tokenizer: Tokenizer, ids: list[int]) -> _Scored:
    """The text of `ids` without its first token, which has no prediction.

    Windows share one token, so that each other token is scored once.
    """
    step = min(_WINDOW, *(model.config.context for model in models))
    bits, sizes, divergence = [], [], 0.0
    for start in range(0, len(ids) - 1, step):
        part = torch.tensor(ids[start : start + step + 1])
        logs = [F.log_softmax(model(part[None, :-1])[0].float(), -1) for model in models]
        divergence += float((logs[0].exp() * (logs[0] - logs[-1])).sum())
        lost = torch.stack([-log.gather(1, part[1:, None])[:, 0] for log in logs])
        for at in range(0, len(part) - 1, _PART):
            bits.append(lost[:, at : at + _PART].double().sum(1).numpy() / math.log(2))
            sizes.append(len(tokenizer.decode_bytes(part[1:][at : at + _PART].tolist())))
    divergence /= math.log(2) * max(1, len(ids) - 1)
    return _Scored(np.array(bits).reshape(-1, len(models)).T, np.array(sizes), divergence)


@torch.inference_mode()
def _difference(before: ModelWithTokenizer, after: ModelWithTokenizer, ids: list[int]) -> float:
    """The largest difference of any logit at any position."""
    tokens = torch.tensor([ids])
    return float((before.model(tokens) - after.model(tokens)).abs().max())


def _greedy(opened: ModelWithTokenizer, prompts: list[list[int]]) -> list[str]:
    """What the model continues each prompt with, whatever ends it would name."""
    config = SamplingConfig(temperature=0, max_tokens=GREEDY_TOKENS)
    found: list[list[int]] = [[] for _ in prompts]
    for step in decode(opened.model, prompts, config, frozenset()):
        found[step.row].append(step.id)
    return [opened.tokenizer.decode(ids) for ids in found]
