"""`load`: the one way to open MODEL, whatever it is, ready to use.

What it is stands in its folder or file, and is found before weights are read.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, TypeVar, overload

from hornbook.core.errors import UsageError
from hornbook.core.gguf import is_gguf, value_of
from hornbook.models.gguf.sizes import ARCHITECTURE, BERT
from hornbook.models.place import linear_folder, resolve
from hornbook.workflows.open.opened import Opened, wrong_kind

if TYPE_CHECKING:
    from hornbook.workflows.open.classifier import Classifier
    from hornbook.workflows.open.decoder import Decoder
    from hornbook.workflows.open.encoder import Encoder
    from hornbook.workflows.open.reranker import Reranker
    from hornbook.workflows.open.translator import Translator

_M = TypeVar("_M", bound=Opened)
Loaded: TypeAlias = "Decoder | Classifier | Translator | Encoder | Reranker"
"""What a model can be."""


@overload
def load(
    model: str | Path,
    *,
    device: str | None = None,
    weights: str | None = None,
    say: Callable[[str], None] | None = None,
) -> Loaded: ...
@overload
def load(
    model: str | Path,
    kind: type[_M],
    *,
    device: str | None = None,
    weights: str | None = None,
    say: Callable[[str], None] | None = None,
) -> _M: ...
def load(
    model: str | Path,
    kind: type[Opened] | None = None,
    *,
    device: str | None = None,
    weights: str | None = None,
    say: Callable[[str], None] | None = None,
) -> Opened:
    """A model, ready to use: a `Decoder`, `Classifier`, `Translator`, `Encoder` or
    `Reranker`.

    model: a model folder, a run folder, a .gguf file, or the name of a pulled model. kind: which of
    them it must be, for readers and type checkers. device: "cpu" or "cuda"; the best there is
    if not given. weights: of a decoder, "int4", "int8" or "float32"; a GGUF file's own codes, or
    float32, if not given; of an encoder, "float32" or "bfloat16", the faster if not given.
    say: is told, in a line, what makes it slower than it could be.

    Raises UsageError where there is no model or one of another kind, and HornbookError naming what
    is broken in its files.
    """
    path = Path(model).expanduser()
    found = kind_of(path)
    if kind is not None and found is not kind:
        raise wrong_kind(path, found, kind.abilities[0])
    if found.kind == "a decoder":
        from hornbook.workflows.open.decoder import open_decoder

        return open_decoder(path, device, weights, say)
    if found.kind == "an encoder":
        from hornbook.workflows.open.encoder import open_encoder

        return open_encoder(path, device, weights)
    if weights is not None:
        raise UsageError(
            f"--weights {weights}: {path} is {found.kind}; only decoders and encoders have it."
        )
    from hornbook.workflows.open.classifier import open_classifier
    from hornbook.workflows.open.reranker import open_reranker
    from hornbook.workflows.open.translator import open_translator

    others: dict[str, Callable[[Path, str | None], Opened]] = {
        "a classifier": open_classifier,
        "a reranker": open_reranker,
        "a translator": open_translator,
    }
    return others[found.kind](path, device)


def kind_of(path: Path) -> type[Opened]:
    """The class of what `load` would give. Reads no weights, and needs no torch for a GGUF file.

    Raises UsageError where there is no model.
    """
    if linear_folder(path) is not None:
        from hornbook.workflows.open.classifier import Classifier

        return Classifier
    place = resolve(path)
    if is_gguf(place) and value_of(place, ARCHITECTURE) != BERT:
        from hornbook.workflows.open.decoder import Decoder

        return Decoder
    from hornbook.models.causal_lm import CausalLMConfig
    from hornbook.models.classifier import ClassifierConfig
    from hornbook.models.encoder import EncoderConfig
    from hornbook.models.folder import load_config
    from hornbook.models.masked_lm import MaskedLMConfig
    from hornbook.models.seq2seq import Seq2SeqConfig
    from hornbook.workflows.open.classifier import Classifier
    from hornbook.workflows.open.decoder import Decoder
    from hornbook.workflows.open.encoder import Encoder
    from hornbook.workflows.open.reranker import Reranker
    from hornbook.workflows.open.translator import Translator

    kinds: dict[type, type[Opened]] = {
        CausalLMConfig: Decoder,
        ClassifierConfig: Classifier,
        EncoderConfig: Encoder,
        MaskedLMConfig: Encoder,
        Seq2SeqConfig: Translator,
    }
    config = load_config(place)
    if isinstance(config, ClassifierConfig) and len(config.labels) == 1:
        return Reranker  # one label tells nothing apart: its logit is a score
    return kinds[type(config)]
