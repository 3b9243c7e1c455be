"""Reading a foreign config: every key is used, known to change nothing, or refused."""

import fnmatch
import json
import math
from collections.abc import Mapping
from typing import Any, NoReturn, TypeVar

from hornbook.core.errors import HornbookError, nearest

Value = TypeVar("Value")

WITHOUT_EFFECT = (
    # Labels, versions, and how outputs are returned.
    "model_type",
    "architectures",
    "transformers_version",
    "name_or_path",
    "_name_or_path",
    "_commit_hash",
    "dtype",
    "torch_dtype",
    "use_cache",
    "return_dict",
    "output_hidden_states",
    "output_attentions",
    "id2label",
    "label2id",
    "problem_type",
    "task_specific_params",
    "transformers.js_config",
    "tokenizer_class",
    "unsloth_*",
    # Training only.
    "initializer_range",
    "*_dropout",
    "*_pdrop",
    # Speed only.
    "chunk_size_feed_forward",
    "pretraining_tp",
    "attn_implementation",
    "_attn_implementation",
    "_attn_implementation_autoset",
    # Token ids and sampling; the tokenizer and generation_config.json rule these.
    "*_token_id",
    "temperature",
    "top_k",
    "top_p",
    "do_sample",
    "max_length",
    "repetition_penalty",
)
"""Keys (globs) that do not change what a decoder computes, whatever their value."""


_LARGEST = 2_000_000_000
"""Of sizes. The largest of any model are contexts of ten million tokens."""

_DEEPEST = 10_000
"""Blocks of a stack. The deepest that anybody trained had a thousand."""


class Fields:
    """The keys of a config file, taken one by one; `finish` refuses what nobody took.

    null counts as absent. All errors are HornbookErrors naming file, key and value.
    """

    def __init__(self, values: Mapping[str, Any], where: str) -> None:
        self.where = where
        self._known = set(values)
        self._left = {key: value for key, value in values.items() if value is not None}

    def has(self, key: str) -> bool:
        """Whether the key is there and nobody took it yet."""
        return key in self._left

    def null(self, key: str) -> bool:
        """Whether the file says null, where what it leaves out would be something else."""
        return key in self._known and key not in self._left

    def size(self, key: str, default: int | None = None, most: int = _LARGEST) -> int:
        """A positive whole number; without a default the key must be there."""
        value = self._take(key, default)
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
            self.refuse(key, value, f"It must be a positive whole number, {most:,} at most.")
        return value

    def heads(self, key: str, width_key: str, width: int, default: int | None = None) -> int:
        """A number of heads, of equal width each."""
        heads = self.size(key, default)
        if width % heads:
            self.refuse(key, heads, f"It must divide {width_key} = {width}.")
        return heads

    def depth(self, key: str, default: int | None = None) -> int:
        """How many blocks a stack has."""
        return self.size(key, default, most=_DEEPEST)

    def number(self, key: str, default: float | None = None) -> float:
        """A positive number; without a default the key must be there."""
        value = self._take(key, default)
        plain = isinstance(value, int | float) and not isinstance(value, bool)
        if not plain or not 0 < value < math.inf:
            self.refuse(key, value, "It must be a positive number.")
        return float(value)

    def token(self, key: str, vocab: int, default: int) -> int:
        """The id of one of `vocab` tokens."""
        value = self._take(key, default)
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < vocab:
            self.refuse(key, value, f"It must be the id of one of {vocab} tokens.")
        return value

    def share(self, key: str, default: float) -> float:
        """A number from 0 to below 1."""
        value = self._take(key, default)
        plain = isinstance(value, int | float) and not isinstance(value, bool)
        if not plain or not 0 <= value < 1:
            self.refuse(key, value, "It must be at least 0 and below 1.")
        return float(value)

    def flag(self, key: str, default: bool) -> bool:
        """true or false."""
        value = self._take(key, default)
        if not isinstance(value, bool):
            self.refuse(key, value, "It must be true or false.")
        return value

    def pair(self, key: str, default: tuple[float, float]) -> tuple[float, float]:
        """Two numbers, the first not above the second; `transformers` 5 spells infinity out."""
        value = self._take(key, default)
        try:
            low, high = (float(v["__float__"] if isinstance(v, Mapping) else v) for v in value)
        except (TypeError, ValueError, KeyError):
            low, high = 1.0, 0.0
        if not low <= high:
            self.refuse(key, value, "It must be two numbers, the smaller first.")
        return low, high

    def sequence(self, key: str, default: list[Any]) -> list[Any]:
        """A list."""
        value = self._take(key, default)
        if not isinstance(value, list):
            self.refuse(key, value, "It must be a list.")
        return value

    def divisors(self, key: str, count: int) -> tuple[float, ...]:
        """So many positive numbers; the key must be there."""
        values = self._take(key, None)
        right = isinstance(values, list) and len(values) == count
        if not right or not all(type(x) in (int, float) and 0 < x < math.inf for x in values):
            self.refuse(key, values, f"It must be a list of {count} positive numbers.")
        return tuple(float(x) for x in values)

    def choice(self, key: str, default: str, table: Mapping[str, Value]) -> Value:
        """What the table has under the key's value."""
        value = self._take(key, default)
        if not isinstance(value, str) or value not in table:
            self.refuse(key, value, nearest(str(value), table))
        return table[value]

    def mapping(self, key: str) -> Mapping[str, Any]:
        """An object as it is; the key must be there."""
        value = self._take(key, None)
        if not isinstance(value, Mapping):
            self.refuse(key, value, "It must be an object.")
        return value

    def assume(self, key: str, value: Any) -> None:
        """What is meant where the file leaves a key out."""
        self._left.setdefault(key, value)

    def taken(self, *keys: str) -> dict[str, Any]:
        """The values of some keys that are there, or of all that are left, as they are."""
        return {key: self._left.pop(key) for key in keys or list(self._left) if key in self._left}

    def inner(self, key: str) -> "Fields":
        """The keys of an object inside this one; none when it is absent."""
        value = self._left.pop(key, {})
        if not isinstance(value, Mapping):
            self.refuse(key, value, "It must be an object.")
        return Fields(value, f"{self.where}, {key}")

    def only(self, key: str, *allowed: Any) -> None:
        """Accept the key when it is absent or has one of the values that we compute."""
        value = self._left.pop(key, None)
        if value is not None and value not in allowed:
            names = " or ".join(_short(choice) for choice in (*allowed, None))
            self.refuse(key, value, f"Only {names} is supported.")

    def ignore(self, *globs: str) -> None:
        """Drop keys that do not change what the model computes."""
        for key in list(self._left):
            if any(fnmatch.fnmatchcase(key, glob) for glob in globs):
                del self._left[key]

    def finish(self) -> None:
        """Refuse the first key that is left: it may change what the model computes."""
        for key, value in self._left.items():
            self.refuse(
                key,
                value,
                "The key is not known here and may change what the model computes. "
                "Remove it from the file if it does not.",
            )

    def refuse(self, key: str, value: Any, reason: str) -> NoReturn:
        """Raise the error for a key's value."""
        raise HornbookError(f"{self.where}: {key} = {_short(value)}. {reason}")

    def _take(self, key: str, default: Any) -> Any:
        if key not in self._left and default is None:
            state = "null" if key in self._known else "missing"
            raise HornbookError(f"{self.where}: key {key!r} is {state}.")
        return self._left.pop(key, default)


def _short(value: Any) -> str:
    shown = json.dumps(value, ensure_ascii=False, default=str)
    return shown if len(shown) <= 120 else shown[:117] + "..."
