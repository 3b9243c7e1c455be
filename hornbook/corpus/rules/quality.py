"""Text that is more like what one calls good than like what one calls bad (Brown et al. 2020)."""

from pathlib import Path
from typing import ClassVar

import numpy as np
import pydantic

from hornbook.corpus.rule_models import load_quality
from hornbook.corpus.rules.contract import Rule, register
from hornbook.corpus.texts import Texts
from hornbook.corpus.word_bags import features, scores


@register("quality")
class Quality(Rule):
    """model: a file made by `hornbook corpus train quality`. least: the score kept, 0 to 1.

    At 0.5 a document is as much like the bad as like the good ones, if both were equally many.
    Documents without words are not judged.
    """

    reason: ClassVar[str] = "more like the bad examples than the good ones"
    reason_zh: ClassVar[str] = "更像不好的例子"
    source: ClassVar[str] = (
        "GPT-3, arXiv 2005.14165, appendix A, and DCLM, arXiv 2406.11794, choose web text with a "
        "linear classifier; the threshold is where both sides are equally likely"
    )
    hits: ClassVar[tuple[str, ...]] = ()
    misses: ClassVar[tuple[str, ...]] = ()

    model: str
    least: float = pydantic.Field(0.5, ge=0, le=1)

    @pydantic.field_validator("model")
    @classmethod
    def _is_one(cls, model: str) -> str:
        load_quality(model)
        return model

    def files(self) -> tuple[Path, ...]:
        return (Path(self.model),)

    def measure(self, texts: Texts) -> np.ndarray:
        return scores(load_quality(self.model), *features(texts))
