"""Samples while training: what the model makes of the beginnings of held-out documents.

Knows the corpus' text through shards and generation; measures nothing.
"""

import re
from typing import Any

from hornbook.corpus.build import Corpus
from hornbook.generate.sampling import SamplingConfig
from hornbook.generate.text import continue_text, stream
from hornbook.models.causal_lm import CausalLM
from hornbook.models.model import Model
from hornbook.tokenize.tokenizer import Tokenizer
from hornbook.train.precision import uncompiled

_TOKENS = 60
_BEGINNING = re.compile(r"\s*(?:[\u3400-\u9fff，。]{5,12}|(?:\S+\s+){3,6})")
"""A few words, or a few characters of Chinese."""


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


def beginnings(corpus: Corpus, count: int) -> list[str]:
    """How the first held-out documents begin; a document's first line may be a title."""
    found: list[str] = []
    for text in corpus.texts("validation"):
        beginning = _BEGINNING.match(text)
        if beginning:
            found.append(beginning[0].strip())
        if len(found) == count:
            break
    return found or [""]
