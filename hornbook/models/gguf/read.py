"""The tensors of a GGUF file, each turned into float32 when it is asked for.

Looks to `folder` like the safetensors of a folder. Raises HornbookError naming file and tensor.
"""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from hornbook.core.errors import HornbookError
from hornbook.core.gguf import GGUFFile
from hornbook.models.gguf.config import read_config
from hornbook.models.gguf.rotary import interleaved, to_halves
from hornbook.tokenize.gguf import TOKENS


class GGUFTensors:
    """The tensors of a file by name. folder: its path. config: what says how large they are.

    What is read is float32, with the rows of queries and keys in our order: one tensor at a time,
    so that beside the model there is never more than the largest of them.
    """

    config = "its metadata"

    def __init__(self, file: GGUFFile) -> None:
        self.folder, self._file = file.path, file
        family, config = read_config(self._file)
        self._heads = interleaved(family.model_type, config)
        tokens = self._file.values.get(TOKENS)
        if tokens is not None and len(tokens) != config.vocab:
            raise HornbookError(
                f"{file.path} has {len(tokens)} tokens, but embeddings for {config.vocab}."
            )

    def names(self) -> list[str]:
        """All names, sorted."""
        return sorted(self._file.tensors)

    def path(self, name: str) -> Path:
        """The file that holds a tensor."""
        return self.folder

    def shape(self, name: str) -> tuple[int, ...]:
        """A tensor's shape, without reading it."""
        return self._file.tensors[name].shape

    def read(self, name: str) -> Tensor:
        """A tensor as float32 on the CPU."""
        rows = _floats(self._file, name)
        module = name.split(".")[-2]
        if module in self._heads:
            rows = to_halves(rows, self._heads[module])
        return torch.from_numpy(np.require(rows, requirements=("C", "W")))


def _floats(file: GGUFFile, name: str) -> np.ndarray:
    """A tensor as float32 in the order in which it is stored."""
    import gguf

    place = file.tensors[name]
    stored = file.read(name)
    if place.kind == "F64":
        return stored.view(np.float64).astype(np.float32)
    try:
        floats: np.ndarray = gguf.dequantize(stored, gguf.GGMLQuantizationType[place.kind])
    except NotImplementedError:
        raise HornbookError(
            f"{file.path}: {name} is stored as {place.kind}, which cannot be turned into floats. "
            "Ask for the same model as F16, Q8_0, Q4_K or the like."
        ) from None
    return floats
