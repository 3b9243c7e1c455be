"""A model as a GGUF file: names, order of rows, and which matrix is stored how.

Tensors are turned and written one at a time. Knows parameters; tokens come as metadata.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from hornbook.core.errors import HornbookError
from hornbook.core.files import atomic_file, require_space
from hornbook.models.causal_lm import CausalLM
from hornbook.models.convert.family import TensorRule
from hornbook.models.encoder import EncoderNetwork
from hornbook.models.gguf.config import reordered, write_config
from hornbook.models.gguf.layouts import StoredLayout, layouts_of, part_of
from hornbook.models.gguf.mixture import FILE_TYPES, FileType, ModelShape, stored_as
from hornbook.models.gguf.names import architecture_of
from hornbook.models.gguf.quantise.encode import EITHER, quantise
from hornbook.models.gguf.rotary import to_neighbours
from hornbook.models.gguf.sizes import ARCHITECTURE, HEADS

_QUANTISATION_VERSION = 2
_HALF = float(np.finfo(np.float16).max)
_LARGEST = {"F32": math.inf, "BF16": 3.38e38}
"""The largest weight of a type; of all others that of the half floats that their scales are."""


class StoredTensor(NamedTuple):
    """A tensor of a file: the rule that makes it, its shape and its type."""

    rule: TensorRule
    shape: tuple[int, ...]
    kind: str

    @property
    def name(self) -> str:
        """In the file."""
        return self.rule.theirs

    @property
    def bytes(self) -> int:
        """In the file."""
        import gguf

        block, size = gguf.GGML_QUANT_SIZES[gguf.GGMLQuantizationType[self.kind]]
        return math.prod(self.shape) // block * size


def write_gguf(
    model: CausalLM | EncoderNetwork,
    path: Path,
    kind: str,
    metadata: Mapping[str, Any],
    importance: Mapping[str, np.ndarray] | None = None,
) -> list[StoredTensor]:
    """Write `model` as one of FILE_TYPES; `path` appears when it is whole. Returns its tensors.

    metadata: of the tokenizer and whatever else the file is to say. importance: how much the
    squared error of a column counts, by the name of a tensor in the file; without an entry all
    columns count the same. Raises HornbookError when GGUF has no architecture for the model, a
    weight is no number or too large for the type, or the disk is full.
    """
    family, sizes, constant = write_config(model.config)
    parameters = dict(model.named_parameters())
    layouts = layouts_of(architecture_of(family) or "", model.config)
    # An encoder's token vectors have the bits of a head, as it has none.
    tied = not isinstance(model, CausalLM) or model.config.tied
    shape = _shape_of(sizes, tied, importance is not None)
    stored = [
        StoredTensor(rule, shaped, stored_as(rule.theirs, shaped, FILE_TYPES[kind], shape))
        for rule in family.table(model.config, parameters)
        for ours in [rule.shape(parameters)]
        for layout in [layouts.get(part_of(rule.theirs))]
        for shaped in [layout.shape(ours) if layout else ours]
    ]
    for tensor in stored:
        _check(tensor, parameters)
    heads = reordered(family.model_type, model.config)
    rows = _rows(stored, parameters, heads, layouts)
    stored = stored + [
        StoredTensor(TensorRule(name, ()), numbers.shape, "F32")
        for name, numbers in constant.items()
    ]
    require_space(path.parent, sum(tensor.bytes for tensor in stored), "The GGUF file")
    said = {
        "general.file_type": FILE_TYPES[kind].number,
        "general.quantization_version": _QUANTISATION_VERSION,
        **sizes,
        **metadata,
    }
    with atomic_file(path) as aside:
        every = chain(rows, (numbers[None] for numbers in constant.values()))
        columns = _even(stored, FILE_TYPES[kind]) | _laid_out(importance or {}, stored, layouts)
        _write(aside, said, stored, every, columns)
    return stored


def _write(
    path: Path,
    said: dict[str, Any],
    stored: Sequence[StoredTensor],
    rows: Iterator[np.ndarray],
    importance: Mapping[str, np.ndarray],
) -> None:
    """Header, keys, table and the tensors, whose rows are made when they are written."""
    import gguf

    writer = gguf.GGUFWriter(path, said.pop(ARCHITECTURE))
    try:
        for key, value in said.items():
            _add(writer, key, value)
        for name, shape, kind, size in ((t.name, t.shape, t.kind, t.bytes) for t in stored):
            type_ = gguf.GGMLQuantizationType[kind]
            writer.add_tensor_info(name, shape, np.dtype(np.float32), size, type_)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_ti_data_to_file()
        for tensor, floats in zip(stored, rows, strict=True):
            writer.write_tensor_data(quantise(floats, tensor.kind, importance.get(tensor.name)))
    finally:
        writer.close()


def _shape_of(sizes: Mapping[str, Any], tied: bool, weighed: bool) -> ModelShape:
    """What mixtures depend on, from the keys of a file."""
    name = sizes[ARCHITECTURE]
    heads = sizes[f"{name}.{HEADS}"]
    shared = heads // sizes.get(f"{name}.{HEADS}_kv", heads)
    return ModelShape(sizes[f"{name}.block_count"], shared, tied, weighed)


def _rows(
    stored: Sequence[StoredTensor],
    parameters: Mapping[str, Tensor],
    heads: Mapping[str, int],
    layouts: Mapping[str, StoredLayout],
) -> Iterator[np.ndarray]:
    """Each tensor's numbers in the order of the file, rows of float32."""
    for tensor in stored:
        rows = tensor.rule.pack(parameters).to(torch.float32).numpy()
        module = tensor.name.split(".")[-2]
        if module in heads:
            rows = to_neighbours(rows, heads[module])
        if (layout := layouts.get(part_of(tensor.name))) is not None:
            rows = layout.to_file(rows)
        yield np.ascontiguousarray(rows.reshape(-1, rows.shape[-1]))


