"""Constrained output: only tokens that can still become what a grammar asks for may be drawn.

A grammar comes from a JSON schema, a regular expression or a list of choices. What may follow is
worked out by `llguidance` (MIT, a wheel of 3 MB without dependencies), which parses the bytes of
tokens, so that half a character in a token is no special case. Measured on SmolLM2's 49,152 tokens,
a schema is ready in 1 ms and a token costs 0.25 ms. Rejected: `outlines-core` 0.2 compiles a schema
into an automaton over the whole vocabulary first (0.5 s; 2 s for `[a-z]{1,100}x`), passes over
`minimum` and `maximum` without a word, and knows no nesting of unbounded depth.

Works on token ids: models, logits and files are its caller's.
"""

import importlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from hornbook.core.errors import HornbookError, UsageError

_JSON = {
    # One line as `json.dumps` writes it, which is how small models have mostly seen it. Free white
    # space would let a model that does not know how to go on fill its answer with it.
    "whitespace_flexible": False,
    "item_separator": ", ",
    "key_separator": ": ",
    # \u could spell half a surrogate pair, and whatever it spells can be written as itself.
    "json_allowed_escapes": '"\\bfnrt',
    "json_allow_general_unicode_escapes": False,
}


class Grammar(NamedTuple):
    """What an answer must be. name: for messages. text: as llguidance writes it."""

    name: str
    text: str


class Vocabulary(Protocol):
    """What a `Constrainer` sees of a byte-level tokenizer."""

    @property
    def vocab_size(self) -> int: ...

    @property
    def special_ids(self) -> frozenset[int]: ...

    def encode(self, text: str) -> list[int]: ...

    def decode_bytes(self, ids: Sequence[int]) -> bytes: ...


