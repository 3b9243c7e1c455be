"""A shorter text in a model's words, beside the first sentences.

What is longer than the model reads at once is summarised part by part, and then its summaries are.
Knows models through generation; trains nothing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import Field

from hornbook.baselines.lead import lead, sentences
from hornbook.core.errors import HornbookError, UsageError
from hornbook.core.progress import Progress
from hornbook.generate.sampling import PenaltyConfig
from hornbook.workflows.use.summarisers import Summariser, open_summariser

_MOST_LEVELS = 8


class SummarizeConfig(PenaltyConfig):
    """lead: sentences of the text's beginning shown beside. sentences: of an extractive summary, by
    the text's length if not given. max_tokens: of a summary. prompt: what
    is asked, with {text} in it, for models tuned on one of their own. part: tokens of text read at
    once; what the model reads, of a decoder half of its context, if not given.
    """

    lead: int = Field(default=3, ge=1)
    sentences: int | None = Field(default=None, ge=1)
    max_tokens: int = Field(default=160, ge=1)
    prompt: str | None = None
    part: int | None = Field(default=None, ge=16)
    device: str | None = None


@dataclass
class _Summary:
    """at_once: tokens of text that are read together."""

    writer: Summariser
    progress: Progress
    at_once: int
    levels: list[list[str]]


def summarize(path: Path, text: str, config: SummarizeConfig, progress: Progress) -> dict[str, Any]:
    """summary, lead (the first sentences), parts (summaries of parts, a list a level), characters
    of text and summary.

    Raises UsageError for a text without words and a prompt without `text`.
    """
    if not text.strip():
        raise UsageError("There is nothing to summarise: the text is empty.")
    check(config)
    writer = open_summariser(
        path, text, config.prompt, config.max_tokens, config.device, progress.say, config
    )
    at_once = min(writer.tokens_at_once, config.part or writer.tokens_at_once)
    work = _Summary(writer, progress, at_once, [])
    summary = _shorten(work, text)
    return {
        "model": str(path),
        "summary": summary,
        "lead": lead(text, config.lead),
        "parts": work.levels,
        "characters": {"text": len(text), "summary": len(summary)},
    }


def check(config: SummarizeConfig) -> None:
    """Raises UsageError for a prompt without a place for the text."""
    if config.prompt is not None and "{text}" not in config.prompt:
        raise UsageError(f"--prompt {config.prompt!r} has no place for the text: {{text}}.")


def _shorten(work: _Summary, text: str) -> str:
    """One summary, of parts where the text is long."""
    for _ in range(_MOST_LEVELS):
        parts = list(_parts(work, text))
        summaries = _summaries(work, parts)
        if len(parts) == 1:
            return summaries[0]
        work.levels.append(summaries)
        work.progress.say(f"Summarised {len(parts):,} parts; now their summaries.")
        joined = "\n".join(summaries)
        if len(joined) >= len(text):
            raise HornbookError(
                f"The summaries of {len(parts):,} parts are longer than the text; give a smaller "
                "--max-tokens."
            )
        text = joined
    raise HornbookError(f"The text is too long: {_MOST_LEVELS} levels of parts do not suffice.")


def _parts(work: _Summary, text: str) -> Iterator[str]:
    """The text in parts of whole sentences that fit; a sentence that does not is cut."""
    held: list[str] = []
    size = 0
    for sentence in sentences(text):
        for piece in _pieces(work, sentence):
            tokens = work.writer.tokens(piece) + 1  # and what joins them
            if held and size + tokens > work.at_once:
                yield " ".join(held)
                held, size = [], 0
            held.append(piece)
            size += tokens
    yield " ".join(held)


def _pieces(work: _Summary, sentence: str) -> Iterator[str]:
    """A sentence, halved until it fits."""
    if len(sentence) < 2 or work.writer.tokens(sentence) < work.at_once:
        yield sentence
        return
    middle = len(sentence) // 2
    space = sentence.find(" ", middle, middle + 40)
    middle = middle if space < 0 else space
    yield from _pieces(work, sentence[:middle].strip())
    yield from _pieces(work, sentence[middle:].strip())


def _summaries(work: _Summary, parts: Sequence[str]) -> list[str]:
    with work.progress.bar("answering", len(parts), "prompts") as advance:
        found = work.writer.summaries(parts, advance)
    return [answer.strip() for answer in found]
