"""What a classifier is made on: a backbone that knows something, or a preset to begin afresh."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from hornbook.core.errors import HornbookError, UsageError, nearest
from hornbook.core.folders import atomic_folder
from hornbook.core.home import home
from hornbook.core.progress import Progress
from hornbook.models.classifier import on_backbone
from hornbook.models.folder import load_config, load_model, weights_fingerprint
from hornbook.models.model import Model, ModelConfig
from hornbook.models.place import resolve
from hornbook.models.presets import FAMILIES, MASKED_PRESETS, PRESETS
from hornbook.models.text_classifier import Read, read_texts
from hornbook.nn.embedding import EmbeddingConfig
from hornbook.tokenize.gguf import tokenizer_folder
from hornbook.tokenize.masking import add_mask
from hornbook.tokenize.sequences import SequenceTokenizer
from hornbook.tokenize.train import sample_bytes, train_tokenizer
from hornbook.training.dial import HEAD, Plan
from hornbook.workflows.projects.labels.request import LabelsPlan
from hornbook.workflows.runs import folder as layout
from hornbook.workflows.runs.place import Place

CONTEXT = 512
"""Tokens of a text that are read where the backbone does not say: what BERT reads."""
WIDTH, DEPTH = 128, 2
"""Of a backbone that begins afresh."""
_BYTES_A_TOKEN, _FEWEST, _MOST = 300, 1024, 8192
_SHORT_NAMES = {"conv": "lfm2-conv"}


class Pretrained(NamedTuple):
    """place: the model folder or GGUF file."""

    name: str
    place: Path


class Fresh(NamedTuple):
    """preset: of `PRESETS`."""

    name: str
    preset: str


Backbone = Pretrained | Fresh


class Prepared(NamedTuple):
    """A backbone before its first step. source: the model with its weights, None for a fresh one.

    folder: the tokenizer's files. read: the training texts.
    """

    config: ModelConfig
    source: Model | None
    tokenizer: SequenceTokenizer
    folder: Path
    read: Read


def find_backbone(name: str) -> Backbone:
    """The backbone that a user's word means: what is there comes before a preset of the same name.

    Raises UsageError saying what was found instead, or that the model is no backbone for a
    classifier of texts.
    """
    preset = _preset(name)
    if preset is not None and not Path(name).exists():
        return Fresh(name, preset)
    try:
        place = resolve(Path(name))
    except UsageError as error:
        if len(Path(name).parts) != 1 or Path(name).exists():
            raise
        raise UsageError(f"{error} {_presets(name)}") from None
    try:
        on_backbone(load_config(place), ("one", "other"))
    except HornbookError as error:
        raise UsageError(f"{place}: {error}") from None
    return Pretrained(name, place)


def prepare_backbone(
    backbone: Backbone,
    texts: Sequence[str],
    plan: LabelsPlan,
    minutes: float | None,
    device: str,
    place: Place,
) -> Prepared:
    """Open a backbone, or make a fresh one whose tokenizer learns from the texts; read them."""
    folder = place.folder / layout.TOKENIZER
    if isinstance(backbone, Fresh):
        folder = _learn_tokenizer(backbone, texts, folder, minutes, place.progress)
    else:
        folder = tokenizer_folder(backbone.place, folder, layout.PART)
    tokenizer = SequenceTokenizer.load(folder)
    read = read_texts(tokenizer, texts, plan.context)
    if isinstance(backbone, Fresh):
        config = _fresh(backbone, plan, tokenizer.vocab_size, int(read.tokens.max()))
        return Prepared(config, None, tokenizer, folder, read)
    source = load_model(backbone.place, device)
    return Prepared(source.config, source, tokenizer, folder, read)


def _learn_tokenizer(
    backbone: Fresh, texts: Sequence[str], folder: Path, minutes: float | None, progress: Progress
) -> Path:
    """Where its files are."""
    size = sum(len(text.encode("utf-8")) for text in texts)
    wanted = min(_MOST, max(_FEWEST, 2 ** round(math.log2(max(1.0, size / _BYTES_A_TOKEN)))))
    with atomic_folder(folder, layout.PART) as aside:
        train_tokenizer(texts, wanted, aside, progress, size, sample_bytes(minutes))
    if backbone.preset not in MASKED_PRESETS:
        return folder
    masked = folder.with_name(layout.MASK_TOKENIZER)
    with atomic_folder(masked, layout.PART) as aside:
        add_mask(folder, aside)
    return masked


def _fresh(backbone: Fresh, plan: LabelsPlan, vocab: int, longest: int) -> ModelConfig:
    """longest: tokens of the longest text."""
    sizes = Plan(
        preset=backbone.preset,
        vocab=vocab,
        depth=plan.depth,
        width=plan.width,
        heads=max(1, plan.width // HEAD),
        hidden=2 * plan.width,
        context=min(plan.context, max(8, longest)),
        rows=1,
        micro_rows=1,
    )
    return sizes.config(vocab)


def sizes_of(backbone: Backbone) -> tuple[int, int, int]:
    """Channels, blocks, and how many tokens of a text are read at most."""
    if isinstance(backbone, Fresh):
        return WIDTH, DEPTH, CONTEXT
    config = on_backbone(load_config(backbone.place), ("one", "other"))
    assert isinstance(config.embedding, EmbeddingConfig)
    if isinstance(config.embedding.positions, int):
        return config.width, config.stack.depth, config.context
    # Nothing is tied to the longest text: what is not read in training is not read afterwards.
    return config.width, config.stack.depth, min(config.context, CONTEXT)


def fingerprint(backbone: Backbone) -> str:
    """What decides what a backbone knows."""
    return (
        weights_fingerprint(backbone.place) if isinstance(backbone, Pretrained) else backbone.preset
    )


def _preset(name: str) -> str | None:
    """The preset that a preset's, a family's or a short name means."""
    if name in PRESETS:
        return name
    return FAMILIES[name][0] if name in FAMILIES else _SHORT_NAMES.get(name)


def _presets(name: str) -> str:
    names = sorted({*PRESETS, *FAMILIES, *_SHORT_NAMES})
    pulled = home() / "models"
    there = [path.name for path in pulled.iterdir()] if pulled.is_dir() else []
    return f"Nor is it a preset to begin afresh with. {nearest(name, [*names, *there])}"
