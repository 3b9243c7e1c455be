"""One class for any tokenizer on disk that can say every byte: ids, text, bytes, streams and
conversations.

Ordinary text never becomes a special token, whatever it spells: only templates and the program
itself place those.
"""

import codecs
import itertools
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from hornbook.core.errors import HornbookError
from hornbook.core.files import hash_json, read_json
from hornbook.core.gguf import GGUFFile, is_gguf
from hornbook.tokenize.begin import prefix_of
from hornbook.tokenize.bytelevel import to_bytes
from hornbook.tokenize.chat import Piece, render
from hornbook.tokenize.fast import BulkEncoder, bulk_encoder
from hornbook.tokenize.gguf import read_tokenizer
from hornbook.tokenize.guard import check_parts, opening, panics_are_errors
from hornbook.tokenize.pieces import is_pieces, piece_bytes, without_first_space
from hornbook.tokenize.settings import Settings, read_settings
from hornbook.tokenize.special import TURN_END

TOKENIZER = "tokenizer.json"
TURN_ENDS = (TURN_END, "<|eot_id|>", "<end_of_turn>")
"""What ends an answer in ChatML, Llama 3 and Gemma, where generation_config.json is missing."""

Message = Mapping[str, Any]


class Tokenizer:
    """Opened with `load`. Ids are ints below `vocab_size`.

    reference: the same tokenizer in the library `tokenizers`, without its special tokens. eos_id:
    ends a document, if the folder names it. prefix: ids that stand before every text. pad_id: None
    where the folder names none, or the end of text, which must not be ignored. stop_ids: end an
    answer in a conversation.
    """

    def __init__(self, values: dict[str, Any], settings: Settings, where: Path) -> None:
        import tokenizers

        self.where = where
        self.fingerprint = hash_json(values)
        self.chat_template = settings.template
        self._names = settings.names
        added: list[dict[str, Any]] = values["added_tokens"]
        ends = {settings.names.get("eos_token"), settings.names.get("pad_token")}
        special = [t for t in added if t["special"] or t["content"] in ends]
        self._special: dict[str, int] = {token["content"]: token["id"] for token in special}
        self._json = json.dumps(_without(special, values))
        self.reference = tokenizers.Tokenizer.from_str(self._json)
        inside = without_first_space(json.loads(self._json)) if is_pieces(values) else None
        self._inside = tokenizers.Tokenizer.from_str(json.dumps(inside)) if inside else None
        self._strips = frozenset(t["content"] for t in special if t.get("rstrip"))
        vocabulary = self.reference.get_vocab()
        own = piece_bytes if is_pieces(values) else to_bytes
        self._bytes = _table(vocabulary, {token["content"] for token in added}, own)
        self.vocab_size = len(self._bytes)
        self.special_ids = frozenset(self._special.values())
        eos = vocabulary.get(settings.names.get("eos_token", ""), settings.eos)
        self.eos_id = eos if eos is not None and 0 <= eos < self.vocab_size else None
        self.prefix = prefix_of(values, settings, vocabulary)
        pad = vocabulary.get(settings.names.get("pad_token", ""))
        self.pad_id = None if pad == self.eos_id else pad
        ends_of_turns = {vocabulary.get(name) for name in TURN_ENDS}
        self.stop_ids = frozenset(
            i
            for i in {self.eos_id, *ends_of_turns, *settings.stops}
            if i is not None and 0 <= i < self.vocab_size
        )

    @classmethod
    def load(cls, folder: Path, file: GGUFFile | None = None) -> "Tokenizer":
        """Open the tokenizer of a folder or of a GGUF file, which may be open already.

        Raises HornbookError naming the file that is wrong.
        """
        path = folder if is_gguf(folder) else folder / TOKENIZER
        values, settings = read_tokenizer(file) if file else read_files(folder)
        with opening(path):
            if not _is_lossless(values):
                raise HornbookError(
                    f"{path} is not a byte-level BPE tokenizer, nor one of pieces and bytes."
                )
            check_parts(values)
            return cls(values, settings, path)

    def encode(self, text: str) -> list[int]:
        """The ids of ordinary text. Raises HornbookError for half a surrogate pair."""
        _require_unicode(text)
        with panics_are_errors(self.where):
            ids: list[int] = self.reference.encode(text, add_special_tokens=False).ids
        return ids

    def encode_beginning(self, text: str) -> list[int]:
        """The ids of a text that nothing stands before: what its files put first, and its own.

        A chat template writes that itself. Raises HornbookError for half a surrogate pair.
        """
        return [*self.prefix, *self.encode(text)]

    def document(self, ids: np.ndarray) -> np.ndarray:
        """The ids of a document that follows another's end: its own beginning and end around it.

        Where one token is both, it is not there twice.
        """
        assert self.eos_id is not None
        first = [] if self.prefix == [self.eos_id] else self.prefix
        return np.concatenate([first, ids, [self.eos_id]]).astype(ids.dtype)

    def encode_batch(self, texts: Sequence[str]) -> list[np.ndarray]:
        """The ids of many texts, uint32 arrays, by the fastest library that gives the same ids.

        Raises HornbookError for half a surrogate pair.
        """
        try:
            with panics_are_errors(self.where):
                return self._bulk.encode(texts)
        except (UnicodeEncodeError, TypeError):
            for text in texts:
                _require_unicode(text)
            raise

    @property
    def encoder(self) -> str:
        """Which library encodes in bulk, and why."""
        return self._bulk.description

    @cached_property
    def _bulk(self) -> BulkEncoder:
        return bulk_encoder(
            self._json, self.reference, lambda: [self.decode([i]) for i in range(self.vocab_size)]
        )

    def decode_bytes(self, ids: Sequence[int]) -> bytes:
        """The bytes that ids stand for; special tokens give their spelling.

        Ids that no token has, by which some models fill up their tables, stand for nothing.
        """
        return b"".join(self._bytes[i] for i in map(int, ids) if 0 <= i < self.vocab_size)

    @cached_property
    def longest(self) -> int:
        """Bytes of the longest token: no text of more has fewer tokens than its share of them."""
        return max(map(len, self._bytes))

    def decode(self, ids: Sequence[int]) -> str:
        """The text of ids; bytes that are not UTF-8 become U+FFFD."""
        return self.decode_bytes(ids).decode("utf-8", errors="replace")

    def stream(self) -> "StreamDecoder":
        """A decoder for ids that come one at a time."""
        return StreamDecoder(self)

    @property
    def special(self) -> Mapping[str, int]:
        """The ids of special tokens, by their spelling."""
        return self._special

    def chat_pieces(
        self,
        messages: Sequence[Message],
        add_generation_prompt: bool = False,
        tools: Sequence[Mapping[str, Any]] = (),
    ) -> list[Piece]:
        """A conversation through the chat template; tools: what the model may call.

        Raises HornbookError when there is no template, or it refuses the messages.
        """
        if self.chat_template is None:
            raise HornbookError(f"{self.where} has no chat template; is it a base model?")
        return render(
            self.chat_template, messages, add_generation_prompt, self._names, self._special, tools
        )

    def encode_chat(
        self,
        messages: Sequence[Message],
        add_generation_prompt: bool = False,
        tools: Sequence[Mapping[str, Any]] = (),
    ) -> tuple[np.ndarray, np.ndarray]:
        """ids (N,) int64 and trained (N,) bool of a conversation through the chat template.

        trained is True within the template's {% generation %} blocks. Raises what `chat_pieces`
        raises.
        """
        ids: list[int] = []
        trained: list[bool] = []
        pieces = self.chat_pieces(messages, add_generation_prompt, tools)
        strip = False
        for special, run in itertools.groupby(pieces, key=lambda piece: piece.special):
            if special:
                for piece in run:
                    ids.append(self._special[piece.text])
                    trained.append(piece.trained)
                strip = piece.text in self._strips
            else:
                self._encode_run(list(run), ids, trained, strip)
        return np.array(ids, np.int64), np.array(trained, bool)

    def _encode_run(
        self, run: list[Piece], ids: list[int], trained: list[bool], strip: bool
    ) -> None:
        """Encode pieces of ordinary text as one text: merges do not stop where a message begins.

        strip: whether the special token before it takes white space behind it away. A token is
        learned when any of its characters is, as in `transformers`.
        """
        whole = "".join(piece.text for piece in run)
        text = whole.lstrip() if strip else whole
        flags = [piece.trained for piece in run for _ in piece.text][len(whole) - len(text) :]
        _require_unicode(text)
        reference = self._inside if ids and self._inside else self.reference
        with panics_are_errors(self.where):
            encoding = reference.encode(text, add_special_tokens=False)
        ids += encoding.ids
        trained += [any(flags[start:stop]) for start, stop in encoding.offsets]


