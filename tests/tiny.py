"""What many tests are made of, small: progress that is quiet or heard, text, models, tokenizers.

Torch is imported where a model is made: processes that tests start import this file.
"""

import re
from pathlib import Path
from typing import Any

from hornbook.core.progress import Progress
from hornbook.models.sizes import DecoderSizes

QUIET = Progress(quiet=True)
NOUNS = ["tablet", "child", "letter", "teacher", "morning", "page", "bird", "river"]


def slow(*variants: Any) -> list[Any]:
    """Variants, each a value or a tuple, of a contract whose representatives the fast set has."""
    import pytest

    values = (one if isinstance(one, tuple) else (one,) for one in variants)
    return [pytest.param(*one, marks=pytest.mark.slow) for one in values]


class Heard(Progress):
    """Keeps what is said."""

    def __init__(self) -> None:
        super().__init__(quiet=True)
        self.lines: list[str] = []

    def say(self, *lines: str) -> None:
        self.lines += lines


def sentences(folder: Path, line: str) -> Path:
    """Thirty files of a line with three nouns, no two of them alike."""
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(30):
        names = [NOUNS[(i + j * k) % 8] for j, k in ((0, 1), (1, 3), (2, 5))]
        (folder / f"{i}.txt").write_text(line.format(*names) * (3 + i % 5) + f"The end {i}.")
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    """All files of a folder, by their places in it."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def decoder_sizes(**other: Any) -> DecoderSizes:
    """Of a decoder that costs nothing; a test says what it wants otherwise."""
    usual = {
        "vocab": 50, "width": 16, "depth": 2, "context": 32, "heads": 2, "kv_heads": 2, "head": 8,
        "hidden": 24, "tied": False,
    }  # fmt: skip
    return DecoderSizes(**{**usual, **other})


def model_type(preset: str) -> str:
    """What the ecosystem calls the models of a preset."""
    known = {"qwen3.5": "qwen3_5_text", "qwen3-moe": "qwen3_moe", "gemma3": "gemma3_text"}
    return known.get(preset, preset.split("-")[0])


def loud(model: Any) -> Any:
    """Random weights that make all parts of a model count; fresh ones add nothing."""
    import torch

    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, weight in sorted(model.named_parameters()):
            if "embed_positions" not in name:
                weight.normal_(0, 0.3, generator=generator)
                weight += bool(re.search(r"(norm\w*|ln_\w+)\.weight$", name.lower()))
    return model.eval().requires_grad_(False)


def gradients(model: Any) -> dict[str, Any]:
    """By the names of the weights; the model has none afterwards."""
    found = {name: weight.grad.clone() for name, weight in model.named_parameters()}
    model.zero_grad()
    return found


def need_kernels() -> None:
    """Skip a test where our kernels cannot be had."""
    import pytest

    from hornbook import kernels

    kernels.build()
    if kernels.library() is None:
        pytest.skip(f"no kernels of ours: {kernels.missing()}")


def decoder_folder(
    folder: Path, text: str, preset: str = "qwen3", name: str = "m", **other: Any
) -> Path:
    """A loud decoder, by `name`, with a tokenizer of `text`, which lies in `folder`/t."""
    from hornbook.models.folder import save_model
    from hornbook.models.presets import PRESETS
    from hornbook.tokenize.tokenizer import Tokenizer
    from hornbook.tokenize.train import train_tokenizer

    if not (folder / "t").exists():
        train_tokenizer([text], 320, folder / "t", QUIET)
    vocab = Tokenizer.load(folder / "t").vocab_size
    model = loud(PRESETS[preset](decoder_sizes(**{"vocab": vocab, **other})).build())
    save_model(model, folder / name, tokenizer_folder=folder / "t")
    return folder / name


def every_kind(folder: Path, context: int = 96) -> Path:
    """One model of each kind in `folder`, by its kind: decoder, encoder, masked, network, cross,
    linear and pairs; the tokenizer of the first lies in `folder`/t."""
    from hornbook.baselines.linear_classifier import make
    from hornbook.models.classifier import on_encoder
    from hornbook.models.encoder_presets import BertSizes, bert, bert_masked_lm
    from hornbook.models.folder import save_model
    from hornbook.models.presets import qwen3
    from hornbook.models.translators import TRANSLATORS, PairSizes, SideSizes
    from hornbook.tokenize.train import train_tokenizer

    text = "the hornbook and other books 春眠不覺曉 " * 50
    vocab = train_tokenizer([text], 320, folder / "t", QUIET).vocab_size
    sizes = decoder_sizes(vocab=vocab, depth=1, context=context, hidden=16)
    small = BertSizes(vocab=vocab, width=16, depth=1, context=24, heads=2, hidden=16)
    body, masked = bert(small), bert_masked_lm(small)
    side = SideSizes(depth=1, heads=2, hidden=16)
    pair = PairSizes(
        vocab=vocab, width=16, context=48, encoder=side, decoder=side, start=0, dropout=0.0
    )
    networks = {
        "decoder": loud(qwen3(sizes).build()),
        "encoder": body.build(),
        "masked": masked.build(),
        "network": on_encoder(body, ("ham", "spam")).build(),
        "cross": on_encoder(body, ("relevance",)).build(),
        "pairs": TRANSLATORS["transformer"](pair).build(),
    }
    for name, network in networks.items():
        save_model(network, folder / name, tokenizer_folder=folder / "t")
    texts = ["win money now", "see you at noon"] * 8
    make("tfidf").fit(texts, ["spam", "ham"] * 8).save(folder / "linear" / "model")
    return folder
