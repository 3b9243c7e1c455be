"""What a claim works with: texts, labelled texts, one tokenizer, and runs that are shared.

Everything lies in folders by name, so that a claim that was stopped goes on, and what one claim
trained another one takes.
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from hornbook.core.files import hash_json
from hornbook.core.progress import Progress
from hornbook.core.stages import run_stage
from hornbook.corpus.build import build
from hornbook.corpus.corpus import Corpus
from hornbook.corpus.recipe import CorpusRecipe, recipe_of
from hornbook.corpus.subset import CorpusSubset
from hornbook.datasets.labelled import LabelledText
from hornbook.tokenize.train import train_tokenizer
from hornbook.workflows.claims.said import Twice
from hornbook.workflows.claims.sources import (
    TEXTS,
    called,
    labelled_of,
    other_of,
    text_of,
    write_lines,
)
from hornbook.workflows.runs import folder as layout
from hornbook.workflows.runs.project import Project
from hornbook.workflows.runs.run import run as train_project

PARTS = ("texts", "corpora", "tokenizers", "runs")
"""Folders of it."""
BYTES = 3_000_000
"""Of each text, what is learned from at scale 1."""
_VOCABULARY = 2048
_HELD_OUT = 100_000
"""Bytes: small models need little text to be measured on."""


class Lab:
    """folder: where all of it lies. data: real sets, None for what every machine has. scale: how
    much larger trials are than those that take half a minute on two cores.
    """

    def __init__(self, folder: Path, data: Path | None, scale: float, progress: Progress) -> None:
        self.folder, self.data, self.scale, self.progress = folder, data, scale, progress
        self.quiet = Progress(quiet=True)
        self._texts: dict[str, Corpus] = {}
        """Corpora that are open."""

    def scaled(self, count: float, least: int = 1) -> int:
        """A number of steps, tokens or texts that grows with the scale."""
        return max(least, round(count * self.scale))

    def text(self, name: str) -> Corpus:
        """A text of `sources.TEXTS` as a corpus, of as many bytes as there are or are needed."""
        if name not in self._texts:
            files = text_of(name, self.data, self.folder / "texts")
            wanted = TEXTS[name]
            place = self.folder / "corpora" / name
            recipe = recipe_of(wanted.recipe).model_copy(update={"validation_most": _HELD_OUT})
            whole = build(files, place, recipe, self.quiet)
            like = wanted.as_large_as
            most = self.text(like).mixture_bytes if like else self.scaled(BYTES)
            self._texts[name] = CorpusSubset(whole, min(most, whole.mixture_bytes), 0)
        return self._texts[name]

    def made(self, name: str, texts: Callable[[], Iterable[str]]) -> Corpus:
        """A corpus of texts that a claim makes itself; called again, it makes the same ones."""
        if name not in self._texts:
            file = self.folder / "texts" / f"{name}.jsonl"
            if not file.is_file():
                write_lines(file, texts())
            place = self.folder / "corpora" / name
            self._texts[name] = build(
                [file], place, CorpusRecipe(validation_most=_HELD_OUT), self.quiet
            )
        return self._texts[name]

    def labelled(self, name: str) -> list[LabelledText]:
        """The rows of `sources.LABELLED`, without copies."""
        return labelled_of(name, self.data)

    def other(self, name: str) -> Path | None:
        """The file or folder of `sources.OTHERS`, None where something stands in for it."""
        return other_of(name, self.data)

    def called(self, names: Sequence[str]) -> list[Twice]:
        """What the data sets of these names are, for people."""
        return [called(name, self.data) for name in names]

    def tokenizer(self) -> Path:
        """The folder of the one tokenizer, which learned from as much of the domain as of general
        text: neither is favoured, and figures of all models can be compared."""
        texts = [self.text(name) for name in ("domain", "general")]
        place = self.folder / "tokenizers" / f"x{self.scale:g}"
        most = min(corpus.mixture_bytes for corpus in texts)

        def work(aside: Path) -> None:
            parts = (CorpusSubset(corpus, most, 0).texts("train") for corpus in texts)
            train_tokenizer(chain.from_iterable(parts), _VOCABULARY, aside, self.quiet)

        inputs = {"stage": "claims-tokenizer-1", "of": [corpus.fingerprint for corpus in texts]}
        run_stage(place, layout.PART, inputs, work)
        return place

    def baselines(self, text: str) -> Path:
        """The folder of what a compressor makes of a text, which all runs on it share."""
        return self.folder / "runs" / f"floors-{text}"

    def train(self, name: str, seed: int, project: Project[Any, Any, Any], **values: Any) -> Path:
        """The folder of the finished run of a project, trained now, gone on with or reused.

        values: of its request. Its length is in tokens or passes, as minutes give each machine
        other results, but for claims about time. Raises as `runs.run` does; Interrupted with a
        checkpoint written.
        """
        request = project.request({**values, "seed": seed, "device": "cpu"})
        # By what was asked for: what is evaluated on is left out of corpora, and later runs differ.
        called = f"{name}-{seed}-{hash_json(request.plain())[:6]}"
        folder = self.folder / "runs" / f"x{self.scale:g}" / called
        stopped = (folder / layout.RECIPE).is_file() and not layout.is_finished(folder)
        self.progress.doing(f"training {name}")
        train_project(project, folder, request, resume=stopped, progress=self.quiet)
        return folder