def read_files(folder: Path) -> tuple[Any, Settings]:
    """What tokenizer.json and the files beside it say; a GGUF file says the same in its own way."""
    if is_gguf(folder):
        return read_tokenizer(GGUFFile(folder))
    path = folder / TOKENIZER
    if not path.is_file():
        raise HornbookError(f"{folder} holds no tokenizer: {TOKENIZER} is missing.")
    return read_json(path), read_settings(folder)


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


def is_lossless(folder: Path) -> bool:
    """Whether `Tokenizer` can open the tokenizer of a folder, if it has one that is whole.

    One in a GGUF file is nothing else.
    """
    path = folder / TOKENIZER
    try:
        return is_gguf(folder) or (path.is_file() and _is_lossless(read_json(path)))
    except (KeyError, TypeError):
        return False


def _is_lossless(values: dict[str, Any]) -> bool:
    byte_level = values["model"]["type"] == "BPE" and "ByteLevel" in json.dumps(values["decoder"])
    return byte_level or is_pieces(values)


def _without(special: Sequence[Mapping[str, Any]], values: dict[str, Any]) -> dict[str, Any]:
    """The same file without its special tokens, which encodes any text as ordinary text.

    The model's vocabulary keeps all added tokens, where no merge leads to them: `tokenizers` gives
    other ids to those that it does not find there.
    """
    added = {token["content"]: token["id"] for token in values["added_tokens"]}
    model = {**values["model"], "vocab": {**values["model"]["vocab"], **added}}
    ordinary = [token for token in values["added_tokens"] if token not in special]
    return {**values, "model": model, "added_tokens": ordinary, "post_processor": None}


def _table(
    vocabulary: Mapping[str, int], verbatim: Collection[str], own: Callable[[str], bytes]
) -> list[bytes]:
    """The bytes of each id's token, `own` of what is not `verbatim`."""
    table = [b""] * (max(vocabulary.values()) + 1)
    for token, i in vocabulary.items():
        try:
            table[i] = token.encode() if token in verbatim else own(token)
        except ValueError:  # it is in no byte-level alphabet
            table[i] = token.encode()
    return table


def _require_unicode(text: str) -> None:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise HornbookError(
            f"The text holds half a surrogate pair at character {error.start}, which is no "
            "Unicode text; read the file with its right encoding."
        ) from None
