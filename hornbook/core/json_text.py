"""JSON text as plain data, and what is wrong with it in one sentence.

The standard library reads, with what it leaves open decided here: how deep values may lie, how long
a number may be, and for records that NaN and a field given twice are mistakes.
"""

import functools
import json
import math
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

DEEPEST = 100
"""Values inside values. Whatever works on plain data may call itself for each of them."""

MOST_DIGITS = 4300
"""Of a whole number, as Python has it: time to read one grows as the square of its length."""


class NotJson(ValueError):
    """The message says what is wrong and where. line: of the text, from 1.

    cut: nothing is wrong but that the text ends.
    """

    def __init__(self, what: str, line: int = 1, cut: bool = False) -> None:
        super().__init__(what)
        self.line, self.cut = line, cut


def parse_json(text: str) -> Any:
    """The value, as other programs' files have it: NaN is taken, of equal keys the last one counts.

    Raises NotJson.
    """
    return _parsed(_LENIENT, text)


def parse_record(text: str) -> Any:
    """As `parse_json`, of data: NaN, infinities and a field that is there twice are refused."""
    return _parsed(_STRICT, text)


def parse_records(text: str) -> Iterator[tuple[int, Any]]:
    """Values that follow one another, as `parse_record`, each with the line on which it begins.

    Raises NotJson where one is broken: what follows cannot be told from it.
    """
    place, line = 0, 1
    while (start := _skip_blanks(text, place)) < len(text):
        line += text.count("\n", place, start)
        value, place = _guarded(text, functools.partial(_STRICT.raw_decode, text, start), line)
        yield line, value
        line += text.count("\n", start, place)


def finite(value: Any) -> Any:
    """Plain data with None for each number that JSON cannot say."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: finite(inner) for key, inner in value.items()}
    return [finite(inner) for inner in value] if isinstance(value, list | tuple) else value


_encode = json.JSONEncoder(ensure_ascii=False, default=str).encode


def half_character(value: Any) -> str | None:
    """Where plain data holds half a surrogate pair, which no file can store; None if nowhere."""
    try:
        _encode(value).encode("utf-8")
    except UnicodeEncodeError:  # found again by steps, to say where
        return _half_inside(value)
    return None


def _half_inside(value: Any) -> str | None:
    if isinstance(value, str):
        try:
            value.encode("utf-8")
        except UnicodeEncodeError as error:
            return f"half a surrogate pair, \\u{ord(value[error.start]):04x}"
    elif isinstance(value, dict):
        for name, inner in value.items():
            if found := _half_inside(inner) or _half_inside(name):
                return found if " in " in found else f"{found}, in {name!a}"
    elif isinstance(value, list | tuple):
        return next(filter(None, map(_half_inside, value)), None)
    return None


def _parsed(decoder: json.JSONDecoder, text: str) -> Any:
    try:
        value = decoder.decode(text)
    except (ValueError, RecursionError):
        return _guarded(text, functools.partial(decoder.decode, text))  # again, for what is wrong
    if _is_deep(value):
        raise _too_deep(1)
    return value


def _guarded(text: str, read: Callable[[], Any], line: int = 1) -> Any:
    try:
        value = read()
    except NotJson as error:
        raise NotJson(str(error), line) from None
    except RecursionError:
        raise _too_deep(line) from None
    except json.JSONDecodeError as error:
        several = "\n" in text.strip()
        where = f"line {error.lineno}, column {error.colno}" if several else f"column {error.colno}"
        cut = error.pos >= len(text.rstrip())
        raise NotJson(f"{error.msg.lower()} at {where}", error.lineno, cut) from None
    except ValueError:  # the only other one that the library raises
        raise NotJson(f"a number of more than {MOST_DIGITS:,} digits", line) from None
    if _is_deep(value):
        raise _too_deep(line)
    return value


def _too_deep(line: int) -> NotJson:
    return NotJson(f"values lie more than {DEEPEST} deep inside one another", line)


def _is_deep(value: Any) -> bool:
    level = [value] if isinstance(value, dict | list) else []
    depth = 0
    while level and depth <= DEEPEST:
        inner = []
        for one in level:
            for part in one.values() if type(one) is dict else one:
                if type(part) is dict or type(part) is list:
                    inner.append(part)
        level, depth = inner, depth + 1
    return bool(level)


def _skip_blanks(text: str, place: int) -> int:
    while place < len(text) and text[place] in " \t\n\r":
        place += 1
    return place


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        counted = Counter(name for name, _ in pairs)
        twice = next(name for name in found if counted[name] > 1)
        raise NotJson(f"the field {twice!a} is there twice")
    return found


def _no_number(name: str) -> Any:
    raise NotJson(f"{name} is no number in JSON; write null")


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise NotJson(f"{digits[:20]} is larger than numbers can be")
    return number


_LENIENT = json.JSONDecoder()
_STRICT = json.JSONDecoder(
    object_pairs_hook=_unique, parse_constant=_no_number, parse_float=_finite
)
