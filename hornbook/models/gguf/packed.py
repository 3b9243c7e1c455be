"""A GGUF file as a model of torch's layers that stay quantised, for what has no shorter way.

No matrix becomes floats on the way, and token vectors stay in the file, which is mapped: the rows
of the tokens that come are turned into floats when they come.
"""

from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn

from hornbook.core.gguf import GGUFFile
from hornbook.core.machine import return_freed_memory
from hornbook.kernels.quantised import Matrix
from hornbook.models.causal_lm import CausalLM
from hornbook.models.folder import check_size, match
from hornbook.models.gguf import quantised
from hornbook.models.gguf.config import read_config, reordered
from hornbook.models.gguf.read import GGUFTensors
from hornbook.models.gguf.sizes import EMBEDDING
from hornbook.models.pack import pack
from hornbook.nn.packed import takes


class FileEmbedding(nn.Module):
    """Token vectors read from the file: (B, T) int64 -> (B, T, D) float32."""

    def __init__(self, file: GGUFFile) -> None:
        super().__init__()
        self._rows = quantised.row_reader(file, EMBEDDING)

    def forward(self, tokens: Tensor) -> Tensor:
        rows = torch.from_numpy(self._rows(tokens.flatten().numpy()))
        return rows.view(*tokens.shape, -1)


def load_packed(path: Path) -> CausalLM:
    """The decoder of a GGUF file for the CPU. Matrices that the kernels do not take become float32.

    Raises HornbookError as `load_model` does.
    """
    file = GGUFFile(path)
    family, config = read_config(file)
    tensors, heads = GGUFTensors(file), reordered(family.model_type, config)
    check_size(config, tensors)
    model = cast(CausalLM, config.outline())
    match(family, model, tensors)  # before anything is read that is not what it should be
    parameters = dict(model.named_parameters())
    stored: dict[str, tuple[str, slice]] = {}
    for rule in family.table(config, parameters):
        if quantised.is_quantised(file, rule.theirs, takes):
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
        return quantised.matrix(file, theirs, rows, heads.get(theirs.split(".")[-2]))

    pack(model, source)
    return_freed_memory()
    if "embedding.token" in stored:
        model.embedding.token = FileEmbedding(file)  # type: ignore[assignment]
    return model.eval()
