"""A GGUF file straight into a packed decoder: blocks of codes become the kernel's codes.

No matrix becomes floats on the way, and token vectors stay in the file, which is mapped: the rows
of the tokens that come are turned into floats when they come. Knows blocks; knows no kernels.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from hornbook.core.gguf import GGUFFile
from hornbook.core.machine import return_freed_memory
from hornbook.models.causal_lm import CausalLM
from hornbook.models.gguf.config import read_config
from hornbook.models.gguf.names import EMBEDDING
from hornbook.models.gguf.read import GGUFTensors
from hornbook.models.gguf.rotary import interleaved, to_halves
from hornbook.models.pack import pack
from hornbook.nn.packed import ROWS, Codes, Matrix, can_pack

BITS = {"Q4_0": 4, "Q4_1": 4, "Q8_0": 8}
"""Types whose blocks of 32 are codes with a scale, as the kernel's groups are."""


class FileEmbedding(nn.Module):
    """Token vectors read from the file: (B, T) int64 -> (B, T, D) float32."""

    def __init__(self, file: GGUFFile) -> None:
        super().__init__()
        self._rows, self._kind = file.read(EMBEDDING), file.tensors[EMBEDDING].kind

    def forward(self, tokens: Tensor) -> Tensor:
        import gguf

        rows = self._rows[tokens.flatten().numpy()]
        floats = gguf.dequantize(rows, gguf.GGMLQuantizationType[self._kind])
        return torch.from_numpy(floats.astype(np.float32)).view(*tokens.shape, -1)


def load_packed(path: Path) -> CausalLM:
    """The decoder of a GGUF file for the CPU. Matrices of other types than `BITS` become float32.

    Raises HornbookError as `load_model` does.
    """
    file = GGUFFile(path)
    family, config = read_config(file)
    model = cast(CausalLM, config.outline())
    tensors, heads = GGUFTensors(file), interleaved(family.model_type, config)
    parameters = dict(model.named_parameters())
    stored: dict[str, tuple[str, slice]] = {}
    for rule in family.table(config, parameters):
        if _is_coded(file, rule.theirs):
            start = 0
            for name in rule.ours:
                stop = start + parameters[name].shape[0]
                stored[name.removesuffix(".weight")] = rule.theirs, slice(start, stop)
                start = stop
            continue
        made = {name: torch.empty(parameters[name].shape) for name in rule.ours}
        rule.unpack(tensors.read(rule.theirs), made)
        for name, weight in made.items():
            module, _, own = name.rpartition(".")
            setattr(model.get_submodule(module), own, nn.Parameter(weight, requires_grad=False))
    if config.tied and "embedding.token" in stored:
        stored["head"] = EMBEDDING, slice(None)
    elif config.tied:
        model.tie()

    def source(name: str, linear: nn.Linear) -> Matrix | None:
        if name not in stored:
            return None
        theirs, rows = stored[name]
        kind = file.tensors[theirs].kind
        turned = heads.get(theirs.split(".")[-2])
        outputs, inputs = linear.weight.shape
        return Matrix(outputs, inputs, BITS[kind], _parts(file, theirs, rows, turned))

    pack(model, source)
    return_freed_memory()
    if "embedding.token" in stored:
        model.embedding.token = FileEmbedding(file)  # type: ignore[assignment]
    return model.eval()


def has_codes(path: Path) -> bool:
    """Whether most of a file's weights are stored as the kernel takes them."""
    file = GGUFFile(path)
    sizes = {name: place.bytes for name, place in file.tensors.items()}
    coded = sum(size for name, size in sizes.items() if _is_coded(file, name))
    return 2 * coded > sum(sizes.values())


def _is_coded(file: GGUFFile, name: str) -> bool:
    place = file.tensors[name]
    return place.kind in BITS and len(place.shape) == 2 and can_pack(*place.shape)


def _parts(file: GGUFFile, name: str, rows: slice, heads: int | None) -> Iterator[Codes]:
    """The codes of a matrix's rows; those of `heads` in our order, which mixes all of them."""
    stored, kind = file.read(name)[rows], file.tensors[name].kind
    if heads is not None:
        stored = to_halves(stored, heads)
    for start in range(0, len(stored), ROWS):
        yield _codes(stored[start : start + ROWS], kind)
    file.forget()


def _codes(stored: np.ndarray, kind: str) -> Codes:
    """(N, bytes) blocks as codes."""
    rows = len(stored)
    if kind == "Q8_0":  # float16 scale, 32 int8
        blocks = stored.reshape(rows, -1, 34)
        scale = _halves(blocks[..., :2])
        code = blocks[..., 2:] ^ 128  # int8 plus 128
        least = -128 * scale
    else:  # float16 scale, for Q4_1 the least as well, then 16 bytes of two codes
        head = 4 if kind == "Q4_1" else 2
        blocks = stored.reshape(rows, -1, head + 16)
        scale = _halves(blocks[..., :2])
        least = _halves(blocks[..., 2:4]) if kind == "Q4_1" else -8 * scale
        pairs = blocks[..., head:]
        code = np.concatenate([pairs & 15, pairs >> 4], -1)
    parts = (code.reshape(rows, -1), scale, least)
    return Codes(*(torch.from_numpy(np.ascontiguousarray(part)) for part in parts))


def _halves(pairs: np.ndarray) -> np.ndarray:
    """float16 in two bytes each, as (N, blocks) float32."""
    return np.ascontiguousarray(pairs).view(np.float16)[..., 0].astype(np.float32)
