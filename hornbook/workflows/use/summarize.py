"""A shorter text in a decoder's words, beside the first sentences.

What is longer than the context is summarised part by part, and then its summaries are. Knows models
through generation; trains nothing.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import Field

from hornbook.baselines.lead import lead, sentences
from hornbook.core.config import Config
from hornbook.core.errors import HornbookError, UsageError
from hornbook.core.progress import Progress
from hornbook.generate.answers import greedy_answers
from hornbook.workflows.open.decoder import Decoder
from hornbook.workflows.open.load import load

_HAN = re.compile(r"[\u3400-\u9fff]")
_MOST_LEVELS = 8
PROMPTS = {
    # What `finetune --task summarize` asks if nothing is said; a tuned model knows it.
    ("en", True): "Summarize the text in a few sentences.\n\n{text}",
    ("zh", True): "用几句话概括下面的文字。\n\n{text}",
    # For models that only go on with text (Radford et al. 2019).
    ("en", False): "{text}\n\nTL;DR:",
    ("zh", False): "{text}\n\n总之，",
}
"""By language, and whether the model has a chat template."""


class SummarizeConfig(Config):
    """lead: sentences of the text's beginning shown beside. sentences: of an extractive summary, by
    the text's length if not given. max_tokens: of a summary. prompt: what
    is asked, with {text} in it, for models tuned on one of their own. part: tokens of text read at
    once; half of the context if not given.
    """

    lead: int = Field(default=3, ge=1)
    sentences: int | None = Field(default=None, ge=1)
    max_tokens: int = Field(default=160, ge=1)
    prompt: str | None = None
    part: int | None = Field(default=None, ge=16)
    device: str | None = None


@dataclass
class _Work:
    opened: Decoder
    progress: Progress
    config: SummarizeConfig
    template: str
    chat: bool
    levels: list[list[str]]


def summarize(path: Path, text: str, config: SummarizeConfig, progress: Progress) -> dict[str, Any]:
    """summary, lead (the first sentences), parts (summaries of parts, a list a level), characters
    of text and summary.

    Raises UsageError for a text without words and a prompt without `text`.
    """
    if not text.strip():
        raise UsageError("There is nothing to summarise: the text is empty.")
    check(config)
    opened = load(path, Decoder, device=config.device, say=progress.say)
    chat = opened.tokenizer.chat_template is not None
    language = "zh" if len(_HAN.findall(text)) > len(text) / 4 else "en"
    template = config.prompt or PROMPTS[language, chat]
    work = _Work(opened, progress, config, template, chat, [])
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


def _shorten(work: _Work, text: str) -> str:
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


def _parts(work: _Work, text: str) -> Iterator[str]:
    """The text in parts of whole sentences that fit; a sentence that does not is cut."""
    most = _part_tokens(work)
    held: list[str] = []
    size = 0
    for sentence in sentences(text):
        for piece in _pieces(work, sentence, most):
            tokens = len(work.opened.tokenizer.encode(piece)) + 1  # and what joins them
            if held and size + tokens > most:
                yield " ".join(held)
                held, size = [], 0
            held.append(piece)
            size += tokens
    yield " ".join(held)


def _part_tokens(work: _Work) -> int:
    """Tokens of text that fit beside the prompt's own and the summary."""
    room = work.opened.context
    free = room - len(_ids(work, "")) - work.config.max_tokens - 8
    if free < 16:
        raise HornbookError(
            f"The context of {room} tokens leaves {max(free, 0)} for the text; give a smaller "
            "--max-tokens."
        )
    return min(free, work.config.part or room // 2)


def _pieces(work: _Work, sentence: str, most: int) -> Iterator[str]:
    """A sentence, halved until it fits."""
    if len(sentence) < 2 or len(work.opened.tokenizer.encode(sentence)) < most:
        yield sentence
        return
    middle = len(sentence) // 2
    space = sentence.find(" ", middle, middle + 40)
    middle = middle if space < 0 else space
    yield from _pieces(work, sentence[:middle].strip(), most)
    yield from _pieces(work, sentence[middle:].strip(), most)


def _summaries(work: _Work, parts: Sequence[str]) -> list[str]:
    prompts, model, tokenizer = (
        [_ids(work, p) for p in parts],
        work.opened.model,
        work.opened.tokenizer,
    )
    # A model that only goes on with text starts another paragraph after its summary.
    stop = () if work.chat else ("\n\n",)
    with work.progress.bar("answering", len(prompts), "prompts") as advance:
        found = greedy_answers(
            model, tokenizer, prompts, work.config.max_tokens, stop, work.chat, advance
        )
    return [answer.strip() for answer in found]


def _ids(work: _Work, text: str) -> list[int]:
    asked, tokenizer = work.template.replace("{text}", text), work.opened.tokenizer
    if work.chat:
        messages = [{"role": "user", "content": asked}]
        return [int(i) for i in tokenizer.encode_chat(messages, add_generation_prompt=True)[0]]
    return tokenizer.encode_beginning(asked)
