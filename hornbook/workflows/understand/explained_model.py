"""MODEL and an input as something that can be explained: what is asked, and how its pieces and
answers are called.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from hornbook.core.errors import HornbookError, UsageError
from hornbook.core.machine import pick_device
from hornbook.datasets.image_files import read_image
from hornbook.explain.explained import Explained
from hornbook.explain.judged import ClassOfImage, ClassOfText, FilledWord
from hornbook.explain.next_token import NextToken
from hornbook.explain.translated import TokensOfTranslation
from hornbook.models.causal_lm import CausalLM
from hornbook.models.classifier import ClassifierNetwork
from hornbook.models.folder import load_model
from hornbook.models.masked_lm import MaskedLM
from hornbook.models.pixels import load_pixels
from hornbook.models.place import linear_folder, resolve
from hornbook.models.seq2seq import Seq2Seq
from hornbook.models.text_classifier import read_texts
from hornbook.tokenize.sequences import SequenceTokenizer, open_tokenizer
from hornbook.tokenize.tokenizer import Tokenizer
from hornbook.workflows.open.model import open_model
from hornbook.workflows.open.translator import Translator, open_translator

A_CLASSIFIER, AN_ENCODER, A_TRANSLATOR = "a classifier", "an encoder", "a translator"
LAST = 128
"""Tokens of a context that are hidden one by one; what stands before is always seen. Work grows
with their square."""


@dataclass
class ExplainedInput:
    """explained: what is asked. answer: the place of what is explained among those it could be.

    pieces: the input's, in words. named: what an answer is called. kind: of the model. position:
    of the token that is explained, from 1, where there are several. written: tokens of a
    translation. grid: patches of an image a side.
    """

    explained: Explained
    pieces: list[str]
    named: Callable[[int], str]
    kind: str
    position: int | None = None
    written: Sequence[str] = ()
    grid: int = 0


class ExplainedDecoder(NamedTuple):
    """A decoder with its tokenizer. start: the token that begins a document."""

    model: CausalLM
    tokenizer: Tokenizer
    start: int

    def named(self, token: int) -> str:
        """A token as people read it: half a character is shown by its bytes."""
        return spelled(self.tokenizer, token)

    def context(self, ids: Sequence[int], target: int) -> NextToken:
        """The token after a context, its own beginning among the ids."""
        prefix = self.tokenizer.prefix
        begin = len(prefix) if list(ids[: len(prefix)]) == prefix else 0
        fixed = max(begin, len(ids) - LAST)
        return NextToken(self.model, ids[fixed:], target, ids[:fixed], self.start)


def spelled(tokenizer: Tokenizer, token: int) -> str:
    """The text of a token; bytes that are no whole characters as <E4 B8>."""
    data = tokenizer.decode_bytes([token])
    try:
        return data.decode()
    except UnicodeDecodeError:
        return f"<{data.hex(' ').upper()}>"


def open_to_explain(path: Path, device: str | None) -> ExplainedDecoder:
    """A decoder in floats, whatever its file holds: codes have no gradient.

    Raises UsageError and HornbookError as `open_model`.
    """
    model, tokenizer = open_model(path, device)
    model.requires_grad_(False)
    if tokenizer.eos_id is None:
        raise HornbookError(f"{tokenizer.where} names no end-of-text token.")
    return ExplainedDecoder(model, tokenizer, tokenizer.eos_id)


def next_token(parts: ExplainedDecoder, text: str, position: int | None) -> ExplainedInput:
    """A token of a text, from 1, or the likeliest one after it. Raises UsageError for a text
    without tokens, a position that it has not, and what is longer than the model's context."""
    ids = parts.tokenizer.encode_beginning(text)
    offset = len(parts.tokenizer.prefix)
    count, room = len(ids) - offset, parts.model.config.context
    if not text.strip() or not count:
        raise UsageError("The text is empty; give some words that are gone on with.")
    if position is not None and not 1 <= position <= count:
        raise UsageError(f"--position {position}: the text has tokens 1 to {count:,}.")
    before = ids if position is None else ids[: offset + position - 1]
    if len(before) > room:
        raise UsageError(f"The text has {len(before):,} tokens; this model takes {room:,}.")
    target = ids[len(before)] if position is not None else 0
    explained = parts.context(before, target)
    if position is None:
        explained.targets = explained.logits(explained.everything())[0, :, :].argmax(-1)
    pieces = [parts.named(token) for token in explained.ids.tolist()]
    return ExplainedInput(explained, pieces, parts.named, "a decoder", position or count + 1)


