"""The classifier family: any backbone, a pooling part and a linear head. It names what it is
given.
"""

from collections.abc import Mapping, Sequence
from typing import Self

import pydantic
from torch import Tensor, nn

from hornbook.core.errors import HornbookError
from hornbook.models import causal_lm, encoder
from hornbook.models.causal_lm import CausalLMConfig
from hornbook.models.encoder import EncoderConfig, whole
from hornbook.models.masked_lm import MaskedLMConfig
from hornbook.models.model import Model, ModelConfig
from hornbook.nn.embedding import EmbeddingConfig
from hornbook.nn.initialise import Initialiser, fan_in, initialise
from hornbook.nn.patches import PatchesConfig
from hornbook.nn.pooling import LastConfig, PoolingConfig
from hornbook.nn.residual import PostNormConfig
from hornbook.nn.stack import StackConfig


class ClassifierConfig(ModelConfig):
    """A backbone and what judges it.

    vocab: None where the embedding reads images. causal: whether positions see earlier ones only.
    bias: the head adds one. labels: the classes' names in the order of the logits.
    """

    vocab: int | None
    embedding: EmbeddingConfig | PatchesConfig
    stack: StackConfig
    causal: bool
    pooling: PoolingConfig
    bias: bool
    labels: tuple[str, ...]

    @pydantic.model_validator(mode="after")
    def _fits(self) -> Self:
        if (self.vocab is None) != isinstance(self.embedding, PatchesConfig):
            raise ValueError("a vocabulary is what token embeddings have, and patches have not")
        if len(set(self.labels)) != len(self.labels):
            raise ValueError("two labels have the same name")
        return self

    def empty(self) -> "ClassifierNetwork":
        return ClassifierNetwork(self)

    def parameters(self) -> int:
        return (
            self._embedding_parameters()
            + self.stack.parameters(self.width)
            + self.pooling.parameters(self.width)
            + len(self.labels) * (self.width + self.bias)
        )

    def stacks(self) -> Mapping[str, StackConfig]:
        return {"stack": self.stack}

    def build_embedding(self) -> nn.Module:
        """What makes vectors of the input, whichever it is."""
        if isinstance(self.embedding, PatchesConfig):
            return self.embedding.build(self.width)
        return self.embedding.build(self.vocab or 0, self.width)

    def _embedding_parameters(self) -> int:
        if isinstance(self.embedding, PatchesConfig):
            return self.embedding.parameters(self.width)
        return self.embedding.parameters(self.vocab or 0, self.width)


def on_encoder(backbone: EncoderConfig | MaskedLMConfig, labels: Sequence[str]) -> ClassifierConfig:
    """The classifier of the backbone's family: its pooler, and a head (Devlin et al. 2019)."""
    return ClassifierConfig(
        width=backbone.width,
        context=backbone.context,
        vocab=backbone.vocab,
        embedding=backbone.embedding,
        stack=backbone.stack,
        causal=False,
        pooling=backbone.pooling,
        bias=True,
        labels=tuple(labels),
    )


def on_decoder(backbone: CausalLMConfig, labels: Sequence[str]) -> ClassifierConfig:
    """A decoder's classifier: a head on the last token (Radford et al. 2018)."""
    return ClassifierConfig(
        width=backbone.width,
        context=backbone.context,
        vocab=backbone.vocab,
        embedding=backbone.embedding,
        stack=backbone.stack,
        causal=True,
        pooling=LastConfig(),
        bias=False,
        labels=tuple(labels),
    )


def on_backbone(
    backbone: ModelConfig, labels: Sequence[str], pooling: PoolingConfig | None = None
) -> ClassifierConfig:
    """The classifier of any backbone that reads tokens; that of a classifier may have other labels.

    pooling: None for what the backbone's own family has. Raises HornbookError for a backbone that
    is none: one that reads images, or two texts at once.
    """
    match backbone:
        case CausalLMConfig():
            found = on_decoder(backbone, labels)
        case EncoderConfig() | MaskedLMConfig():
            found = on_encoder(backbone, labels)
        case ClassifierConfig(vocab=int()):
            found = backbone.model_copy(update={"labels": tuple(labels)})
        case _:
            raise HornbookError(
                "This model reads no single text: a backbone for classification is an encoder, a "
                "model that fills in words, or one that continues text."
            )
    if pooling is not None and pooling != found.pooling:
        found = found.model_copy(update={"pooling": pooling, "bias": True})
    return found


def _initial(stack: StackConfig) -> Sequence[tuple[str, Initialiser]]:
    """The table of the backbone's own family."""
    layers = [layer for block in stack.pattern for layer in block]
    post_norm = any(isinstance(layer, PostNormConfig) for layer in layers)
    if post_norm:
        return encoder.INITIAL
    return (*causal_lm.INITIAL, ("pooling.*.weight", fan_in()))


class ClassifierNetwork(Model):
    """tokens (B, T) or images (B, C, H, W) -> logits (B, L)"""

    config: ClassifierConfig

    def __init__(self, config: ClassifierConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = config.build_embedding()
        self.stack = config.stack.build(config.width)
        self.pooling = config.pooling.build(config.width)
        self.head = nn.Linear(config.width, len(config.labels), bias=config.bias)

    def reset(self, seed: int) -> None:
        initialise(self, _initial(self.config.stack), seed)

    def tie(self) -> None:
        """Nothing is tied."""

    def forward(
        self, inputs: Tensor, valid: Tensor | None = None, types: Tensor | None = None
    ) -> Tensor:
        """Logits of the labels.

        inputs: (B, T) int64 tokens, or (B, C, H, W) normalised pixels, which have neither `valid`
        (B, T) bool, True = real, nor `types` (B, T) int64.
        """
        logits: Tensor = self.head(self.pooling(self.features(inputs, valid, types), valid))
        return logits

    def gathered(self, inputs: Tensor, valid: Tensor | None = None) -> Tensor:
        """What `ClassifierHead` goes on from, (B, D)."""
        return self.pooling.gather(self.features(inputs, valid), valid)

    def features(
        self, inputs: Tensor, valid: Tensor | None = None, types: Tensor | None = None
    ) -> Tensor:
        """What is pooled, (B, T, D)."""
        ctx = whole(self._tokens(inputs), inputs.device, valid, self.config.causal)
        if self.config.vocab is None:
            x = self.embedding(inputs)
        else:
            x = self.embedding(inputs, ctx.pos, types)
        y: Tensor = self.stack(x, ctx)
        return y

    def _tokens(self, inputs: Tensor) -> int:
        return self.config.context if self.config.vocab is None else inputs.shape[1]


class ClassifierHead(nn.Module):
    """What a classifier does with what its pooling gathered: (B, D) -> logits (B, L).

    Its parameters are the classifier's own, so to train it on vectors computed once is to train
    the classifier with a backbone that stays.
    """

    def __init__(self, model: ClassifierNetwork) -> None:
        super().__init__()
        self.pooling, self.head = model.pooling, model.head

    def forward(self, gathered: Tensor, valid: Tensor | None = None) -> Tensor:
        logits: Tensor = self.head(self.pooling.transform(gathered))
        return logits
