"""Probabilities of tokens, as chat completions and completions write them."""

from collections.abc import Iterable
from typing import Any

from hornbook.generate.service import AnswerPiece
from hornbook.tokenize.tokenizer import Tokenizer


def of_chat(tokenizer: Tokenizer, tokens: Iterable[AnswerPiece]) -> dict[str, Any]:
    """{"content": [...]} with the bytes of each token: one may be half a character."""
    content = []
    for token in tokens:
        assert token.id is not None and token.logprobs is not None
        content.append(
            _told(tokenizer, token.id, token.logprobs.chosen)
            | {"top_logprobs": [_told(tokenizer, i, p) for i, p in token.logprobs.top]}
        )
    return {"content": content, "refusal": None}


def _told(tokenizer: Tokenizer, i: int, logprob: float) -> dict[str, Any]:
    data = tokenizer.decode_bytes([i])
    return {"token": data.decode("utf-8", "replace"), "logprob": logprob, "bytes": list(data)}


def of_text(tokenizer: Tokenizer, tokens: Iterable[AnswerPiece], start: int) -> dict[str, Any]:
    """The older form, in columns. start: characters of the answer before these tokens."""
    found: dict[str, list[Any]] = {
        "tokens": [], "token_logprobs": [], "top_logprobs": [], "text_offset": []
    }  # fmt: skip
    for token in tokens:
        assert token.id is not None and token.logprobs is not None
        found["tokens"].append(tokenizer.decode([token.id]))
        found["token_logprobs"].append(token.logprobs.chosen)
        found["top_logprobs"].append({tokenizer.decode([i]): p for i, p in token.logprobs.top})
        found["text_offset"].append(start)
        start += len(found["tokens"][-1])
    return found
