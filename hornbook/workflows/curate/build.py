"""`build_corpus`: documents to a corpus that models are trained on, in one call."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hornbook.core.pool import runner_of
from hornbook.core.progress import Progress
from hornbook.corpus.corpus import Corpus
from hornbook.corpus.recipe import CorpusRecipe, recipe_of
from hornbook.workflows.curate.corpus import VOCABULARY, make_corpus


def build_corpus(
    sources: str | Path | Sequence[str | Path],
    folder: str | Path,
    *,
    recipe: str | None = None,
    tokenizer: str | Path | None = None,
    vocab_size: int = VOCABULARY,
    progress: bool = False,
    **values: Any,
) -> Corpus:
    """Read documents, keep what the recipe keeps, hold out a part, and write a data card.

    sources: files, folders or addresses, as `hornbook corpus build` takes them. folder: the corpus'
    own; what is there already is reused. recipe: a YAML file or a built-in name. values: its keys,
    over the recipe's (`CorpusRecipe`). tokenizer: of a folder, a model or a GGUF file, to count by,
    instead of a new one of `vocab_size` tokens. progress: say what is being done, on stderr.

    Raises UsageError for what is not there or does not fit together, before any work, and
    HornbookError where no document is left.
    """
    settled = recipe_of(recipe)
    if values:
        settled = CorpusRecipe.parse({**settled.plain(), **values}, "corpus")
        settled.check()
    return make_corpus(
        [sources] if isinstance(sources, str | Path) else list(sources),
        Path(folder),
        settled,
        runner_of("local"),
        Progress(quiet=not progress),
        Path(tokenizer) if tokenizer else None,
        vocab_size,
    )
