"""What is said when nothing is left of the text, or too little: what was dropped, and why."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hornbook.core.errors import HornbookError
from hornbook.corpus.ingest import quarantine_samples
from hornbook.corpus.language_codes import known
from hornbook.corpus.recipe import CorpusRecipe
from hornbook.corpus.rules import RULES
from hornbook.corpus.tag import LANGUAGE
from hornbook.corpus.verdicts import NEAR, Table

LEAST_CHARACTERS = 2000
_SHOWN = 3
"""Reasons that are explained, the most frequent ones."""


def require_read(files: Sequence[Path], books: dict[str, Any], folder: Path) -> None:
    """Raises HornbookError when reading gave no document. folder: of what was read."""
    if files:
        return
    counts = books["documents"]["dropped"].items()
    reasons = ", ".join(f"{count:,} x {reason}" for reason, count in counts) or "no record at all"
    example = next(iter(quarantine_samples(folder, 1)), None)
    if example is None:
        raise HornbookError(f"Nothing readable was found: {reasons}.")
    line = f", line {example['line']}" if example["line"] else ""
    raise HornbookError(
        f"Nothing readable was found: {reasons}. "
        f"The first: {example['file']}{line}: {example['reason']} ({example['detail']})."
    )


def require_left(table: Table, books: dict[str, Any], recipe: CorpusRecipe) -> None:
    """Raises HornbookError when no document is kept, or fewer bytes than characters are needed."""
    if not table.kept.any():
        raise HornbookError(f"Nothing of the text was kept: {_dropped(table, books, recipe)}")
    size = int(table.bytes[table.kept].sum())
    if size < LEAST_CHARACTERS:  # no text has more characters than bytes
        raise HornbookError(_too_little(f"{size:,} bytes", table, books, recipe))


def require_text(
    table: Table, books: dict[str, Any], recipe: CorpusRecipe, characters: int
) -> None:
    """Raises HornbookError when there is too little text for two sides."""
    if characters < LEAST_CHARACTERS:
        raise HornbookError(_too_little(f"{characters:,} characters", table, books, recipe))


def _too_little(size: str, table: Table, books: dict[str, Any], recipe: CorpusRecipe) -> str:
    dropped = _dropped(table, books, recipe)
    return (
        f"The text has {size} in all; at least {LEAST_CHARACTERS:,} characters are needed to train "
        "on one part and measure on another." + (f" Dropped: {dropped}" if dropped else "")
    )


def _dropped(table: Table, books: dict[str, Any], recipe: CorpusRecipe) -> str:
    """How many documents and records were dropped for which reason, and what stands behind it."""
    counts = Counter(books["documents"]["dropped"])
    counts.update(table.reasons[~table.kept].tolist())
    if not counts:
        return ""
    said = ", ".join(f"{count:,} x {reason}" for reason, count in counts.most_common())
    notes = (_note(reason, table, recipe) for reason, _ in counts.most_common(_SHOWN))
    return " ".join([f"{said}.", *filter(None, notes)])


def _note(reason: str, table: Table, recipe: CorpusRecipe) -> str:
    """What a reason was measured by, with the first document that has it; "" for clear ones."""
    which = np.flatnonzero(table.reasons == reason)
    if not len(which):
        return ""  # of records that were never documents
    first = table.ids[int(which[0])].as_py()
    if reason == LANGUAGE:
        found = Counter(table.languages[which].tolist()).most_common(_SHOWN)
        names = ", ".join(f"{_language(code)} {count:,}" for code, count in found)
        wanted = ", ".join(recipe.languages or ())
        share = f", of {recipe.language_share:.0%} of the text" if recipe.language_share else ""
        return f"Languages found: {names}; wanted: {wanted}{share}; the first: {first!r}."
    kinds = [kind for kind, rule in RULES.items() if rule.reason == reason]
    details = table.details[which]
    if kinds and not np.isnan(details).all():
        low, high = np.nanmin(details), np.nanmax(details)
        return f"The rule {kinds[0]} measured {low:.4g} to {high:.4g}; the first: {first!r}."
    if reason == NEAR:
        return "near_mode: together keeps them, on one side of the split."
    return ""


def _language(code: str) -> str:
    return f"{code} ({known()[code]})" if code in known() else code or "unknown"
