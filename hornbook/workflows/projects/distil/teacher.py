"""The teacher: opened, held against the student, and asked once about all that is learned from.

What it expects is stored in the run's folder in parts, each a stage of its own: a run that was
stopped while it was asked goes on where it was, and one that learns from it reads it as it is.
"""

import itertools
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import safe_open
from safetensors.numpy import save_file

from hornbook.batches.conversations import Example, stack
from hornbook.core.claims import Claim
from hornbook.core.clock import Clock
from hornbook.core.errors import UsageError
from hornbook.core.files import hash_json, require_space
from hornbook.core.stages import run_stage
from hornbook.models.causal_lm import CausalLM, CausalLMConfig
from hornbook.models.folder import load_config, load_model
from hornbook.tokenize.tokenizer import Tokenizer, read_files
from hornbook.training.distillation import expectations
from hornbook.training.forecast import timed
from hornbook.training.loop import LoopConfig
from hornbook.training.precision import product_type
from hornbook.workflows.projects.distil.request import DistilRequest
from hornbook.workflows.runs import folder as layout
from hornbook.workflows.runs.place import Place

FOLDER, _FILE, _SECONDS = ".teacher", "expected.safetensors", "seconds"
_STORING = Claim(layout.PART.maker, repairs=True)
_PART = 2**14
"""Targets of a part: what is lost, at most, where a run is stopped meanwhile."""
_AT_ONCE, _PROBED = 2048, 2048
"""Tokens that are read at once, and to learn how long one takes."""
_SHARE = 0.3
"""Of the time for learning, what asking the teacher may take: about three passes are then left."""
_PROBES = (
    "The hornbook, 1450 to 1750: a child's first page.\n\n  x = [1, 22, 333]  # don't",
    "Übung macht den Meister. 春眠不覺曉，處處聞啼鳥。 Привет, мир! 🙂 ٣٤٥",
)
"""Texts that two tokenizers must cut alike."""


class Teacher:
    """A decoder that is asked, and never trained. place: where it lies."""

    def __init__(self, place: Path) -> None:
        self.place = place
        config = load_config(place)
        if not isinstance(config, CausalLMConfig):
            raise UsageError(f"--teacher {place} holds no decoder.")
        self.config = config

    @property
    def parameters(self) -> int:
        """All of its weights."""
        return self.config.parameters()

    def open(self, device: str) -> CausalLM:
        """The model with its weights, as it is asked."""
        model = load_model(self.place, device, torch.float32)
        assert isinstance(model, CausalLM)
        return model.eval().requires_grad_(False)

    def require_like(self, student: Path) -> None:
        """Raises UsageError, naming the first difference, where its tokenizer is another one."""
        if found := _difference(read_files(self.place)[0], read_files(student)[0]):
            raise UsageError(
                f"--teacher {self.place} has another tokenizer than {student}: {found}. A student "
                "learns token by token from a teacher of the same tokenizer."
            )
        ours, theirs = Tokenizer.load(student), Tokenizer.load(self.place)
        for text in _PROBES:
            if ours.encode(text) != theirs.encode(text):
                raise UsageError(
                    f"--teacher {self.place} has the tokens of {student}, but cuts texts "
                    f"otherwise; an example is {text[:30]!r}."
                )


def _difference(theirs: Any, ours: Any) -> str | None:
    """How a teacher's tokenizer.json differs from a student's, None where ids mean the same."""
    (there, merges), (here, own) = _ids(theirs), _ids(ours)
    if len(there) != len(here):
        return f"it has {len(there):,} tokens, and here are {len(here):,}"
    for token, number in sorted(here.items(), key=lambda item: item[1]):
        if (other := there.get(token)) != number:
            as_theirs = "no token there" if other is None else f"token {other:,} there"
            return f"{token!r} is token {number:,} here and {as_theirs}"
    if merges != own:
        pairs = enumerate(zip(merges, own, strict=False))
        last = min(len(merges), len(own))
        place = next((i for i, (one, two) in pairs if one != two), last)
        return f"its rules for joining tokens are others, from rule {place + 1:,} on"
    return None


def _ids(values: Any) -> tuple[dict[str, int], list[tuple[str, ...]]]:
    """Each token with its id, added ones too, and what is joined in which order."""
    model = values["model"]
    vocab = model["vocab"]
    if not isinstance(vocab, dict):  # pieces with their scores, in the order of their ids
        vocab = {piece: number for number, (piece, _) in enumerate(vocab)}
    added = {token["content"]: token["id"] for token in values.get("added_tokens") or ()}
    merges = [
        tuple(one.split(" ", 1) if isinstance(one, str) else one)
        for one in model.get("merges") or ()
    ]
    return {**vocab, **added}, merges


