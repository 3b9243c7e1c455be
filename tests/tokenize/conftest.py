"""One small tokenizer for all tests here."""

import pytest

from hornbook.core.progress import Progress
from hornbook.tokenize.train import train_tokenizer

TEXTS = [
    "The hornbook was the small tablet from which people learned to read.\n" * 20,
    "春眠不覺曉，處處聞啼鳥。夜來風雨聲，花落知多少。\n" * 20,
    "def read(path):\n    return path.read_text()  # 42 lines\n" * 20,
]


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("tokenizer")
    train_tokenizer(TEXTS, 400, out, Progress(quiet=True))
    return out


@pytest.fixture(scope="session")
def tokenizer(folder):
    from hornbook.tokenize.tokenizer import Tokenizer

    return Tokenizer.load(folder)
