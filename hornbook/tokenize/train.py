"""Train a byte-level BPE tokenizer (Sennrich et al. 2016 on the bytes of UTF-8).

The pre-tokenizer is the one that llama.cpp calls `qwen2`; there is no normaliser, so any text comes
back as it went in.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from hornbook.core.errors import UsageError
from hornbook.core.files import read_json, write_json, write_text
from hornbook.core.progress import Progress
from hornbook.tokenize.chat import CHATML
from hornbook.tokenize.pretokenizers import WORDS
from hornbook.tokenize.settings import CONFIG
from hornbook.tokenize.special import END_OF_TEXT, PAD, SPECIAL
from hornbook.tokenize.tokenizer import TOKENIZER, Tokenizer

if TYPE_CHECKING:
    import tokenizers

SMALLEST, LARGEST = 256 + len(SPECIAL), 2**20
"""The library sets room aside for all tokens asked for, and dies where there is none."""
SAMPLE_BYTES = 32 * 2**20
"""Text without spaces takes 100 bytes of memory for each of its own: this much, 3 GiB.

Twice as much saved 0.2 % of the tokens at a vocabulary of 32,768, on books, laws, Python proposals,
medical answers and Chinese poems.
"""
_SAMPLE_A_SECOND = 60 * 2**10
"""Bytes of text a second of a run: learning from them takes a few hundredths of it."""
_PIECE = 64 * 2**10
"""Characters handed over at once: long documents must not stand in memory twice."""


def train_tokenizer(
    texts: Iterable[str],
    vocab_size: int,
    out: Path,
    progress: Progress,
    text_bytes: int | None = None,
    sample: int = SAMPLE_BYTES,
) -> Tokenizer:
    """Train on `texts` and write tokenizer.json and tokenizer_config.json into `out`.

    text_bytes: how much text there is; above `sample` bytes an evenly spread part is used. Text
    that supports fewer than `vocab_size` tokens gives a smaller vocabulary, and it is said. Raises
    UsageError for a size that cannot hold the bytes and special tokens, or is beyond all use.
    """
    from tokenizers import pre_tokenizers, trainers

    _check_size(vocab_size)
    tokenizer = _untrained()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=list(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    share = 1.0 if not text_bytes else min(1.0, sample / text_bytes)
    if share < 1:
        progress.say(f"The tokenizer learns from an even {share:.0%} of the text.")
    tokenizer.train_from_iterator(_pieces(texts, share), trainer)
    out.mkdir(parents=True, exist_ok=True)
    write_text(out / TOKENIZER, tokenizer.to_str(pretty=True))
    write_json(out / CONFIG, _config())
    if tokenizer.get_vocab_size() < vocab_size:
        progress.say(f"The text supports {tokenizer.get_vocab_size():,} of {vocab_size:,} tokens.")
    return Tokenizer.load(out)


def sample_bytes(minutes: float | None) -> int:
    """How much text a tokenizer is learned from in a run of so many minutes."""
    if minutes is None:
        return SAMPLE_BYTES
    return int(min(SAMPLE_BYTES, max(2**20, _SAMPLE_A_SECOND * 60 * minutes)))


def serve_translators(folder: Path) -> None:
    """Write into a tokenizer's files what others that run translators expect there.

    `transformers` ends every text with the end-of-text token; `Tokenizer` never adds it: who
    encodes knows whether a text is at its end. `ctranslate2` asks for an unknown token, which no
    text gives here, and GPT-2 names the same for it.
    """
    values = read_json(folder / TOKENIZER)
    (end,) = (t["id"] for t in values["added_tokens"] if t["content"] == END_OF_TEXT)
    piece = {"SpecialToken": {"id": END_OF_TEXT, "type_id": 0}}
    text = {name: {"Sequence": {"id": name, "type_id": 0}} for name in ("A", "B")}
    values["post_processor"] = {
        "type": "TemplateProcessing",
        "single": [text["A"], piece],
        "pair": [text["A"], piece, text["B"], piece],
        "special_tokens": {END_OF_TEXT: {"id": END_OF_TEXT, "ids": [end], "tokens": [END_OF_TEXT]}},
    }
    write_json(folder / TOKENIZER, values)
    write_json(folder / CONFIG, {**read_json(folder / CONFIG), "unk_token": END_OF_TEXT})


def _check_size(vocab_size: int) -> None:
    if vocab_size < SMALLEST:
        raise UsageError(
            f"A vocabulary of {vocab_size} cannot hold 256 bytes and {len(SPECIAL)} special "
            f"tokens; the least is {SMALLEST}."
        )
    if vocab_size > LARGEST:
        raise UsageError(f"A vocabulary of {vocab_size} is too large; the most is {LARGEST}.")


def _untrained() -> "tokenizers.Tokenizer":
    """Splits and spells text as ours do, and knows no token."""
    import tokenizers
    from tokenizers import decoders, models, pre_tokenizers

    made = tokenizers.Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(tokenizers.Regex(WORDS), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    made.decoder = decoders.ByteLevel()
    return made


def _config() -> dict[str, object]:
    """What `transformers` reads beside tokenizer.json."""
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": None,
        "eos_token": END_OF_TEXT,
        "pad_token": PAD,
        "unk_token": None,
        "clean_up_tokenization_spaces": False,
        "chat_template": CHATML,
    }


def _pieces(texts: Iterable[str], share: float) -> Iterator[str]:
    """Pieces of the texts, cut after line breaks; so many of them that `share` of the text is in.

    A piece is taken whenever more than half of it is owed.
    """
    owed = 0.0
    for text in texts:
        start = 0
        while start < len(text):
            stop = text.rfind("\n", start, start + _PIECE) + 1
            stop = stop or min(start + _PIECE, len(text))
            owed += share * (stop - start)
            if 2 * owed > stop - start:
                owed -= stop - start
                yield text[start:stop]
            start = stop