class Stored:
    """What a teacher expects at the trained targets of examples, in parts on disk."""

    def __init__(self, folder: Path, counts: Sequence[int]) -> None:
        self._folder, self._counts = folder, counts
        self._opened: dict[int, Any] = {}

    @cached_property
    def _places(self) -> list[tuple[int, int]]:
        """Of each example: its part, and where it begins in it."""
        return [
            (part, at)
            for part, numbers in enumerate(_parts(self._counts))
            for at in _starts([self._counts[n] for n in numbers])
        ]

    @property
    def seconds(self) -> float:
        """That the teacher took for all of it, whenever that was."""
        return sum(
            float(self._file(part).metadata()[_SECONDS])
            for part, _ in enumerate(_parts(self._counts))
        )

    def _file(self, part: int) -> Any:
        if part not in self._opened:
            path = self._folder / f"{part:05}" / _FILE
            self._opened[part] = safe_open(path, framework="np")
        return self._opened[part]

    def __call__(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """The ids (N, K) and logs (N, K + 1) of an example's N targets."""
        part, at = self._places[number]
        rows, file = slice(at, at + self._counts[number]), self._file(part)
        return file.get_slice("ids")[rows], file.get_slice("logs")[rows]


def store(
    teacher: Teacher,
    model: CausalLM,
    examples: Sequence[Example],
    request: DistilRequest,
    where: tuple[LoopConfig, int, Place],
) -> Stored:
    """Ask the teacher about all targets, as far as it was not asked before.

    where: how it computes, ids of the tokenizer, the run. Raises HornbookError where the disk is
    too small.
    """
    loop, vocab, place = where
    folder, counts = place.folder / FOLDER, [targets_of(one) for one in examples]
    require_space(
        place.folder, expected_bytes(sum(counts), request, vocab), "What the teacher expects"
    )
    kept = {"teacher": request.teacher, "top_k": request.top_k, "temperature": request.temperature}
    with place.progress.bar("asking the teacher", sum(counts), "tokens") as advance:
        for part, numbers in enumerate(_parts(counts)):
            some = [examples[n] for n in numbers]
            inputs = {
                "stage": "teacher-1",
                "examples": hash_json([[one.ids.tolist(), one.trained.tolist()] for one in some]),
                "dtype": loop.dtype,
                **kept,
            }

            def build(aside: Path, some: Sequence[Example] = some) -> None:
                (ids, logs), took_s = timed(lambda: _asked(model, some, request, loop, vocab))
                seconds = {_SECONDS: f"{took_s:.6f}"}
                save_file({"ids": ids, "logs": logs}, aside / _FILE, seconds)

            run_stage(folder / f"{part:05}", _STORING, inputs, build)
            advance(sum(counts[n] for n in numbers))
    return Stored(folder, counts)


def _asked(
    model: CausalLM,
    examples: Sequence[Example],
    request: DistilRequest,
    loop: LoopConfig,
    vocab: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Ids and logs at all targets of some examples, in their order."""
    number = np.uint16 if vocab <= 2**16 else np.uint32
    count = min(request.top_k, vocab)
    found: dict[int, tuple[np.ndarray, np.ndarray]] = {}
    for places in _together(examples):
        longest = max(len(examples[i].ids) for i in places) - 1
        batch = stack([[examples[i]] for i in places], longest, 0).to(loop.device)
        with torch.no_grad(), product_type(loop.device, loop.dtype):
            ids, logs = expectations(model, batch, count, vocab, request.temperature)
        ends = np.cumsum([targets_of(examples[i]) for i in places])[:-1]
        arrays = (ids.cpu().numpy().astype(number), logs.cpu().numpy().astype(np.float16))
        pieces = (np.split(array, ends) for array in arrays)
        found |= dict(zip(places, zip(*pieces, strict=True), strict=True))
    both = zip(*(found[i] for i in range(len(examples))), strict=True)
    ids_of, logs_of = (np.concatenate(side) for side in both)
    return ids_of, logs_of


def in_time(model: CausalLM, examples: Sequence[Example], loop: LoopConfig, clock: Clock) -> int:
    """How many examples there is time to ask a teacher about; all without a limit."""
    if not clock.limited:
        return len(examples)
    lengths = [len(one.ids) for one in examples]
    probe = list(examples[: 1 + int(np.searchsorted(np.cumsum(lengths), _PROBED))])

    def ask() -> None:
        for places in _together(probe):
            longest = max(len(probe[i].ids) for i in places) - 1
            batch = stack([[probe[i]] for i in places], longest, 0).to(loop.device)
            with torch.no_grad(), product_type(loop.device, loop.dtype):
                expectations(model, batch, 1, model.vocab, 1.0)

    ask()  # kernels are prepared in the first
    token_s = timed(ask)[1] / sum(len(one.ids) for one in probe)
    mean = float(np.mean(lengths))
    return min(len(examples), max(1, int(_SHARE * max(0.0, clock.left_s()) / (token_s * mean))))


def targets_of(example: Example) -> int:
    """How many tokens of an example are learned."""
    return int(example.trained[1:].sum())


def expected_bytes(targets: int, request: DistilRequest, vocab: int) -> int:
    """What a teacher's expectations take on disk: ids and numbers of 16 bits."""
    count = min(request.top_k, vocab)
    return targets * (count * (2 if vocab <= 2**16 else 4) + 2 * (count + 1))


def _parts(counts: Sequence[int]) -> Iterator[list[int]]:
    """Numbers of examples whose targets are stored together."""
    places = np.cumsum(counts) // _PART
    for _, some in itertools.groupby(range(len(counts)), key=lambda number: places[number]):
        yield list(some)


def _starts(counts: Sequence[int]) -> list[int]:
    return [0, *np.cumsum(counts)[:-1].tolist()]


def _together(examples: Sequence[Example]) -> Iterator[list[int]]:
    """Places of examples that are read at once, of like lengths."""
    order = sorted(range(len(examples)), key=lambda i: len(examples[i].ids))
    some: list[int] = []
    for place in order:
        if some and (len(some) + 1) * len(examples[place].ids) > _AT_ONCE:
            yield some
            some = []
        some.append(place)
    if some:
        yield some
