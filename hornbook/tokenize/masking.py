"""An encoder's tokenizer made of a decoder's: a mask token, and one before every text.

All ids stay as they were, so text that was encoded before still means the same.
"""

import shutil
from pathlib import Path
from typing import Any

import numpy as np

from hornbook.core.errors import HornbookError
from hornbook.core.files import read_json, write_json
from hornbook.tokenize.begin import begin_with
from hornbook.tokenize.settings import CONFIG
from hornbook.tokenize.tokenizer import TOKENIZER, Tokenizer

MASK = "<|mask|>"
"""Stands where a word is to be filled in."""


def add_mask(folder: Path, out: Path) -> Tokenizer:
    """Write the byte-level tokenizer of `folder` to `out` with a mask token as its last id.

    The end-of-text token goes before every text: in training it is what stands before a document,
    so it is the place that has seen a whole text and no word, as BERT's [CLS]. Raises HornbookError
    when the tokenizer names no end-of-text token or has a mask already.
    """
    tokenizer = Tokenizer.load(folder)
    values, config = read_json(folder / TOKENIZER), read_json(folder / CONFIG)
    if tokenizer.eos_id is None:
        raise HornbookError(f"{tokenizer.where} names no end-of-text token to begin texts with.")
    if any(token["content"] == MASK for token in values["added_tokens"]):
        raise HornbookError(f"{tokenizer.where} has the token {MASK} already.")
    first = tokenizer.decode([tokenizer.eos_id])
    values["added_tokens"].append(_special(MASK, tokenizer.vocab_size))
    values["post_processor"] = begin_with(first, tokenizer.eos_id)
    out.mkdir(parents=True, exist_ok=True)
    for path in folder.glob("*.jinja"):
        shutil.copyfile(path, out / path.name)
    write_json(out / TOKENIZER, values)
    roles = {"cls_token": first, "sep_token": first, "mask_token": MASK}
    write_json(out / CONFIG, {**config, **roles})
    return Tokenizer.load(out)


def word_parts(tokenizer: Tokenizer) -> tuple[np.ndarray, np.ndarray]:
    """Which tokens go on with a word, and after which tokens a word may go on, (V,) bool each.

    A word is a run of letters of scripts that put spaces between words. The others, from U+2E80 on,
    have no such marks: there every character is a word, as in Devlin et al. 2019. Where a character
    is cut into bytes, those that begin one below U+0800 are taken for letters, which most are.
    """
    going_on = np.zeros(tokenizer.vocab_size, bool)
    open_ended = np.zeros(tokenizer.vocab_size, bool)
    for i in range(tokenizer.vocab_size):
        if i in tokenizer.special_ids or not (data := tokenizer.decode_bytes([i])):
            continue
        text = data.decode("utf-8", errors="replace")
        rest, two_bytes = 0x80 <= data[0] < 0xC0, len(data) == 1 and 0xC3 <= data[0] < 0xE0
        going_on[i] = _inside(text[0]) or rest or two_bytes
        open_ended[i] = _inside(text[-1]) or text[-1] == "\ufffd"
    return going_on, open_ended


def _inside(character: str) -> bool:
    return character.isalpha() and character < "\u2e80"


def _special(content: str, i: int) -> dict[str, Any]:
    """An entry of `added_tokens`."""
    flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    return {"id": i, "content": content, **flags, "special": True}
