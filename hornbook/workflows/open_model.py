"""Open MODEL as every command means it: the weights and their tokenizer."""

from pathlib import Path

import torch

from hornbook.core.errors import HornbookError, UsageError
from hornbook.models.causal_lm import CausalLM
from hornbook.models.folder import load_model, resolve
from hornbook.tokenize.tokenizer import Tokenizer


def open_model(path: Path, device: str | None = None) -> tuple[CausalLM, Tokenizer]:
    """The model of a model or run folder, ready to generate, and its tokenizer.

    device: "cpu", "cuda", or None for the best there is. Raises UsageError or HornbookError naming
    what is missing.
    """
    folder = resolve(path)
    if device is None:
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cuda" and not torch.cuda.is_available():
        raise HornbookError("This machine has no GPU that torch can use; leave --device out.")
    model = load_model(folder, device).eval()
    if not isinstance(model, CausalLM):
        raise UsageError(f"{folder} holds no decoder: it does not continue text.")
    return model, Tokenizer.load(folder)
