"""Text that a model of good text finds neither unlikely nor too easy (Wenzek et al. 2020)."""

from pathlib import Path
from typing import ClassVar

import numpy as np
import pydantic

from hornbook.corpus.byte_ngrams import perplexities
from hornbook.corpus.rule_models import load_perplexity
from hornbook.corpus.rules.contract import Rule, register
from hornbook.corpus.texts import Texts


@register("perplexity")
class Perplexity(Rule):
    """model: a file made by `hornbook corpus train perplexity`. least, most: perplexities kept.

    Of a character, not of a word: every text has characters, however it is spaced, and none is
    unknown. Values compare within one model and script only, so `most` has no default; training
    prints what held-out documents have. Text in another language than the model's has a high one.
    Documents without characters are not judged.
    """

    reason: ClassVar[str] = "unlike the text of the perplexity model"
    reason_zh: ClassVar[str] = "与困惑度模型的文本差别过大"
    source: ClassVar[str] = "CCNet, arXiv 1911.00359, there of a token and cut into thirds"
    hits: ClassVar[tuple[str, ...]] = ()
    misses: ClassVar[tuple[str, ...]] = ()

    model: str
    most: float
    least: float = 0.0

    @pydantic.field_validator("model")
    @classmethod
    def _is_one(cls, model: str) -> str:
        load_perplexity(model)
        return model

    def files(self) -> tuple[Path, ...]:
        return (Path(self.model),)

    def measure(self, texts: Texts) -> np.ndarray:
        return perplexities(*load_perplexity(self.model), texts.data, texts.edges)
