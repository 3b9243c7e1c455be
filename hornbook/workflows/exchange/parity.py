"""How far a written model is from the one it was made from: logits, greedy text, bits per byte.

Knows opened models and their tokenizers; knows nothing of files.
"""

import math
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F

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
_WINDOW = 512
"""Tokens of the text that are scored together."""


class ModelWithTokenizer(NamedTuple):
    """A model ready to generate, with its tokenizer."""

    model: CausalLM
    tokenizer: Tokenizer


def compare(before: ModelWithTokenizer, after: ModelWithTokenizer, text: str) -> dict[str, Any]:
    """parity {max_logit_difference, same_greedy, bits_per_byte_change} and what it rests on.

    Logits are compared at every position of PROMPTS, greedy text over GREEDY_TOKENS tokens of
    each, bits per byte on `text`; a prompt is cut to half of a short context. same_tokens: both
    tokenizers give the same ids for all of these.
    """
    most = max(1, min(before.model.config.context, after.model.config.context) // 2)
    prompts = [before.tokenizer.encode_beginning(prompt)[:most] for prompt in PROMPTS]
    others = [after.tokenizer.encode_beginning(prompt)[:most] for prompt in PROMPTS]
    texts = [_greedy(before, prompts), _greedy(after, others)]
    bits = [bits_per_byte(opened, text) for opened in (before, after)]
    same_text = before.tokenizer.encode(text) == after.tokenizer.encode(text)
    return {
        "parity": {
            "max_logit_difference": max(_difference(before, after, ids) for ids in prompts),
            "same_greedy": texts[0] == texts[1],
            "bits_per_byte_change": bits[1] - bits[0],
        },
        "same_tokens": prompts == others and same_text,
        "greedy": [
            {"prompt": prompt, "before": one, "after": other}
            for prompt, one, other in zip(PROMPTS, *texts, strict=True)
        ],
        "bits_per_byte": {"before": bits[0], "after": bits[1], "bytes": len(text.encode("utf-8"))},
    }


@torch.inference_mode()
def bits_per_byte(opened: ModelWithTokenizer, text: str) -> float:
    """Bits that the model needs for a byte of `text`, its first token left out.

    Windows share one token, so that each other token is scored once.
    """
    model, tokenizer = opened
    ids = tokenizer.encode_beginning(text)
    step = min(model.config.context, _WINDOW)
    nats, size = 0.0, 0
    for start in range(0, len(ids) - 1, step):
        part = torch.tensor(ids[start : start + step + 1])
        logits = model(part[None, :-1])[0]
        nats += float(F.cross_entropy(logits, part[1:], reduction="sum"))
        size += len(tokenizer.decode_bytes(part[1:].tolist()))
    return nats / math.log(2) / max(1, size)


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