def _even(stored: Sequence[StoredTensor], type_: FileType) -> dict[str, np.ndarray]:
    """The same importance for all columns of matrices that are stored in place of a K-quant: their
    codes are chosen as those of the others. A file of such a type as a whole is as others write it.
    """
    if type_.kind in EITHER:
        return {}
    return {
        tensor.name: np.ones(tensor.shape[-1], np.float32)
        for tensor in stored
        if tensor.kind in EITHER
    }


def _laid_out(
    importance: Mapping[str, np.ndarray],
    stored: Sequence[StoredTensor],
    layouts: Mapping[str, StoredLayout],
) -> dict[str, np.ndarray]:
    """Importance in the order that columns have in the file."""
    found = dict(importance)
    for name, columns in importance.items():
        if (layout := layouts.get(part_of(name))) is not None:
            ours = next(layout.ours(tensor.shape) for tensor in stored if tensor.name == name)
            rows = layout.to_file(np.broadcast_to(columns, ours))
            found[name] = rows.reshape(-1, rows.shape[-1])[0]
    return found


def _check(tensor: StoredTensor, parameters: Mapping[str, Tensor]) -> None:
    """Weights must be numbers, and scales 16-bit floats: what is beyond would become infinite."""
    largest = max(float(parameters[name].detach().abs().max()) for name in tensor.rule.ours)
    if not math.isfinite(largest):
        raise HornbookError(
            f"{tensor.name} holds NaN or infinite weights: the training that made them failed."
        )
    if largest > _LARGEST.get(tensor.kind, _HALF):
        raise HornbookError(
            f"{tensor.name} has weights up to {largest:g}, too large for {tensor.kind}; use f32."
        )


def _add(writer: Any, key: str, value: Any) -> None:
    """Add a key with the type that llama.cpp expects of such a value."""
    match value:
        case bool():
            writer.add_bool(key, value)
        case int():
            writer.add_uint32(key, value)
        case float():
            writer.add_float32(key, value)
        case str():
            writer.add_string(key, value)
        case _:
            writer.add_array(key, value)
