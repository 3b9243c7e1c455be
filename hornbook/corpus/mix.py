"""How often each kept document is seen in one pass over the mixture.

Sources get the shares that their weights ask for: a large one is seen in part, a small one several
times, within bounds. Muennighoff et al. 2023 (arXiv 2305.16264) find up to four passes over the
same text nearly as good as new text.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from hornbook.corpus.recipe import CorpusRecipe, SourceConfig
from hornbook.corpus.texts import mixed


class Documents(NamedTuple):
    """(N,) each, of the documents that are kept: bytes, tokens or None, source's number, a hash.

    names: of the sources by their number. keys: uint64, what the order of documents hangs on.
    """

    bytes: np.ndarray
    tokens: np.ndarray | None
    sources: np.ndarray
    names: list[str]
    keys: np.ndarray


def copies_of(documents: Documents, recipe: CorpusRecipe) -> np.ndarray:
    """(N,) int32: how often each document is seen; 0 leaves it out.

    Which ones of a source are seen once more than others is drawn by the recipe's seed. Sizes are
    met up to one document.
    """
    copies = np.ones(len(documents.bytes), np.int32)
    order = np.argsort(mixed(documents.keys ^ mixed(np.array([recipe.seed + 1]))), kind="stable")
    for i, name in enumerate(documents.names):
        if name in recipe.sources and (most := recipe.sources[name].most_bytes):
            own = order[documents.sources[order] == i]
            copies[own[np.cumsum(documents.bytes[own]) > most]] = 0
    sizes = documents.bytes if recipe.budget_tokens is None else documents.tokens
    assert sizes is not None, "a budget of tokens is refused where none are counted"
    held = np.bincount(documents.sources, sizes * copies, len(documents.names))
    wanted = _wanted(dict(zip(documents.names, held.tolist(), strict=True)), recipe)
    for i, name in enumerate(documents.names):
        if wanted[name] == held[i]:
            continue
        own = order[(documents.sources[order] == i) & (copies[order] > 0)]
        whole, rest = divmod(wanted[name], held[i])
        copies[own] = int(whole) + (np.cumsum(sizes[own]) <= rest)
    return copies


def _wanted(held: Mapping[str, float], recipe: CorpusRecipe) -> dict[str, float]:
    """The size that each source is to have in the mixture, from what it holds."""
    budget = recipe.budget_tokens or recipe.budget_bytes
    unset = SourceConfig(match=())
    weights = {name: recipe.sources.get(name, unset).weight for name in held}
    weighed = {name: weight for name, weight in weights.items() if weight is not None}
    if not weighed:
        share = 1.0 if budget is None else min(1.0, budget / max(1.0, sum(held.values())))
        return {name: size * share for name, size in held.items()}
    # What no source matches has no weight, and no place in a mixture by weights.
    wanted = {name: 0.0 for name in held if name not in weighed}
    left = float(sum(held[name] for name in weighed) if budget is None else budget)
    while weighed:
        total = sum(weighed.values())
        full = [n for n in weighed if left * weighed[n] / total > held[n] * recipe.most_copies]
        if not full:
            return {**wanted, **{name: left * w / total for name, w in weighed.items()}}
        for name in full:  # they give what they have, and the others share the rest
            wanted[name] = held[name] * recipe.most_copies
            left -= wanted[name]
            del weighed[name]
    return wanted
