"""Samples while training: what the model makes of the beginnings of held-out documents.

A decoder goes on from them; an encoder fills in a word of them.
"""

import itertools
import re
import unicodedata
from typing import Any

import torch

from hornbook.corpus.corpus import Corpus
from hornbook.generate.sampling import SamplingConfig
from hornbook.generate.text import continue_text, stream
from hornbook.models.causal_lm import CausalLM
from hornbook.models.masked_lm import MaskedLM
from hornbook.models.model import Model
from hornbook.tokenize.masking import MASK
from hornbook.tokenize.tokenizer import Tokenizer
from hornbook.training.precision import uncompiled

_TOKENS, _CHARACTERS = 60, 24
_HAN = r"[\u3400-\u9fff]"
_BEGINNING = re.compile(
    rf"\s*(?:{_HAN}{{2,10}}(?:[，、]{_HAN}{{2}})?(?={_HAN}|[，。])|(?:\S+\s+){{3,6}})"
)
"""A few words, or a few characters of Chinese that break off before a sign: a sign and the line
break after it are often one token, so that a sign alone looks like the end of a text."""


class Sampler:
    """Continues the same few beginnings each time, in turn."""

    def __init__(self, corpus: Corpus, model: Model, tokenizer: Tokenizer) -> None:
        assert isinstance(model, CausalLM), "only decoders continue text"
        self._model, self._tokenizer = model, tokenizer
        self._prompts = beginnings(corpus, 5)

    def sample(self, seed: int) -> dict[str, Any]:
        """{prompt, text} of one beginning; the same for the same weights and seed."""
        prompt = self._prompts[seed % len(self._prompts)]
        config = SamplingConfig(temperature=0.8, top_p=0.95, seed=seed, max_tokens=_TOKENS)
        answer, stop_ids = continue_text(self._tokenizer, prompt)
        was_training = self._model.training
        self._model.eval()
        with uncompiled():
            for _ in stream(self._model, self._tokenizer, answer, stop_ids, config):
                pass
        self._model.train(was_training)
        return {"prompt": prompt, "text": answer.text}


class Filler:
    """Hides one token of a beginning and shows what the model would put there."""

    def __init__(self, corpus: Corpus, model: Model, tokenizer: Tokenizer) -> None:
        assert isinstance(model, MaskedLM), "only these fill in words"
        assert tokenizer.eos_id is not None, "documents end with a token"
        self._model, self._tokenizer, self._first = model, tokenizer, tokenizer.eos_id
        texts = (text.strip()[:400] for text in corpus.texts("validation"))
        ids = (tokenizer.encode(text)[: min(_TOKENS, model.config.context - 1)] for text in texts)
        self._texts = list(itertools.islice((i for i in ids if len(i) > 8), 5)) or [[self._first]]
        (self._mask,) = (i for i in tokenizer.special_ids if tokenizer.decode([i]) == MASK)

    @torch.no_grad()
    def sample(self, seed: int) -> dict[str, Any]:
        """{prompt, text}: a text with a gap, and the three likeliest tokens with what was there."""
        ids = self._texts[seed % len(self._texts)]
        at = 1 + (7 * seed) % max(1, len(ids) - 1) if len(ids) > 1 else 0
        tokens = torch.tensor([[self._first, *ids[:at], self._mask, *ids[at + 1 :]]])
        was_training = self._model.training
        self._model.eval()
        with uncompiled():
            logits = self._model(tokens.to(self._model.device))[0, at + 1]
        self._model.train(was_training)
        likeliest = [self._tokenizer.decode([i]) for i in logits.topk(3).indices.tolist()]
        before, after = (self._tokenizer.decode(part) for part in (ids[:at], ids[at + 1 :]))
        guesses = " | ".join(likeliest)
        there = self._tokenizer.decode(ids[at : at + 1])
        return {"prompt": f"{before}[___]{after}", "text": f"\n→ {guesses}  (was: {there})"}


def beginnings(corpus: Corpus, count: int) -> list[str]:
    """How the first held-out documents begin; a document's first line may be a title."""
    found: list[str] = []
    short: list[str] = []
    for text in corpus.texts("validation"):
        beginning = _BEGINNING.match(text)
        if beginning:
            found.append(beginning[0].strip())
        elif len(short) < count and text.strip():
            short.append(_first_characters(text.strip()))
        if len(found) == count:
            break
    return found or short or [""]


def _first_characters(text: str) -> str:
    """Of a text that is one word, or whose writing has no blanks; no sign is parted from its
    letter.
    """
    end = min(_CHARACTERS, len(text))
    while 1 < end < len(text) and unicodedata.category(text[end]).startswith("M"):
        end -= 1
    return " ".join(text[:end].split())