def json_schema(schema: str | Mapping[str, Any], name: str = "the JSON schema") -> Grammar:
    """A value that the schema, an object or its text, describes, on one line.

    Properties come in the order of the schema. name: of the schema, for messages. Raises UsageError
    with the part and the reason where the text is no schema, cannot be satisfied, or uses keywords
    that cannot be kept to while writing (`uniqueItems`, `not`).
    """
    if isinstance(schema, str):
        try:
            schema = json.loads(schema)
        except (ValueError, RecursionError) as error:
            raise UsageError(f"{_capital(name)} is not JSON: {error}.") from None
    if not isinstance(schema, Mapping):
        raise UsageError(
            f"{_capital(name)}: a JSON schema is an object, not {json.dumps(schema)[:80]}."
        )
    try:
        text = json.dumps(schema, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise UsageError(f"{_capital(name)} is not JSON: {error}.") from None
    grammar, wrong = _from_schema(text)
    if wrong:
        place, reason = _culprit(schema, wrong) if len(text) < _MOST_TEXT else ("", wrong)
        raise UsageError(f"{_capital(name)} cannot be used{place}: {reason}.")
    return Grammar(name, grammar)


def embedded(schema: Mapping[str, Any]) -> str:
    """A schema that `json_schema` takes, as a rule of a larger grammar, written the same way."""
    return f"%json {json.dumps({**schema, 'x-guidance': _JSON})}"


def quoted(text: str) -> str:
    """A text as a terminal of a grammar: its strings are JSON's, but for the delete character,
    which has to be escaped."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def lark(name: str, text: str) -> Grammar:
    """A grammar in llguidance's own language. Raises UsageError with the reason if it is none."""
    return _checked(Grammar(name, _library().LLMatcher.grammar_from_lark(text)))


def _from_schema(text: str) -> tuple[str, str]:
    """The grammar of a schema; why there is none, or an empty text."""
    library = _library().LLMatcher
    try:
        grammar = library.grammar_from_json_schema(text, overrides=_JSON)
    except ValueError as error:
        return "", _reason(str(error))
    wrong, messages = library.validate_grammar_with_warnings(grammar)
    return grammar, _reason(messages[0]) if wrong else ""


_NAMED = ("properties", "patternProperties", "$defs", "definitions")
_LISTED = ("anyOf", "allOf", "oneOf", "prefixItems")
_SINGLE = ("items", "additionalProperties", "contains", "not", "if", "then", "else")
"""Keywords of JSON Schema under which schemas stand."""

_MOST_PARTS, _MOST_TEXT = 100, 2**17
"""Parts of a schema that are tried, to name the one that is wrong; characters of one that is."""


def _culprit(schema: Mapping[str, Any], reason: str) -> tuple[str, str]:
    """The smallest part of a schema that cannot be used by itself, " at" its place, and why.

    Parts keep the root's definitions, which they may refer to. The root has no place.
    """
    shared = {key: schema[key] for key in ("$defs", "definitions") if key in schema}
    part: Any = schema
    path, tried = "#", 0
    while True:
        for key, inner in _parts(part):
            tried += 1
            if not isinstance(inner, Mapping):
                if isinstance(inner, bool):
                    continue
                return _at(f"{path}/{key}"), f"a schema is an object, not {json.dumps(inner)[:80]}"
            own = {} if key.startswith(("$defs/", "definitions/")) else shared
            wrong = _from_schema(json.dumps({**own, **inner}))[1]
            if wrong:
                part, path, reason = inner, f"{path}/{key}", wrong
                break
            if tried >= _MOST_PARTS:
                return _at(path), reason
        else:
            return _at(path), reason


def _at(path: str) -> str:
    short = path if len(path) < 200 else f"{path[:200]}…"
    return "" if path == "#" else f" at {short}"


def _parts(schema: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """What should be the schemas right inside a schema, with their places."""
    for key, value in schema.items():
        if key in _NAMED and isinstance(value, Mapping):
            yield from ((f"{key}/{name}", inner) for name, inner in value.items())
        elif key in _LISTED and isinstance(value, list | tuple):
            yield from ((f"{key}/{i}", inner) for i, inner in enumerate(value))
        elif key in _SINGLE:
            yield key, value


def regex(pattern: str) -> Grammar:
    """A text that the pattern matches as a whole, in the syntax of Rust's crate `regex`.

    That is Python's without looking around, word boundaries and references back. Raises UsageError
    with the reason where the pattern is something else.
    """
    grammar = _library().LLMatcher.grammar_from_regex(pattern)
    return _checked(Grammar(f"the regular expression {pattern!r}", grammar))


def choices(texts: Sequence[str]) -> Grammar:
    """One of the texts, character for character.

    Raises UsageError where there is none, or one is empty or no Unicode text.
    """
    if not texts or not all(texts):
        raise UsageError("Choices are one or more texts, none of them empty.")
    try:
        "".join(texts).encode("utf-8")
    except UnicodeEncodeError:
        raise UsageError(
            "A choice holds half a surrogate pair, which is no Unicode text."
        ) from None
    return lark("the choices", "start: " + " | ".join(map(quoted, texts)))


def _checked(grammar: Grammar) -> Grammar:
    wrong, messages = _library().LLMatcher.validate_grammar_with_warnings(grammar.text)
    if wrong:
        raise UsageError(f"{_capital(grammar.name)} cannot be used: {_reason(messages[0])}.")
    return grammar


class Constrainer:
    """Grammars for one model and its tokenizer. Building it takes 0.3 s for 50,000 tokens."""

    def __init__(self, tokenizer: Vocabulary, vocab: int, stop_ids: frozenset[int]) -> None:
        """vocab: ids that the model gives logits for. stop_ids: end an answer.

        Ids without a token, special ones and padding never come, but for `stop_ids` at the end.
        Raises HornbookError where nothing ends an answer.
        """
        library = _library()
        ends = sorted(i for i in stop_ids if i < vocab)
        if not ends:
            raise HornbookError("The tokenizer names no token that ends an answer.")
        self.vocab, self.stop_ids = vocab, frozenset(ends)
        special = sorted(i for i in {*tokenizer.special_ids, *ends} if i < vocab)
        self._tokenizer = library.LLTokenizer(
            library.TokenizerWrapper(_Table(tokenizer, vocab, special, ends[0])), eos_token=ends
        )

    def start(self, grammar: Grammar) -> "GrammarState":
        """The beginning of one answer. Raises UsageError where no text of these tokens will do."""
        matcher = _library().LLMatcher(self._tokenizer, grammar.text, log_level=0)
        state = GrammarState(matcher, grammar, self.vocab, self.stop_ids)
        state.allowed()
        return state


class GrammarState:
    """How far one answer has come (a `Constraint`). The same tokens always allow the same."""

    def __init__(
        self, matcher: Any, grammar: Grammar, vocab: int, stop_ids: frozenset[int]
    ) -> None:
        self._matcher, self._grammar, self._vocab = matcher, grammar, vocab
        self._ends = stop_ids
        self._begun = False

    @property
    def complete(self) -> bool:
        """Whether the answer so far is all that the grammar asks for; it may still go on."""
        return bool(self._matcher.is_accepting())

    def allowed(self) -> np.ndarray:
        """(V,) bool, True = may come next: never none, and the end only where `complete`.

        Raises HornbookError where the grammar turns out to be too large to follow, or no token
        leads on; UsageError, which it is too, where that is so from the beginning.
        """
        bits = np.frombuffer(self._matcher.compute_bitmask(), np.uint8)
        found = np.unpackbits(bits, count=self._vocab, bitorder="little").view(bool)
        # Where it cannot go on, the library allows the end, as if the answer were whole.
        if not self.complete:
            found[list(self._ends)] = False
        if not found.any():
            raise self._refusal()
        return found

    def advance(self, token: int) -> None:
        """Go on by a token that was allowed."""
        if not self._matcher.consume_token(token):
            raise self._refusal()
        self._begun = True

    def is_whole(self, ids: Sequence[int]) -> bool:
        """Whether an answer of these ids, an end or none, is all that the grammar asks for."""
        again = self._matcher.deep_copy()
        again.reset()
        again.consume_tokens([i for i in ids if i not in self._ends])
        return not again.is_error() and bool(again.is_accepting())

    def _refusal(self) -> HornbookError:
        reason = _reason(self._matcher.get_error())
        if not self._matcher.is_error() or reason.startswith("NoExtension"):
            reason = "no token leads on" if self._begun else "no text will do"
        kind = HornbookError if self._begun else UsageError
        return kind(f"{_capital(self._grammar.name)} cannot be followed: {reason}.")


class _Table:
    """What llguidance asks of a tokenizer: the bytes of every id, and ids of text."""

    bos_token_id = None

    def __init__(self, tokenizer: Vocabulary, vocab: int, special: list[int], end: int) -> None:
        self._tokenizer, self.eos_token_id = tokenizer, end
        self.special_token_ids = special
        self.tokens = [tokenizer.decode_bytes([i]) for i in range(vocab)]

    def __call__(self, text: bytes) -> list[int]:
        return self._tokenizer.encode(text.decode("utf-8", errors="replace"))


def _library() -> Any:
    try:
        return importlib.import_module("llguidance")
    except ModuleNotFoundError:
        raise UsageError(
            "Constrained output needs llguidance: pip install 'hornbook[constrain]'."
        ) from None


def _reason(message: str) -> str:
    """One line of what may be an excerpt with a pointer below it."""
    stated = re.search(r"^error: (.+)$", message, re.MULTILINE)
    line = stated[1] if stated else message.partition("\n")[0].rpartition("(in regex): ")[2]
    return line.strip().rstrip(".") or "it is too large"


def _capital(text: str) -> str:
    """A name as the beginning of a sentence; one that is written elsewhere stays as it is there."""
    return text[:1].upper() + text[1:] if text.startswith("the ") else text
