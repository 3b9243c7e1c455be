"""A model that makes vectors of texts, ready to use."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import torch

from hornbook.core.errors import UsageError, unknown
from hornbook.core.machine import has_bfloat16, pick_device
from hornbook.models.encoder import EncoderConfig, EncoderNetwork
from hornbook.models.folder import load_model
from hornbook.models.masked_lm import MaskedLM, MaskedLMConfig
from hornbook.models.place import resolve
from hornbook.models.prompts import Prompts, read_prompts
from hornbook.models.sentences import Embedded, embed_stream
from hornbook.nn.fast_linear import with_fast_linear
from hornbook.tokenize.sequences import SequenceTokenizer
from hornbook.workflows.open.opened import Opened, texts_of
from hornbook.workflows.open.quick_encoder import POOLING, other_pooling

WEIGHTS = ("float32", "bfloat16")


class Encoder(Opened):
    """A model that makes vectors of texts.

    width: numbers of a vector. prompts: what stands before a text, by its role.
    """

    kind, abilities = "an encoder", ("embed", "stream")

    def __init__(
        self,
        path: Path,
        model: EncoderNetwork,
        tokenizer: SequenceTokenizer,
        prompts: Prompts | None = None,
    ) -> None:
        super().__init__(path)
        self.model, self.tokenizer, self.prompts = model, tokenizer, prompts or Prompts({})
        self.width = model.config.width

    def embed(
        self, texts: str | Iterable[str], longest: int | None = None, prompt: str | None = None
    ) -> np.ndarray:
        """(D,) float32 for a text, (N, D) in their order for several, each of length one.

        The vector of a text without a token is zero.

        longest: tokens that are read of a text, at most and by default the model's context.
        prompt: the role of the texts, "query" or "passage", or another name that the model has a
        prompt for; what its folder says stands before each. `stream` says which texts were cut.
        Raises UsageError for what is no text, another prompt or a `longest` that cannot be, and
        HornbookError for half a surrogate pair.
        """
        parts = self.stream([texts] if isinstance(texts, str) else texts, longest, prompt)
        nothing = np.zeros((0, self.width), np.float32)
        found = np.concatenate([nothing, *(part.vectors for part in parts)])
        return found[0] if isinstance(texts, str) else found

    def stream(
        self, texts: Iterable[str], longest: int | None = None, prompt: str | None = None
    ) -> Iterator[Embedded]:
        """As `embed`, a part at a time, in memory that is bounded: for texts without end."""
        context = self.model.config.context
        if longest is not None and not 1 <= longest <= context:
            raise UsageError(f"--longest {longest}: must be 1 to {context:,}.")
        before = self.prompts.of(prompt)
        return embed_stream(self.model, self.tokenizer, texts_of(texts), longest, before)


def open_encoder(path: Path, device: str | None = None, weights: str | None = None) -> Encoder:
    """The encoder of a model or run folder; of a model that fills in words, what its head reads.

    device: "cpu", "cuda", or None for the best there is. weights: "float32", "bfloat16", or None
    for the faster: bfloat16 where the processor multiplies it, which moves a vector by less than
    a hundredth of its length. Raises UsageError or HornbookError naming what is missing, or that
    the model makes its vectors in another way.
    """
    device = pick_device(device)
    if weights not in (None, *WEIGHTS):
        raise unknown("weights", weights, WEIGHTS)
    if weights is None:
        weights = "bfloat16" if device == "cpu" and has_bfloat16() else "float32"
    encoder = _opened(path, device, getattr(torch, weights))
    with_fast_linear(encoder.model)
    return encoder


def open_to_train(path: Path, device: str) -> Encoder:
    """As `open_encoder`, in float32 and with layers that can be trained."""
    return _opened(path, device, torch.float32)


def _opened(path: Path, device: str, dtype: torch.dtype) -> Encoder:
    folder = resolve(path)
    model = load_model(folder, device, dtype).eval()
    if isinstance(model, MaskedLM):
        model = _without_head(model)
    assert isinstance(model, EncoderNetwork)
    if (other := other_pooling(folder)) is not None:
        raise UsageError(f"{folder / POOLING} asks for {other}; only the mean is known here.")
    return Encoder(path, model, SequenceTokenizer.load(folder), read_prompts(folder))


def body_of(config: MaskedLMConfig) -> EncoderConfig:
    """What the head that fills in words reads."""
    names = ("vocab", "width", "context", "embedding", "stack", "pooling")
    return EncoderConfig(**{name: getattr(config, name) for name in names})


def _without_head(model: MaskedLM) -> EncoderNetwork:
    found = body_of(model.config).outline()
    assert isinstance(found, EncoderNetwork)
    found.embedding, found.stack = model.embedding, model.stack
    return found.eval()
