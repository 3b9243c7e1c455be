"""Checkpoints in parts, each written by the process that holds it (torch's distributed checkpoints,
in safetensors): any number of processes reads them again.

What writes and reads them takes most of a second to import, and is imported where it is needed.
"""

import warnings
from collections.abc import Mapping
from concurrent.futures import Future
from pathlib import Path

import torch
from torch import Tensor

from hornbook.core.errors import HornbookError
from hornbook.training.parallel.team import Team
from hornbook.training.state import TrainState, Written

_PARTS = "parts"
_WEIGHT, _MOMENT = "weight:", "moment:"


def has_parts(checkpoint: Path) -> bool:
    """Whether a checkpoint was written in parts."""
    return (checkpoint / _PARTS).is_dir()


def write_parts(
    checkpoint: Path, weights: Mapping[str, Tensor], state: TrainState, team: Team
) -> Written:
    """Begin to write what this process holds of the weights and of their moments, which it copies;
    all write at once. What is returned raises what went wrong with any of them."""
    from torch.distributed.checkpoint.api import CheckpointException
    from torch.distributed.checkpoint.hf_storage import HuggingFaceStorageWriter
    from torch.distributed.checkpoint.state_dict_saver import async_save

    folder = checkpoint / _PARTS
    if team.leads:
        folder.mkdir()
    team.meet()
    tensors = {_WEIGHT + name: weight.detach() for name, weight in weights.items()}
    tensors |= {_MOMENT + key: moment for key, moment in state.optimiser.state().items()}
    writer = HuggingFaceStorageWriter(str(folder), save_distributed=True)
    writing = async_save(tensors, storage_writer=writer, process_group=team.saving)
    assert isinstance(writing, Future), "the copy is made by now"

    def written() -> None:
        try:
            writing.result()
        except CheckpointException as error:  # which is no Exception
            raise next(iter(error.failures.values()))[0] from None

    return written


def read_parts(
    checkpoint: Path, weights: Mapping[str, Tensor], state: TrainState, team: Team | None = None
) -> str | None:
    """The weights, whole ones or this process's parts of them, and their moments; returns what is
    wrong with the files. team: where each process reads its part, and all read at once.

    Raises HornbookError where they are of another model.
    """
    from torch.distributed.checkpoint.hf_storage import HuggingFaceStorageReader
    from torch.distributed.checkpoint.metadata import TensorStorageMetadata
    from torch.distributed.checkpoint.state_dict_loader import load

    reader = HuggingFaceStorageReader(str(checkpoint / _PARTS))
    there = {
        name: tuple(about.size)
        for name, about in reader.read_metadata().state_dict_metadata.items()
        if isinstance(about, TensorStorageMetadata)
    }
    for name, weight in weights.items():
        if there.get(_WEIGHT + name) != tuple(weight.shape):
            raise HornbookError(f"{checkpoint} was written by another model: {name} differs.")
    moments = {
        key.removeprefix(_MOMENT): _like(
            weights[key.removeprefix(_MOMENT).rpartition("/")[0]], size
        )
        for key, size in there.items()
        if key.startswith(_MOMENT)
    }
    tensors = {_WEIGHT + name: weight.detach() for name, weight in weights.items()}
    tensors |= {_MOMENT + key: moment for key, moment in moments.items()}
    with warnings.catch_warnings():  # that one process reads is what is meant
        warnings.filterwarnings("ignore", message="torch.distributed is disabled")
        load(
            tensors,
            storage_reader=reader,
            process_group=team and team.orders,
            no_dist=team is None,
        )
    state.optimiser.load_state(moments)
    return None


def _like(weight: Tensor, size: tuple[int, ...]) -> Tensor:
    """Room for a moment of a weight: as the weight is, or a number."""
    if size == tuple(weight.shape):
        return torch.zeros_like(weight, requires_grad=False)
    return torch.zeros(size)
