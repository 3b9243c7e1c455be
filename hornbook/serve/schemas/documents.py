"""Bodies of routes that ask an index of documents."""

from typing import Annotated, Literal

from pydantic import Field

from hornbook.serve.schemas.base import Body

_Few = Annotated[list[str], Field(max_length=100)]


class SearchBody(Body):
    """POST /v1/search: the options of `hornbook search`, by the same names."""

    query: Annotated[str, Field(min_length=1, max_length=10_000)]
    count: Annotated[int, Field(ge=1, le=1000)] = 10
    by: Literal["words", "vectors", "both"] = "both"
    source: _Few | None = None
    folder: _Few | None = None
    since: str = ""
    until: str = ""
    in_language: _Few | None = None
    metadata: dict[str, str] | None = None


class AskBody(Body):
    """POST /v1/ask: the options of `hornbook ask`, by the same names. model: a decoder of this
    server that points at sentences; without one the best sentences answer."""

    question: Annotated[str, Field(min_length=1, max_length=10_000)]
    model: str | None = None
    strict: bool = False
    quotes: Annotated[int, Field(ge=1, le=50)] = 3
