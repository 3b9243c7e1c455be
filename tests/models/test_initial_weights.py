"""Fresh weights of every family: no matrix is one value everywhere, unless it begins at nothing."""

import pytest

from hornbook.models.encoder_presets import BertSizes, ModernBertShape, ViTSizes, modernbert, vit
from hornbook.models.presets import PRESETS
from hornbook.models.translators import TRANSLATORS, PairSizes, SideSizes, T5Shape, t5
from tests.tiny import decoder_sizes

SIDE = SideSizes(depth=2, heads=2, hidden=24)
PAIR = PairSizes(vocab=50, width=16, context=32, encoder=SIDE, decoder=SIDE, start=49, dropout=0.0)
BERT = BertSizes(vocab=50, width=16, depth=2, context=24, heads=2, hidden=24)
VIT = ViTSizes(size=8, patch=4, channels=3, width=16, depth=2, heads=2, hidden=24)
CONFIGS = {
    **{name: lambda preset=preset: preset(decoder_sizes()) for name, preset in PRESETS.items()},
    **{name: lambda make=make: make(PAIR) for name, make in TRANSLATORS.items()},
    "t5": lambda: t5(PAIR, T5Shape(head=8)),
    "modernbert": lambda: modernbert(BERT, ModernBertShape(everywhere=(True, False))),
    "vit": lambda: vit(VIT, "ab"),
}


@pytest.mark.parametrize("make", CONFIGS.values(), ids=CONFIGS)
def test_matrices_are_drawn_or_nothing(make):
    """All rows alike stay alike in training: such a layer says the same of whatever it reads."""
    for name, weight in make().build(seed=1).named_parameters():
        if weight.ndim > 1 and weight.detach().any():
            assert weight.detach().std() > 0, name