class OpenedInput(NamedTuple):
    """A model that is no decoder. asked: what it says of a text or an image, and of a position in
    it; raises UsageError where it takes another input."""

    path: Path
    kind: str
    asked: Callable[[str | None, Path | None, int | None], ExplainedInput]
    reads_images: bool = False

    def in_the_middle(self, text: str) -> ExplainedInput:
        """A whole text, or the token in its middle where one is to be filled in."""
        if self.kind != AN_ENCODER:
            return self.asked(text, None, None)
        first = self.asked(text, None, 1)
        return self.asked(text, None, (first.explained.size + 1) // 2 + 1)


def open_input(path: Path, device: str | None) -> OpenedInput:
    """A model that is no decoder. Raises UsageError for one that says nothing of an input."""
    if linear_folder(path) is not None:
        raise UsageError(
            f"{path} labels texts by features made by hand; what can be explained is a network."
        )
    folder = resolve(path)
    model = load_model(folder, pick_device(device)).eval().requires_grad_(False)
    if isinstance(model, ClassifierNetwork) and model.config.vocab is None:
        return OpenedInput(path, A_CLASSIFIER, partial(_image, path, folder, model), True)
    if isinstance(model, ClassifierNetwork):
        parts = SequenceTokenizer.load(folder), names_of(folder)
        return OpenedInput(path, A_CLASSIFIER, partial(_label, path, model, *parts))
    if isinstance(model, MaskedLM):
        parts = SequenceTokenizer.load(folder), names_of(folder)
        return OpenedInput(path, AN_ENCODER, partial(_gap, path, model, *parts))
    if isinstance(model, Seq2Seq):
        opened = open_translator(path, device)
        opened.model.requires_grad_(False)
        return OpenedInput(path, A_TRANSLATOR, partial(_translation, path, opened))
    raise UsageError(f"{path} makes vectors of texts and says nothing that could be explained.")


def _no_position(position: int | None, path: Path) -> None:
    if position is not None:
        raise UsageError(f"--position {position}: {path} says one thing of a whole input.")


def _words(text: str | None, path: Path) -> str:
    """A text that was given."""
    if text is None:
        raise UsageError(f"{path} reads text; give it with --text.")
    if not text.strip():
        raise UsageError("The text is empty; give some words.")
    return text


def _label(
    path: Path,
    model: ClassifierNetwork,
    tokenizer: SequenceTokenizer,
    named: Callable[[int], str],
    text: str | None,
    image: Path | None,
    position: int | None,
) -> ExplainedInput:
    """The label that a classifier gives to a text."""
    text = _words(text, path)
    _no_position(position, path)
    (ids,) = read_texts(tokenizer, [text], model.config.context).sequences
    explained = ClassOfText(model, ids, tokenizer.special_ids, 0)
    with torch.no_grad():
        explained.targets = explained.logits(explained.everything())[0].argmax(-1)
    pieces = _pieces(ids, explained, named)
    return ExplainedInput(explained, pieces, model.config.labels.__getitem__, A_CLASSIFIER)


def _pieces(ids: np.ndarray, explained: Explained, named: Callable[[int], str]) -> list[str]:
    return [named(int(ids[place])) for place in explained.places.tolist()]


def names_of(folder: Path) -> Callable[[int], str]:
    """What the tokens of a folder's tokenizer are called."""
    tokenizer = open_tokenizer(folder)
    if isinstance(tokenizer, Tokenizer):
        return partial(spelled, tokenizer)
    return lambda token: str(tokenizer.reference.id_to_token(token))


def _gap(
    path: Path,
    model: MaskedLM,
    tokenizer: SequenceTokenizer,
    named: Callable[[int], str],
    text: str | None,
    image: Path | None,
    position: int | None,
) -> ExplainedInput:
    """A token of the text, from 1, as what fills its place when it is not shown."""
    text = _words(text, path)
    (ids,) = read_texts(tokenizer, [text], model.config.context).sequences
    if tokenizer.mask_id is None:
        raise HornbookError(f"{tokenizer.where} names no token for a gap.")
    own = [i for i, token in enumerate(ids.tolist()) if token not in tokenizer.special_ids]
    if position is None or not 1 <= position <= len(own):
        given = "" if position is None else f" {position}"
        raise UsageError(
            f"--position{given}: say which token of the text is to be filled in, 1 to {len(own):,}."
        )
    place = own[position - 1]
    target, ids[place] = int(ids[place]), tokenizer.mask_id
    explained = FilledWord(model, ids, tokenizer.special_ids, place, target)
    pieces = _pieces(ids, explained, named)
    return ExplainedInput(explained, pieces, named, AN_ENCODER, position)


def _translation(
    path: Path, opened: Translator, text: str | None, image: Path | None, position: int | None
) -> ExplainedInput:
    """A token of the translation, or all of it."""
    text = _words(text, path)
    (found,) = opened.translations([text], beam=1)
    (source,) = opened.tokenizer.encode_batch(
        [opened.prompts.of(None) + " ".join(text.split("\n"))]
    )
    written = found.token_ids
    if position is not None and not 1 <= position <= len(written):
        raise UsageError(
            f"--position {position}: the translation has tokens 1 to {len(written):,}."
        )
    asked_at = range(len(written)) if position is None else [position - 1]
    assert opened.tokenizer.eos_id is not None, "it was looked at before anything was translated"
    source = np.append(source, opened.tokenizer.eos_id).astype(np.int64)
    explained = TokensOfTranslation(opened.model, source, written, asked_at)

    def named(token: int) -> str:
        tokenizer = opened.tokenizer
        if isinstance(tokenizer, Tokenizer):
            return spelled(tokenizer, token)
        return tokenizer.decode([token])

    return ExplainedInput(
        explained, [named(token) for token in source[:-1].tolist()], named, A_TRANSLATOR,
        position, [named(token) for token in written],
    )  # fmt: skip


def _image(
    path: Path,
    folder: Path,
    model: ClassifierNetwork,
    text: str | None,
    file: Path | None,
    position: int | None,
) -> ExplainedInput:
    """The label of an image."""
    _no_position(position, path)
    if file is None:
        raise UsageError(f"{path} labels images; give one with --image.")
    config = load_pixels(folder)
    pixels = read_image(file, config.size, len(config.mean))
    mean, std = (torch.tensor(values)[:, None, None] for values in (config.mean, config.std))
    image = (torch.from_numpy(pixels.copy()).permute(2, 0, 1).float() / 255 - mean) / std
    explained = ClassOfImage(model, image[None], 0)
    with torch.no_grad():
        explained.targets = explained.logits(explained.everything())[0].argmax(-1)
    grid = round((explained.size) ** 0.5)
    pieces = [f"{number // grid + 1},{number % grid + 1}" for number in range(explained.size)]
    return ExplainedInput(
        explained, pieces, model.config.labels.__getitem__, A_CLASSIFIER, grid=grid
    )
