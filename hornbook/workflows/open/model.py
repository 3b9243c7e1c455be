"""Open a decoder with torch: its weights and its tokenizer."""

from collections.abc import Callable
from pathlib import Path

from hornbook import kernels as native
from hornbook.core.errors import UsageError
from hornbook.core.gguf import GGUFFile, is_gguf
from hornbook.core.machine import pick_device
from hornbook.generate.decode import SequenceModel
from hornbook.generate.native_decoder import NativeDecoder
from hornbook.generate.single_token import single_token_decoder
from hornbook.models.causal_lm import CausalLM
from hornbook.models.folder import load_model
from hornbook.models.gguf.quantised import is_mostly_quantised
from hornbook.models.graphed import graphed
from hornbook.models.kernel_weights import decoder_weights
from hornbook.models.pack import from_weights, pack
from hornbook.models.packed_gguf import load_packed
from hornbook.models.place import resolve
from hornbook.nn.fast_linear import with_fast_linear
from hornbook.nn.packed import kernel_works, takes
from hornbook.tokenize.tokenizer import Tokenizer


def open_model(path: Path, device: str | None = None) -> tuple[CausalLM, Tokenizer]:
    """The decoder of a model or run folder, ready to generate, and its tokenizer.

    device: "cpu", "cuda", or None for the best there is. Raises UsageError or HornbookError naming
    what is missing, or that the model is none that continues text.
    """
    model, tokenizer = _decoder(path, device)
    with_fast_linear(model)
    return model, tokenizer


def open_to_score(path: Path, device: str | None = None) -> tuple[CausalLM, Tokenizer]:
    """As `open_model`, but a GGUF file on a CPU is computed with as when it generates: its own
    codes in our kernels, where they can be had."""
    folder, device = resolve(path), pick_device(device)
    if native.library() and _has_codes(folder, device):
        return load_packed(folder), Tokenizer.load(folder)
    return open_model(path, device)


def _has_codes(folder: Path, device: str) -> bool:
    """Whether this is a file of codes that there are kernels for."""
    if device != "cpu" or not is_gguf(folder):
        return False
    return is_mostly_quantised(GGUFFile(folder), takes) and kernel_works()


def _decoder(path: Path, device: str | None) -> tuple[CausalLM, Tokenizer]:
    folder, device = resolve(path), pick_device(device)
    model = load_model(folder, device).eval()
    if not isinstance(model, CausalLM):
        raise UsageError(f"{folder} holds no decoder: it does not continue text.")
    return model, Tokenizer.load(folder)


def open_with_torch(
    path: Path, device: str | None, weights: str | None, say: Callable[[str], None] | None
) -> tuple[SequenceModel, Tokenizer]:
    """What `open_generator` opens where torch is needed: floats, packed floats, other files."""
    folder, device = resolve(path), pick_device(device)
    if weights in ("int4", "int8"):
        if device != "cpu":
            raise UsageError(f"--weights {weights} runs on the CPU only; leave --device out.")
        model, tokenizer = _decoder(path, device)
        if not kernel_works():
            raise UsageError(f"This torch has no kernel for --weights {weights} on this machine.")
        return _fastest(pack(model, from_weights(4 if weights == "int4" else 8)), say), tokenizer
    if weights is None and _has_codes(folder, device):
        tokenizer = Tokenizer.load(folder)
        return _fastest(load_packed(folder), say), tokenizer
    model, tokenizer = open_model(path, device)
    return graphed(model), tokenizer


def _fastest(model: CausalLM, say: Callable[[str], None] | None) -> SequenceModel:
    """The fastest way through a packed decoder that this machine has."""
    if say and (reason := native.missing()):
        say(f"Slower than it could be, in torch's kernels: {reason}.")
    weights = decoder_weights(model)
    return NativeDecoder(weights) if weights else single_token_decoder(model) or model
