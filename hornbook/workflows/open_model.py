"""Open MODEL as every command means it: the weights and their tokenizer."""

from pathlib import Path

from hornbook.core.errors import UsageError
from hornbook.core.machine import pick_device
from hornbook.models.causal_lm import CausalLM
from hornbook.models.folder import load_model, resolve
from hornbook.models.seq2seq import Seq2Seq
from hornbook.tokenize.tokenizer import Tokenizer


def open_model(path: Path, device: str | None = None) -> tuple[CausalLM, Tokenizer]:
    """The decoder of a model or run folder, ready to generate, and its tokenizer.

    device: "cpu", "cuda", or None for the best there is. Raises UsageError or HornbookError naming
    what is missing, or that the model is none that continues text.
    """
    folder, device = resolve(path), pick_device(device)
    model = load_model(folder, device).eval()
    if not isinstance(model, CausalLM):
        raise UsageError(f"{folder} holds no decoder: it does not continue text.")
    return model, Tokenizer.load(folder)


def open_translator(path: Path, device: str | None = None) -> tuple[Seq2Seq, Tokenizer]:
    """The encoder-decoder of a model or run folder and its tokenizer, as `open_model` does."""
    folder, device = resolve(path), pick_device(device)
    model = load_model(folder, device).eval()
    if not isinstance(model, Seq2Seq):
        raise UsageError(f"{folder} holds no encoder-decoder: it does not translate.")
    return model, Tokenizer.load(folder)
