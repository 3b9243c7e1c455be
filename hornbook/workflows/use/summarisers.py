"""Who writes a summary of a text that it can read at once: a decoder, or an encoder-decoder.

A decoder is asked, in words or as one that goes on with text; an encoder-decoder of T5's kind reads
the text behind the words of the task that it was trained with.
"""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from hornbook.core.errors import HornbookError, UsageError
from hornbook.generate.answers import greedy_answers
from hornbook.generate.sampling import PenaltyConfig
from hornbook.workflows.open.decoder import Decoder
from hornbook.workflows.open.load import kind_of, load

if TYPE_CHECKING:
    from hornbook.workflows.open.translator import Translator

_HAN = re.compile(r"[\u3400-\u9fff]")
_TEXT = "{text}"
PROMPTS = {
    # What `finetune --task summarize` asks if nothing is said; a tuned model knows it.
    ("en", True): "Summarize the text in a few sentences.\n\n{text}",
    ("zh", True): "用几句话概括下面的文字。\n\n{text}",
    # For models that only go on with text (Radford et al. 2019).
    ("en", False): "{text}\n\nTL;DR:",
    ("zh", False): "{text}\n\n总之，",
}
"""By language, and whether the model has a chat template."""
_TASK, _USUAL = "summarization", "summarize: "
"""What T5's folders call the task, and the words before a text where they say none (Raffel et al.
2020)."""

Advance = Callable[[int], None]


class Summariser(Protocol):
    """tokens_at_once: of a text, as many as it reads beside the prompt."""

    tokens_at_once: int

    def tokens(self, text: str) -> int:
        """How many it has."""
        ...

    def summaries(self, texts: Sequence[str], advance: Advance) -> list[str]:
        """A summary of each text. advance: is told of every few."""
        ...


def summarises(path: Path) -> bool:
    """Whether a model writes summaries: a decoder, or an encoder-decoder of T5's kind.

    Raises UsageError for one that only translates, and where there is no model.
    """
    kind = kind_of(path.expanduser()).kind
    if kind != "a translator":
        return kind == "a decoder"
    from hornbook.models.folder import load_config
    from hornbook.models.place import resolve
    from hornbook.models.seq2seq import Seq2SeqConfig

    config = load_config(resolve(path.expanduser()))
    assert isinstance(config, Seq2SeqConfig)
    if config.encoder.relative is None:
        raise UsageError(f"{path} only translates; of such models T5 and its kin summarise.")
    return True


def open_summariser(
    path: Path,
    text: str,
    prompt: str | None,
    max_tokens: int,
    device: str | None,
    say: Callable[[str], None],
    penalties: PenaltyConfig,
) -> Summariser:
    """The model of a folder or name. text: its language is that of the prompt, where none is given.

    Raises HornbookError where the context leaves no room for a text, and UsageError for penalties
    of a model that searches with beams.
    """
    if kind_of(path.expanduser()).kind == "a translator":
        from hornbook.workflows.open.translator import Translator

        require_no_penalties(penalties, f"{path} searches for the likeliest summary")
        return _T5(load(path, Translator, device=device, say=say), prompt, max_tokens)
    opened = load(path, Decoder, device=device, say=say)
    chinese = len(_HAN.findall(text)) > len(text) / 4
    chat = opened.tokenizer.chat_template is not None
    asked = prompt or PROMPTS["zh" if chinese else "en", chat]
    return _Asked(opened, asked, max_tokens, chat, penalties)


def require_no_penalties(penalties: PenaltyConfig, because: str) -> None:
    """Raises UsageError naming a penalty that would change nothing."""
    for name in penalties.penalties:
        if getattr(penalties, name) != getattr(PenaltyConfig(), name):
            option = "--" + name.replace("_", "-")
            raise UsageError(f"{option} would change nothing: {because}. Leave it out.")


def _room(context: int, taken: int) -> int:
    """Tokens that are left for a text."""
    free = context - taken
    if free < 16:
        raise HornbookError(
            f"The context of {context} tokens leaves {max(free, 0)} for the text; give a smaller "
            "--max-tokens."
        )
    return free


class _Asked:
    """A decoder that is asked for a summary."""

    def __init__(
        self,
        opened: Decoder,
        template: str,
        max_tokens: int,
        chat: bool,
        penalties: PenaltyConfig,
    ) -> None:
        self._opened, self._template, self._max_tokens = opened, template, max_tokens
        self._chat, self._penalties = chat, penalties
        free = _room(opened.context, len(self._ids("")) + max_tokens + 8)
        self.tokens_at_once = min(free, opened.context // 2)

    def tokens(self, text: str) -> int:
        return len(self._opened.tokenizer.encode(text))

    def summaries(self, texts: Sequence[str], advance: Advance) -> list[str]:
        # A model that only goes on with text starts another paragraph after its summary.
        stop = () if self._chat else ("\n\n",)
        model, tokenizer = self._opened.model, self._opened.tokenizer
        prompts = [self._ids(text) for text in texts]
        return greedy_answers(
            model,
            tokenizer,
            prompts,
            self._max_tokens,
            stop,
            self._chat,
            advance,
            self._penalties,
        )

    def _ids(self, text: str) -> list[int]:
        asked, tokenizer = self._template.replace(_TEXT, text), self._opened.tokenizer
        if self._chat:
            messages = [{"role": "user", "content": asked}]
            return [int(i) for i in tokenizer.encode_chat(messages, add_generation_prompt=True)[0]]
        return tokenizer.encode_beginning(asked)


class _T5:
    """An encoder-decoder, whose source and target have a context each."""

    def __init__(self, opened: "Translator", prompt: str | None, max_tokens: int) -> None:
        self._opened, self._max_tokens = opened, max_tokens
        known = opened.prompts.texts.get(_TASK, _USUAL)
        self._template = prompt or known + _TEXT
        self.tokens_at_once = _room(opened.model.config.context, self.tokens(self._filled("")) + 8)

    def tokens(self, text: str) -> int:
        return len(self._opened.tokenizer.encode_batch([text])[0])

    def summaries(self, texts: Sequence[str], advance: Advance) -> list[str]:
        found = []
        for text in texts:
            asked = self._filled(text)
            found.append(self._opened.translate(asked, max_tokens=self._max_tokens))
            advance(1)
        return found

    def _filled(self, text: str) -> str:
        return self._template.replace(_TEXT, text)
