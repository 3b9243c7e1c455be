"""A tiny decoder with a tokenizer, whose context is small enough to overflow."""

import pytest

from hornbook.core.progress import Progress
from hornbook.evaluate.evaluated_model import EvaluatedModel
from hornbook.models.presets import PRESETS
from hornbook.tokenize.tokenizer import Tokenizer
from hornbook.tokenize.train import train_tokenizer
from tests.tiny import decoder_sizes

TEXT = "The cat sat on the mat. Is this spam? yes no 春眠不覺曉 good bad positive negative. "


@pytest.fixture(scope="session")
def tokenizer(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tokenizer")
    train_tokenizer([TEXT * 40], 300, folder / "t", Progress(True))
    return Tokenizer.load(folder / "t")


@pytest.fixture(scope="session")
def decoder(tokenizer):
    """Build a decoder of a preset."""

    def build(preset="qwen3", context=96):
        sizes = decoder_sizes(vocab=tokenizer.vocab_size, context=context)
        return PRESETS[preset](sizes).build(seed=1).eval()

    return build


@pytest.fixture(scope="session")
def evaluated(decoder, tokenizer):
    return EvaluatedModel(decoder(), tokenizer)
