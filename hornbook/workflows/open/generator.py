"""Open MODEL to generate with it, as fast and as small as this machine can.

A GGUF file of codes or of floats of 16 bits goes through our own kernels, and torch is not even
imported; whatever else it is, torch computes.
"""

from collections.abc import Callable
from pathlib import Path

from hornbook import kernels as native
from hornbook.core.errors import unknown
from hornbook.core.gguf import GGUFFile, is_gguf
from hornbook.core.machine import may_have_gpu, pick_device, return_freed_memory
from hornbook.generate.decode import SequenceModel
from hornbook.generate.native_decoder import NativeDecoder
from hornbook.models.gguf.decoder import read_decoder
from hornbook.models.gguf.quantised import is_mostly_quantised
from hornbook.models.place import resolve
from hornbook.tokenize.tokenizer import Tokenizer

WEIGHTS = ("float32", "int8", "int4")
"""How a decoder's matrices may be kept while it generates."""


def open_generator(
    path: Path,
    device: str | None = None,
    weights: str | None = None,
    say: Callable[[str], None] | None = None,
) -> tuple[SequenceModel, Tokenizer]:
    """A decoder made ready to generate as fast as this machine can, and its tokenizer.

    weights: int4 or int8 to run with codes of so many bits, float32 for all digits; None runs a
    GGUF file's own codes on a CPU, and other models in float32. say: is told, in a line, when codes
    run in torch's kernels, which are slower, instead of ours. Raises what `open_model` raises,
    and UsageError for codes on another device than a CPU.
    """
    place = resolve(path)
    if weights is not None and weights not in WEIGHTS:
        raise unknown("weights", weights, WEIGHTS)
    if weights is None and is_gguf(place) and _is_cpu(device):
        file = GGUFFile(place)
        if is_mostly_quantised(file) and native.library():
            # First, as it takes for a moment much more than it keeps.
            tokenizer = Tokenizer.load(place, file)
            return_freed_memory()
            if found := read_decoder(file):
                del file  # the texts of its header
                return_freed_memory()
                return NativeDecoder(found), tokenizer
    from hornbook.workflows.open.model import open_with_torch

    return open_with_torch(place, device, weights, say)


def _is_cpu(device: str | None) -> bool:
    """Whether a device means the CPU; torch is asked only where there may be a GPU."""
    if device is None and may_have_gpu():
        return pick_device(None) == "cpu"
    return device in (None, "cpu")
