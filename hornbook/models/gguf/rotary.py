"""The order of query and key rows where GGUF's models rotate neighbouring channels together.

Ours, as Hugging Face's, rotates channel i with channel i + C/2 of a head. Both are the same when
the rows of the two projections are reordered within each head.
"""

import numpy as np


def interleaved(architecture: str, heads: int, kv_heads: int) -> dict[str, int]:
    """The modules whose rows are reordered, with their heads; none in most architectures."""
    turned = architecture in ("llama", "smollm3", "granite")
    return {"attn_q": heads, "attn_k": kv_heads} if turned else {}


def to_neighbours(rows: np.ndarray, heads: int) -> np.ndarray:
    """(heads * C, ...) with halves together -> the same rows with neighbours together."""
    return rows.reshape(heads, 2, -1, *rows.shape[1:]).swapaxes(1, 2).reshape(rows.shape)


def to_halves(rows: np.ndarray, heads: int) -> np.ndarray:
    """Undo `to_neighbours`."""
    return rows.reshape(heads, -1, 2, *rows.shape[1:]).swapaxes(1, 2).reshape(rows.shape)
