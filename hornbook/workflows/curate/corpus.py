"""A corpus: documents kept and counted, tokens, a card to read."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from hornbook.batches.shards import offsets_of
from hornbook.core.claims import Claim
from hornbook.core.files import read_json, write_text
from hornbook.core.folders import add, atomic_folder, discard
from hornbook.core.pool import Runner
from hornbook.core.progress import Progress
from hornbook.core.stages import fingerprint
from hornbook.corpus.build import KEY, TOKENIZER, build, claim_of, stages_of
from hornbook.corpus.corpus import MAKER, Corpus
from hornbook.corpus.forget import forget_document
from hornbook.corpus.pipeline import STAGE, Count
from hornbook.corpus.recipe import CorpusRecipe
from hornbook.corpus.trace import trace_document
from hornbook.tokenize.tokenizer import Tokenizer
from hornbook.tokenize.train import train_tokenizer
from hornbook.workflows.curate.encode import SHARDS, SPLITS, prepare_shards
from hornbook.workflows.curate.report import card_page
from hornbook.workflows.runs import lineage

PAGE = "card.html"
VOCABULARY = 16_384


@dataclass(frozen=True)
class Lengths:
    """Tokens of texts by the tokenizer of a folder; it goes to other processes by its name.

    fingerprint: of the tokenizer, as another may take its place in the folder.
    """

    folder: Path
    fingerprint: str

    def __call__(self, texts: list[str]) -> list[int]:
        return [len(ids) for ids in _tokenizer(self.folder, self.fingerprint).encode_batch(texts)]


class GivenTokenizer:
    """Count by a tokenizer that the user has."""

    def __init__(self, folder: Path) -> None:
        self.tokenizer, self.folder = Tokenizer.load(folder), folder
        self.inputs: dict[str, Any] = {"tokenizer": self.tokenizer.fingerprint}

    def __call__(self, texts: Iterator[str], size: int, folder: Path) -> Count:
        return _count(self.tokenizer, self.folder, str(self.folder), None)


class TrainedTokenizer:
    """Count by a tokenizer that is trained on the text itself and becomes a part of the corpus."""

    def __init__(self, vocabulary: int, progress: Progress) -> None:
        self.vocabulary, self.progress = vocabulary, progress
        self.inputs: dict[str, Any] = {"vocabulary": vocabulary}

    def __call__(self, texts: Iterator[str], size: int, folder: Path) -> Count:
        with atomic_folder(folder, STAGE) as aside:
            train_tokenizer(texts, self.vocabulary, aside, self.progress, size)
        return _count(Tokenizer.load(folder), folder, f"{TOKENIZER}/", folder)


def make_corpus(
    sources: Sequence[str | Path],
    out: Path,
    recipe: CorpusRecipe,
    runner: Runner,
    progress: Progress,
    tokenizer: Path | None = None,
    vocabulary: int = VOCABULARY,
) -> Corpus:
    """Build a corpus, its tokens and the page of its card into the folder `out`.

    tokenizer: a folder or GGUF file to count and encode with; None to train one of `vocabulary`
    tokens on the training side. What is there already is reused. Raises what `build` raises.
    """
    tokens = GivenTokenizer(tokenizer) if tokenizer else TrainedTokenizer(vocabulary, progress)

    def finish(corpus: Corpus) -> None:
        own = Tokenizer.load(tokenizer or corpus.folder / TOKENIZER)
        prepare_shards(corpus, own, corpus.folder / SHARDS, progress, Claim(MAKER))
        _write_page(corpus.folder)

    corpus = build(sources, out, recipe, progress, runner=runner, tokens=tokens, finish=finish)
    if fingerprint(out / SHARDS) is None or not (out / PAGE).is_file():  # something was forgotten
        add(out, claim_of(sources), SHARDS, PAGE)
        finish(corpus)
    return corpus


def trace(folder: Path, id: str) -> dict[str, Any]:
    """The facts of `trace_document`, and for a kept document `tokens`: where its tokens lie.

    Each {side, shard, offset, tokens}: several where it is cut into sections or seen several times.
    """
    found = trace_document(folder, id)
    if found["kept"]:
        found["tokens"] = [
            {"side": side, **row}
            for side in SPLITS
            if (folder / SHARDS / side).is_dir()
            for row in offsets_of(folder / SHARDS / side, id)
        ]
    return found


def forget(folder: Path, id: str) -> dict[str, Any]:
    """Take a document out of a corpus; its tokens and the stages, which hold it, are deleted.

    Returns the facts of `forget_document` and `models`: runs that were trained on the corpus while
    it held the document. They still hold what they learned.
    """
    found = forget_document(folder, id, _write_page)
    stages = stages_of(folder)
    for path in stages.iterdir() if stages.is_dir() else ():
        if path.name != KEY:  # pseudonyms stay what they are
            discard(path)
    return {**found, "models": lineage.trained_on(found["was"])}


def _count(tokenizer: Tokenizer, folder: Path, name: str, own: Path | None) -> Count:
    facts = {"name": name, "vocabulary": tokenizer.vocab_size}
    lengths = Lengths(folder, tokenizer.fingerprint)
    return Count(lengths, facts, tokenizer.fingerprint, own)


def _write_page(folder: Path) -> None:
    write_text(folder / PAGE, card_page(read_json(folder / "card.json")))


@lru_cache(maxsize=1)
def _tokenizer(folder: Path, fingerprint: str) -> Tokenizer:
    return Tokenizer.load(folder)
