"""The tensors of a GGUF file, each turned into float32 when it is asked for.

Looks to `folder` like the safetensors of a folder. Raises HornbookError naming file and tensor.
"""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from hornbook.core.gguf import GGUFFile
from hornbook.models.gguf.config import read_config, reordered
from hornbook.models.gguf.layouts import layouts_of, part_of
from hornbook.models.gguf.names import architecture_of
from hornbook.models.gguf.quantised import floats
from hornbook.models.gguf.rotary import to_halves
from hornbook.models.place import no_numbers


class GGUFTensors:
    """The tensors of a file by name. folder: its path. config: what says how large they are.

    What is read is float32, with the rows of queries and keys in our order: one tensor at a time,
    so that beside the model there is never more than the largest of them.
    """

    config = "its metadata"

    def __init__(self, file: GGUFFile) -> None:
        self.folder, self._file = file.path, file
        family, config = read_config(self._file)
        self._heads = reordered(family.model_type, config)
        self._layouts = layouts_of(architecture_of(family) or "", config)

    def names(self) -> list[str]:
        """All names, sorted."""
        return sorted(self._file.tensors)

    def path(self, name: str) -> Path:
        """The file that holds a tensor."""
        return self.folder

    def shape(self, name: str) -> tuple[int, ...]:
        """A tensor's shape, without reading it."""
        shape, layout = self._file.tensors[name].shape, self._layouts.get(part_of(name))
        ours = layout.ours(shape) if layout else shape
        return ours if layout and layout.shape(ours) == shape else shape

    def read(self, name: str) -> Tensor:
        """A tensor as float32 on the CPU."""
        rows = floats(self._file, name)
        module = name.split(".")[-2]
        if module in self._heads:
            rows = to_halves(rows, self._heads[module])
        if (layout := self._layouts.get(part_of(name))) is not None:
            with np.errstate(invalid="ignore", divide="ignore"):
                rows = layout.to_model(rows)
            if not np.isfinite(rows).all():
                raise no_numbers(self.folder, name)
        return torch.from_numpy(np.require(rows, requirements=("C", "W")))
