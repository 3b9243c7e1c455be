"""One class for any byte-level tokenizer on disk: ids, text, bytes, streams and conversations.

Ordinary text never becomes a special token, whatever it spells: only templates and the program
itself place those. Knows the Hugging Face tokenizer files; knows nothing of models.
"""

import codecs
import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from hornbook.core.errors import HornbookError
from hornbook.core.files import hash_json, read_json
from hornbook.tokenize.bytelevel import to_bytes
from hornbook.tokenize.chat import Piece, render
from hornbook.tokenize.fast import BulkEncoder, bulk_encoder

TOKENIZER = "tokenizer.json"
CONFIG = "tokenizer_config.json"

Message = Mapping[str, str]


class Tokenizer:
    """Opened with `load`. Ids are ints below `vocab_size`.

    reference: the same tokenizer in the library `tokenizers`, without its special tokens.
    """

    def __init__(self, values: dict[str, Any], config: dict[str, Any], where: Path) -> None:
        import tokenizers

        self.where = where
        self.fingerprint = hash_json(values)
        self._special: dict[str, int] = {
            token["content"]: token["id"] for token in values["added_tokens"] if token["special"]
        }
        # Without its special tokens the same file encodes any text as ordinary text.
        ordinary = [token for token in values["added_tokens"] if not token["special"]]
        self._json = json.dumps({**values, "added_tokens": ordinary, "post_processor": None})
        self.reference = tokenizers.Tokenizer.from_str(self._json)
        tokens = {**self.reference.get_vocab(), **self._special}
        self.vocab_size = max(tokens.values()) + 1
        self._tokens = [""] * self.vocab_size
        for token, i in tokens.items():
            self._tokens[i] = token
        self.special_ids = frozenset(self._special.values())
        self.eos_id = self._named(config, "eos_token")
        self.pad_id = self._named(config, "pad_token")
        self.chat_template: str | None = config.get("chat_template")

    @classmethod
    def load(cls, folder: Path) -> "Tokenizer":
        """Open the tokenizer of a folder; raises HornbookError naming the file that is wrong."""
        path = folder / TOKENIZER
        if not path.is_file():
            raise HornbookError(f"{folder} holds no tokenizer: {TOKENIZER} is missing.")
        values = read_json(path)
        config = read_json(folder / CONFIG) if (folder / CONFIG).is_file() else {}
        template = folder / "chat_template.jinja"
        if template.is_file():
            config["chat_template"] = template.read_text(encoding="utf-8")
        try:
            if values["model"]["type"] != "BPE" or "ByteLevel" not in json.dumps(values["decoder"]):
                raise HornbookError(f"{path} is not a byte-level BPE tokenizer.")
            return cls(values, config, path)
        except (KeyError, TypeError, ValueError) as error:
            raise HornbookError(f"{path} is not a tokenizer file: {error}.") from None

    @property
    def stop_ids(self) -> frozenset[int]:
        """Ids that end an answer in a conversation: the end of text and the end of a turn."""
        ends = (self.eos_id, self._special.get("<|im_end|>"), self._special.get("<|eot_id|>"))
        return frozenset(i for i in ends if i is not None)

    def encode(self, text: str) -> list[int]:
        """The ids of ordinary text. Raises HornbookError for half a surrogate pair."""
        _require_unicode(text)
        ids: list[int] = self.reference.encode(text, add_special_tokens=False).ids
        return ids

    def encode_batch(self, texts: Sequence[str]) -> list[np.ndarray]:
        """The ids of many texts, uint32 arrays, by the fastest library that gives the same ids."""
        return self._bulk.encode(texts)

    @property
    def encoder(self) -> str:
        """Which library encodes in bulk, and why."""
        return self._bulk.description

    @cached_property
    def _bulk(self) -> BulkEncoder:
        return bulk_encoder(self._json, self.reference, self._tokens)

    def decode_bytes(self, ids: Sequence[int]) -> bytes:
        """The bytes that ids stand for; special tokens give their spelling."""
        return b"".join(self._bytes(int(i)) for i in ids)

    def decode(self, ids: Sequence[int]) -> str:
        """The text of ids; bytes that are not UTF-8 become U+FFFD."""
        return self.decode_bytes(ids).decode("utf-8", errors="replace")

    def stream(self) -> "StreamDecoder":
        """A decoder for ids that come one at a time."""
        return StreamDecoder(self)

    def encode_chat(
        self, messages: Sequence[Message], add_generation_prompt: bool = False
    ) -> tuple[np.ndarray, np.ndarray]:
        """ids (N,) int64 and trained (N,) bool of a conversation through the chat template.

        trained is True within the template's {% generation %} blocks. Raises HornbookError when
        there is no template, or it refuses the messages.
        """
        if self.chat_template is None:
            raise HornbookError(f"{self.where} has no chat template; is it a base model?")
        ids: list[int] = []
        trained: list[bool] = []
        pieces = render(
            self.chat_template, messages, add_generation_prompt, self._names(), self._special
        )
        for run in _runs(pieces, self._special):
            if isinstance(run, Piece):
                ids.append(self._special[run.text])
                trained.append(run.trained)
            else:
                self._encode_run(run, ids, trained)
        return np.array(ids, np.int64), np.array(trained, bool)

    def _encode_run(self, run: list[Piece], ids: list[int], trained: list[bool]) -> None:
        """Encode pieces of ordinary text as one text: merges do not stop where a message begins."""
        text = "".join(piece.text for piece in run)
        flags = [piece.trained for piece in run for _ in piece.text]
        _require_unicode(text)
        encoding = self.reference.encode(text, add_special_tokens=False)
        ids += encoding.ids
        trained += [flags[start] for start, _ in encoding.offsets]

    def _bytes(self, i: int) -> bytes:
        token = self._tokens[i]
        return token.encode() if i in self.special_ids else to_bytes(token)

    def _named(self, config: Mapping[str, Any], key: str) -> int | None:
        """The id of the token that the config names under `key`, if it does."""
        name = config.get(key)
        name = name["content"] if isinstance(name, dict) else name
        return None if name is None else self._special.get(name)

    def _names(self) -> dict[str, str]:
        """What templates may call the special tokens by."""
        ids = {"eos_token": self.eos_id, "pad_token": self.pad_id}
        return {name: self._tokens[i] for name, i in ids.items() if i is not None}


class StreamDecoder:
    """Ids in, text out; bytes of a character that is not complete yet are held back."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")

    def push(self, i: int) -> str:
        """The text that is complete with this id, maybe empty."""
        return self._decoder.decode(self._tokenizer.decode_bytes([i]))

    def end(self) -> str:
        """What was held back, as U+FFFD where it never became a character."""
        return self._decoder.decode(b"", final=True)


def _runs(pieces: Sequence[Piece], special: Mapping[str, int]) -> list[Piece | list[Piece]]:
    """Special tokens of the template by themselves, ordinary text between them together."""
    runs: list[Piece | list[Piece]] = []
    for piece in pieces:
        if piece.template and piece.text in special:
            runs.append(piece)
        elif runs and isinstance(runs[-1], list):
            runs[-1].append(piece)
        else:
            runs.append([piece])
    return runs


def _require_unicode(text: str) -> None:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise HornbookError(
            f"The text holds half a surrogate pair at character {error.start}, which is no "
            "Unicode text; read the file with its right encoding."
        ) from None
