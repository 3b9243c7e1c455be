"""The stages before the last: read, tag, near duplicates, overlaps with evaluation data, tokens.

Each is a folder beside the corpus that is reused when nothing of its inputs changed.
"""

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np

from hornbook.core.claims import Claim
from hornbook.core.files import save_array, write_json
from hornbook.core.pool import Runner
from hornbook.core.progress import Progress
from hornbook.core.stages import fingerprint as stage_fingerprint
from hornbook.core.stages import run_stage
from hornbook.corpus.corpus import MAKER
from hornbook.corpus.decontaminate import OverlapIndex, OverlapTask, overlap_part, read_items
from hornbook.corpus.document_files import parts, text_batches
from hornbook.corpus.duplicates import GROUPS, LEAKS, LIKENESS, SignTask, find_near
from hornbook.corpus.ingest import read_all, source_of_part
from hornbook.corpus.recipe import REST, CorpusRecipe
from hornbook.corpus.rules import RULES
from hornbook.corpus.tag import TagTask, tag_part
from hornbook.corpus.verdicts import NearGroups
from hornbook.read.locations import AnyPath
from hornbook.read.sources import fingerprint

VERSIONS = {"read": "read-3", "tags": "tags-6", "near": "near-4", "overlap": "2", "tokens": "1"}
"""Parts of the stages' fingerprints: change one when the same inputs would give something else."""
STAGE = Claim(MAKER, repairs=True)
"""Stages lie hidden beside a corpus, whose place says what they are of."""
HITS, SHARES, FOUND = "hits.json", "shares.npy", "found.npy"
_BATCH = 4 * 2**20


@dataclass(frozen=True)
class Count:
    """How tokens are counted. lengths: of each of some texts; picklable. facts: of the tokenizer.

    fingerprint: equal for two that count alike. folder: of the tokenizer, which becomes a part of
    the corpus; None for one that the user has.
    """

    lengths: Callable[[list[str]], list[int]]
    facts: dict[str, Any]
    fingerprint: str
    folder: Path | None


class Tokens(Protocol):
    """Who says how tokens are counted, when it is known which text is trained on.

    inputs: plain data that decides the answer.
    """

    inputs: dict[str, Any]

    def __call__(self, texts: Iterator[str], size: int, folder: Path) -> Count:
        """texts: a sample of the training side, of `size` bytes. folder: for a new tokenizer."""


class Sources(NamedTuple):
    """What is read: files in order, and Python's documentation or not; and evaluation files."""

    files: list[AnyPath]
    pydocs: bool
    against: list[AnyPath]


