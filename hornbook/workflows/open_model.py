"""Open MODEL as every command means it: the weights and their tokenizer."""

from collections.abc import Callable
from pathlib import Path

from hornbook.core.errors import UsageError, unknown
from hornbook.core.gguf import is_gguf
from hornbook.core.machine import pick_device
from hornbook.generate.lean import LeanDecoder, lean
from hornbook.generate.native_decoder import NativeDecoder, native_decoder
from hornbook.generate.speculate import ModelDrafter, PromptLookup
from hornbook.models.causal_lm import CausalLM
from hornbook.models.folder import load_model
from hornbook.models.gguf.packed import has_codes, load_packed
from hornbook.models.pack import from_weights, pack
from hornbook.models.place import resolve
from hornbook.models.seq2seq import Seq2Seq
from hornbook.nn import native
from hornbook.nn.fast_linear import with_fast_linear
from hornbook.nn.packed import kernel_works
from hornbook.tokenize.tokenizer import Tokenizer

Generator = CausalLM | LeanDecoder | NativeDecoder
WEIGHTS = ("float32", "int8", "int4")
"""How a decoder's matrices may be kept while it generates."""
LOOKUP = "lookup"
"""The name of the drafter that looks into the text so far."""


def open_model(path: Path, device: str | None = None) -> tuple[CausalLM, Tokenizer]:
    """The decoder of a model or run folder, ready to generate, and its tokenizer.

    device: "cpu", "cuda", or None for the best there is. Raises UsageError or HornbookError naming
    what is missing, or that the model is none that continues text.
    """
    model, tokenizer = _decoder(path, device)
    with_fast_linear(model)
    return model, tokenizer


def _decoder(path: Path, device: str | None) -> tuple[CausalLM, Tokenizer]:
    folder, device = resolve(path), pick_device(device)
    model = load_model(folder, device).eval()
    if not isinstance(model, CausalLM):
        raise UsageError(f"{folder} holds no decoder: it does not continue text.")
    return model, Tokenizer.load(folder)


def open_generator(
    path: Path,
    device: str | None = None,
    weights: str | None = None,
    say: Callable[[str], None] | None = None,
) -> tuple[Generator, Tokenizer]:
    """A decoder made ready to generate as fast as this machine can, and its tokenizer.

    weights: int4 or int8 to run with codes of so many bits, float32 for all digits; None runs a
    GGUF file's own codes on a CPU, and other models in float32. say: is told, in a line, when codes
    run in torch's kernels, which are slower, instead of ours. Raises what `open_model` raises,
    and UsageError for codes on another device than a CPU.
    """
    folder, device = resolve(path), pick_device(device)
    if weights is not None and weights not in WEIGHTS:
        raise unknown("weights", weights, WEIGHTS)
    if weights in ("int4", "int8") and device != "cpu":
        raise UsageError(f"--weights {weights} runs on the CPU only; leave --device {device} out.")
    coded = weights is None and device == "cpu" and is_gguf(folder)
    if coded and has_codes(folder) and kernel_works():
        tokenizer = Tokenizer.load(folder)
        return _fastest(load_packed(folder), say), tokenizer
    if weights in ("int4", "int8"):
        model, tokenizer = _decoder(path, device)
        if not kernel_works():
            raise UsageError(f"This torch has no kernel for --weights {weights} on this machine.")
        return _fastest(pack(model, from_weights(4 if weights == "int4" else 8)), say), tokenizer
    return open_model(path, device)


def open_drafter(
    name: str, tokenizer: Tokenizer, device: str | None = None
) -> PromptLookup | ModelDrafter:
    """Who guesses ahead for a model with this tokenizer: "lookup", or a model by its path.

    Raises UsageError for a model that has another tokenizer, and what `open_generator` raises.
    """
    if name == LOOKUP:
        return PromptLookup()
    model, own = open_generator(Path(name), device)
    if own.fingerprint != tokenizer.fingerprint:
        raise UsageError(f"{name} has another tokenizer: its guesses would be of other tokens.")
    return ModelDrafter(model)


def _fastest(model: CausalLM, say: Callable[[str], None] | None) -> Generator:
    """The fastest way through a packed decoder that this machine has."""
    if say and (reason := native.missing()):
        say(f"Slower than it could be, in torch's kernels: {reason}.")
    return native_decoder(model) or lean(model) or model


def open_translator(path: Path, device: str | None = None) -> tuple[Seq2Seq, Tokenizer]:
    """The encoder-decoder of a model or run folder and its tokenizer, as `open_model` does."""
    folder, device = resolve(path), pick_device(device)
    model = load_model(folder, device).eval()
    if not isinstance(model, Seq2Seq):
        raise UsageError(f"{folder} holds no encoder-decoder: it does not translate.")
    with_fast_linear(model)
    return model, Tokenizer.load(folder)
