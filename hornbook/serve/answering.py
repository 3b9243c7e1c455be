"""From what a client asks for to answers in the making, for every route on which a model writes."""

import dataclasses
import secrets
from collections.abc import Iterable, Sequence
from typing import Any

from hornbook.generate import constrain
from hornbook.generate.sampling import SamplingConfig
from hornbook.generate.text import Answer, Writing
from hornbook.serve.config import ServeConfig
from hornbook.serve.delivery import Delivery
from hornbook.serve.errors import RequestRefused
from hornbook.serve.schemas.base import Drawn
from hornbook.serve.served import ServedModel

_SAME = ("temperature", "min_p", "presence_penalty", "frequency_penalty", "repetition_penalty")
_TOP_OF_NONE = 1e-9
"""top_p = 0 means the likeliest token alone."""


@dataclasses.dataclass(frozen=True)
class WantedAnswer:
    """What is asked of each answer. n: answers to each prompt. grammar: what they must be.
    stop_ids: what ends them."""

    config: SamplingConfig
    stop_ids: frozenset[int]
    n: int = 1
    grammar: constrain.Grammar | None = None


def sampling(body: Drawn, max_tokens: int, top_logprobs: int | None) -> SamplingConfig:
    """How answers are drawn; without a seed by chance, as of a die. Raises RequestRefused."""
    given = {key: value for key in _SAME if (value := getattr(body, key)) is not None}
    stop = [body.stop] if isinstance(body.stop, str) else body.stop or []
    seed = secrets.randbits(63) if body.seed is None else body.seed % 2**63
    top_p = 1.0 if body.top_p is None else body.top_p or _TOP_OF_NONE
    return SamplingConfig(
        **given,
        top_k=body.top_k or None,
        top_p=top_p,
        seed=seed,
        max_tokens=max_tokens,
        stop=tuple(stop),
        logit_bias=_bias(body.logit_bias or {}),
        top_logprobs=top_logprobs,
    )


def _bias(given: dict[str, float]) -> tuple[tuple[int, float], ...]:
    """By ids of tokens, which JSON has as texts."""
    found = {}
    for key, value in given.items():
        if not (key.isascii() and key.isdecimal() and len(key) < 10):
            raise RequestRefused(
                f"logit_bias goes by the ids of tokens, not {key[:40]!r}.", "logit_bias"
            )
        found[int(key)] = value
    return tuple(sorted(found.items()))


def most_tokens(model: ServedModel, prompts: Sequence[Sequence[int]], asked: int | None,
                config: ServeConfig, where: str) -> int:  # fmt: skip
    """Tokens that an answer may have: what is asked for, what the server allows, what fits.

    Raises RequestRefused, with both numbers, for a prompt that leaves no room.
    """
    capacity = model.engine.capacity
    longest = max(map(len, prompts))
    if longest >= capacity:
        raise _too_long(f"{longest:,}", capacity, where)
    room = min(capacity - longest, config.max_tokens or capacity)
    return min(room, asked or room)


def check_texts(model: ServedModel, texts: Iterable[str], where: str) -> None:
    """Raises RequestRefused for texts that cannot fit whatever their tokens are, without counting
    these: it takes a second for each megabyte, in the thread that makes all prompts ready."""
    capacity, longest = model.engine.capacity, model.opened.tokenizer.longest
    least = -(-sum(map(len, texts)) // longest)
    if least >= capacity:
        raise _too_long(f"at least {least:,}", capacity, where)


def _too_long(tokens: str, capacity: int, where: str) -> RequestRefused:
    return RequestRefused(
        f"The prompt has {tokens} tokens; with room for an answer this model takes "
        f"{capacity - 1:,} of its context of {capacity:,}.",
        where,
        "context_length_exceeded",
    )


def begin(model: ServedModel, prompts: Sequence[list[int]], wanted: WantedAnswer) -> list[Writing]:
    """The answers, each with its own course through the grammar; in the clerk's thread.

    Raises RequestRefused for what cannot be done, before any of it is.
    """
    found: list[Writing] = []
    for prompt in prompts:
        for number in range(wanted.n):
            course = None
            if wanted.grammar is not None:
                course = model.constrainer(wanted.stop_ids).start(wanted.grammar)
            config = wanted.config.model_copy(update={"answer": number})
            tokenizer, answer = model.opened.tokenizer, Answer(prompt)
            found.append(Writing(tokenizer, answer, wanted.stop_ids, config, course))
    return found


def usage(delivery: Delivery) -> dict[str, Any]:
    """Tokens that went in and came out, as OpenAI counts them."""
    prompt, written = delivery.prompt_tokens, delivery.written_tokens
    return {
        "prompt_tokens": prompt,
        "completion_tokens": written,
        "total_tokens": prompt + written,
        "prompt_tokens_details": {"cached_tokens": delivery.cached_tokens},
    }
