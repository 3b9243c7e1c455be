"""A model as a GGUF file: names, order of rows, and how each matrix is stored.

Tensors are turned and written one at a time. Knows parameters; tokens come as metadata.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from hornbook.core.errors import HornbookError
from hornbook.core.files import atomic_file, require_space
from hornbook.models.causal_lm import CausalLM
from hornbook.models.convert.family import TensorRule
from hornbook.models.gguf.config import reordered, write_config
from hornbook.models.gguf.rotary import to_neighbours
from hornbook.models.gguf.sizes import ARCHITECTURE, EMBEDDING, HEAD

Kind = Literal["f32", "f16", "q8_0", "q4_0"]
FILE_TYPES: dict[Kind, int] = {"f32": 0, "f16": 1, "q8_0": 7, "q4_0": 2}
"""How most of a file is stored, and llama.cpp's number for it."""

_QUANTISATION_VERSION = 2
_BLOCK = 32
"""Weights of a row that share a scale in Q8_0 and Q4_0."""


class _Stored(NamedTuple):
    """A tensor of the file: the rule that makes it, its shape and its type."""

    rule: TensorRule
    shape: tuple[int, ...]
    kind: str


def write_gguf(model: CausalLM, path: Path, kind: Kind, tokens: Mapping[str, Any]) -> None:
    """Write `model` as `kind` with the metadata of its tokenizer; `path` appears when it is whole.

    Norms, biases and learned positions stay float32. In q4_0 the head, or an embedding that is
    also the head, is Q8_0: its errors reach every logit. Rows that no block divides are F16.
    Raises HornbookError when GGUF has no architecture for the model, a weight is too large for
    16 bits, or the disk is full.
    """
    import gguf

    family, metadata = write_config(model.config)
    parameters = dict(model.named_parameters())
    stored = [
        _Stored(rule, shape, _kind(rule.theirs, shape, kind, model.config.tied))
        for rule in family.table(model.config, parameters)
        for shape in [rule.shape(parameters)]
    ]
    require_space(path.parent, sum(map(_bytes, stored)), "The GGUF file")
    heads = reordered(family.model_type, model.config)
    with atomic_file(path) as aside:
        writer = gguf.GGUFWriter(aside, metadata.pop(ARCHITECTURE))
        try:
            writer.add_file_type(FILE_TYPES[kind])
            writer.add_quantization_version(_QUANTISATION_VERSION)
            for key, value in {**metadata, **tokens}.items():
                _add(writer, key, value)
            for tensor in stored:
                type_ = gguf.GGMLQuantizationType[tensor.kind]
                writer.add_tensor_info(
                    tensor.rule.theirs, tensor.shape, np.dtype(np.float32), _bytes(tensor), type_
                )
            writer.write_header_to_file()
            writer.write_kv_data_to_file()
            writer.write_ti_data_to_file()
            for tensor in stored:
                writer.write_tensor_data(_packed(tensor, parameters, heads))
        finally:
            writer.close()


def _kind(name: str, shape: tuple[int, ...], kind: Kind, tied: bool) -> str:
    """How a tensor is stored in a file of a kind."""
    if len(shape) == 1 or name == "position_embd.weight" or kind == "f32":
        return "F32"
    if kind == "f16" or shape[-1] % _BLOCK:
        return "F16"
    if kind == "q4_0" and name == (EMBEDDING if tied else HEAD):
        return "Q8_0"
    return kind.upper()


def _bytes(tensor: _Stored) -> int:
    import gguf

    block, block_bytes = gguf.GGML_QUANT_SIZES[gguf.GGMLQuantizationType[tensor.kind]]
    return int(np.prod(tensor.shape)) // block * block_bytes


def _packed(tensor: _Stored, parameters: Mapping[str, Tensor], heads: Mapping[str, int]) -> Any:
    """A tensor's numbers as they lie in the file."""
    import gguf

    name = tensor.rule.theirs
    rows = tensor.rule.pack(parameters).to(torch.float32).numpy()
    module = name.split(".")[-2]
    if module in heads:
        rows = to_neighbours(rows, heads[module])
    _check(name, rows, tensor.kind)
    return gguf.quantize(np.ascontiguousarray(rows), gguf.GGMLQuantizationType[tensor.kind])


def _check(name: str, rows: np.ndarray, kind: str) -> None:
    """Scales and F16 weights are 16-bit floats; what is beyond them would become infinite."""
    largest = float(np.abs(rows).max())
    if kind != "F32" and not largest <= float(np.finfo(np.float16).max):
        raise HornbookError(f"{name} has weights up to {largest:g}, too large for {kind}; use f32.")


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
