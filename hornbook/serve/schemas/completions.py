"""POST /v1/completions."""

from typing import Annotated, Literal

from pydantic import Field

from hornbook.serve.schemas.base import Drawn, PassedOver, Streamed

TokenIds = Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1)]


class CompletionBody(Drawn, Streamed, PassedOver):
    """Texts, or their tokens, that are to be continued. best_of, echo, suffix: only what changes
    nothing."""

    prompt: (
        str | TokenIds | Annotated[list[str], Field(min_length=1)]
        | Annotated[list[TokenIds], Field(min_length=1)]
    )  # fmt: skip
    max_tokens: Annotated[int, Field(ge=1)] = 16
    n: Annotated[int, Field(ge=1, le=128)] = 1
    logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    best_of: Literal[1] | None = None
    echo: Literal[False] | None = None
    suffix: Literal[""] | None = None
