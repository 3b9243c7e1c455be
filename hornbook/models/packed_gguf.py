"""A GGUF file as a model of torch's layers that stay quantised, for what has no shorter way.

No matrix becomes floats on the way, and token vectors stay in the file, which is mapped: the rows
of the tokens that come are turned into floats when they come.
"""

from functools import partial
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn

from hornbook.core.errors import HornbookError
from hornbook.core.gguf import GGUFFile
from hornbook.core.machine import return_freed_memory
from hornbook.kernels.quantised import QuantisedMatrix
from hornbook.models.causal_lm import CausalLM, CausalLMConfig
from hornbook.models.convert.family import TensorRule
from hornbook.models.folder import check_size, match
from hornbook.models.gguf import quantised
from hornbook.models.gguf.config import read_config, reordered
from hornbook.models.gguf.layouts import layouts_of, part_of
from hornbook.models.gguf.names import architecture_of
from hornbook.models.gguf.read import GGUFTensors
from hornbook.models.gguf.rotary import to_halves
from hornbook.models.gguf.sizes import EMBEDDING
from hornbook.models.pack import pack, stay_whole
from hornbook.nn.packed import takes


class FileEmbedding(nn.Module):
    """Token vectors read from the file: (B, T) int64 -> (B, T, D) float32."""

    def __init__(self, file: GGUFFile) -> None:
        super().__init__()
        self._rows = quantised.row_reader(file, EMBEDDING)

    def forward(self, tokens: Tensor) -> Tensor:
        rows = torch.from_numpy(self._rows(tokens.flatten().numpy()))
        return rows.view(*tokens.shape, -1)


def _are_matrices(rule: TensorRule) -> bool:
    """Whether they are weights of linear maps or of tokens, and not a parameter of a layer."""
    return all(name.endswith(".weight") for name in rule.ours)


def load_packed(path: Path) -> CausalLM:
    """The decoder of a GGUF file for the CPU. Matrices that the kernels do not take become float32.

    Raises HornbookError as `load_model` does.
    """
    file = GGUFFile(path)
    family, config = read_config(file)
    if not isinstance(config, CausalLMConfig):
        raise HornbookError(f"{path} holds no decoder: it does not continue text.")
    tensors, heads = GGUFTensors(file), reordered(family.model_type, config)
    check_size(config, tensors)
    model = cast(CausalLM, config.outline())
    match(family, model, tensors)  # before anything is read that is not what it should be
    parameters, whole = dict(model.named_parameters()), stay_whole(model)
    layouts = layouts_of(architecture_of(family) or "", config)
    stored: dict[str, tuple[str, slice]] = {}
    for rule in family.table(config, parameters):
        layout = layouts.get(part_of(rule.theirs))
        kept = (layout is None or layout.of_rows) and whole.isdisjoint(
            name.removesuffix(".weight") for name in rule.ours
        )
        if kept and _are_matrices(rule) and quantised.is_quantised(file, rule.theirs, takes):
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

    def source(name: str, linear: nn.Linear) -> QuantisedMatrix | None:
        if name not in stored:
            return None
        theirs, rows = stored[name]
        layout, own = layouts.get(part_of(theirs)), heads.get(theirs.split(".")[-2])
        halves = None if own is None else partial(to_halves, heads=own)
        return quantised.matrix(file, theirs, rows, layout.to_model if layout else halves)

    pack(model, source)
    return_freed_memory()
    if "embedding.token" in stored:
        model.embedding.token = FileEmbedding(file)  # type: ignore[assignment]
    return model.eval()