@dataclass
class Pipeline:
    """What all stages need: where they lie, what they are made from, and who does them."""

    root: Path
    sources: Sources
    recipe: CorpusRecipe
    runner: Runner
    progress: Progress

    @property
    def read(self) -> Path:
        """The folder of documents as they were read."""
        return self.root / "read"

    @property
    def tags(self) -> Path:
        """The folder of tags."""
        return self.root / "tags"

    def discard(self) -> None:
        """Leave no empty folder where no stage was finished."""
        with contextlib.suppress(OSError):
            self.root.rmdir()

    def run_read(self) -> None:
        """Read all sources."""
        recipe, sources = self.recipe, self.sources
        inputs = {
            "stage": VERSIONS["read"],
            "sources": self.source_prints,
            "units": {name: source.match for name, source in recipe.sources.items()},
            "text_field": recipe.text_field,
            "strict": recipe.strict,
        }

        def work(aside: Path) -> None:
            read_all(sources.files, sources.pydocs, aside, recipe, self.runner, self.progress)

        run_stage(self.read, STAGE, inputs, work)

    @cached_property
    def files(self) -> list[Path]:
        """The parts of what was read, in order."""
        return parts(self.read)

    def source_of(self, part: str) -> str:
        """The source that a part's documents are of."""
        return source_of_part(self.read, part)

    def run_tags(self) -> None:
        """Tag every document."""
        recipe = self.recipe
        sources = {self.source_of(part.name) for part in self.files}
        chosen = {name: recipe.rules_of(name) for name in sorted(sources)}
        inputs = {
            "stage": VERSIONS["tags"],
            "read": stage_fingerprint(self.read),
            "languages": recipe.languages,
            "language_share": recipe.language_share,
            "rules": chosen,
            "rule_files": self.rule_prints,
        }

        def work(aside: Path) -> None:
            tasks = [
                TagTask(
                    f,
                    aside / f.name,
                    recipe.languages,
                    recipe.language_share,
                    chosen[self.source_of(f.name)],
                )
                for f in self.files
            ]
            hits: dict[str, Counter[str]] = {
                k: Counter() for rules in chosen.values() for k in rules
            }
            with self.progress.bar("tagging", len(tasks), "parts") as advance:
                for found in self.runner.map(tag_part, tasks):
                    for kind, counts in found.items():
                        hits[kind].update(counts)
                    advance(1)
            write_json(aside / HITS, hits)

        run_stage(self.tags, STAGE, inputs, work)

    @cached_property
    def items(self) -> OverlapIndex | None:
        """What no document may give away."""
        if not self.sources.against:
            return None
        return read_items(
            self.sources.against,
            self.recipe.overlap,
            lambda item: self.progress.say(f"  left out of what no document may hold: {item}"),
        )

    def run_near(self) -> NearGroups | None:
        """Find near duplicates, or None where the recipe looks for none."""
        recipe, folder = self.recipe, self.root / "near"
        if recipe.near_mode == "ignore":
            return None
        inputs = {
            "stage": VERSIONS["near"],
            "tags": stage_fingerprint(self.tags),
            "near": recipe.near.plain(),
            "against": self.against_prints,
        }

        def work(aside: Path) -> None:
            tasks = [SignTask(f, self.tags / f.name, recipe.near) for f in self.files]
            texts = self.items.texts if self.items else []
            find_near(tasks, aside, recipe.near, texts, self.runner)

        run_stage(folder, STAGE, inputs, work)
        return NearGroups(*(np.load(folder / name) for name in (GROUPS, LIKENESS, LEAKS)))

    def run_overlap(self) -> tuple[np.ndarray, np.ndarray] | None:
        """(N,) the share of an evaluation item that each document holds, and which item it is."""
        if not self.sources.against:
            return None
        folder = self.root / "overlap"
        inputs = {
            "stage": VERSIONS["overlap"],
            "read": stage_fingerprint(self.read),
            "against": self.against_prints,
            "overlap": self.recipe.overlap.plain(),
        }

        def work(aside: Path) -> None:
            assert self.items is not None
            tasks = [OverlapTask(f, self.items, self.recipe.overlap) for f in self.files]
            shares, found = zip(*self.runner.map(overlap_part, tasks), strict=True)
            save_array(aside / SHARES, np.concatenate(shares))
            save_array(aside / FOUND, np.concatenate(found))

        run_stage(folder, STAGE, inputs, work)
        return np.load(folder / SHARES), np.load(folder / FOUND)

    def run_tokens(self, count: Count) -> np.ndarray:
        """(N,) int64: tokens of every document as it was read."""
        folder = self.root / "tokens"
        inputs = {
            "stage": VERSIONS["tokens"],
            "read": stage_fingerprint(self.read),
            "tokenizer": count.fingerprint,
        }

        def work(aside: Path) -> None:
            tasks = [CountTask(f, count) for f in self.files]
            with self.progress.bar("counting tokens", len(tasks), "parts") as advance:
                found = []
                for lengths in self.runner.map(count_part, tasks):
                    found.append(lengths)
                    advance(1)
            save_array(aside / FOUND, np.concatenate(found))

        run_stage(folder, STAGE, inputs, work)
        tokens: np.ndarray = np.load(folder / FOUND)
        return tokens

    @cached_property
    def source_prints(self) -> list[str]:
        """What decides the result of reading."""
        return fingerprint(self.sources.files, self.sources.pydocs)

    @cached_property
    def rule_prints(self) -> list[str]:
        """Of the files that rules of any source read: models and lists of words."""
        rules = [
            RULES[kind].parse(values, kind)
            for name in (REST, *self.recipe.sources)
            for kind, values in self.recipe.rules_of(name).items()
        ]
        return fingerprint(sorted({file for rule in rules for file in rule.files()}), False)

    @cached_property
    def against_prints(self) -> list[str]:
        """Of the evaluation files."""
        return fingerprint(self.sources.against, False)


class CountTask(NamedTuple):
    """documents: the part whose tokens are counted."""

    documents: Path
    tokens: Count


def count_part(task: CountTask) -> np.ndarray:
    """(N,) int64 tokens of each document of a part."""
    batches = text_batches(task.documents, _BATCH)
    found = [length for _, texts in batches for length in task.tokens.lengths(texts)]
    return np.array(found, np.int64)
