"""What all bodies share: strict types, null for what is left out, nothing unknown.

A parameter that changes nothing in an answer is named and passed over; any other that is not named
is refused. Where only one value of a parameter can be done, its type holds that value alone.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Body(BaseModel):
    """An object that a client sends."""

    model_config = ConfigDict(strict=True, extra="forbid", protected_namespaces=())

    @model_validator(mode="before")
    @classmethod
    def _null_is_left_out(cls, values: Any) -> Any:
        if isinstance(values, dict):
            return {key: value for key, value in values.items() if value is not None}
        return values


class PassedOver(Body):
    """What changes nothing here: who asks, how requests are kept, cached and charged elsewhere."""

    user: str | None = None
    metadata: dict[str, Any] | None = None
    store: bool | None = None
    service_tier: str | None = None
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None
    prompt_cache_options: dict[str, Any] | None = None
    prompt_cache_retention: str | None = None


StopText = Annotated[str, Field(min_length=1, max_length=1000)]
Penalty = Annotated[float, Field(ge=-2, le=2)]


class Drawn(Body):
    """How an answer is drawn. The last three are not OpenAI's."""

    model: str | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    seed: Annotated[int, Field(ge=-(2**63), lt=2**63)] | None = None
    stop: StopText | Annotated[list[StopText], Field(max_length=64)] | None = None
    presence_penalty: Penalty | None = None
    frequency_penalty: Penalty | None = None
    logit_bias: dict[str, Annotated[float, Field(ge=-100, le=100)]] | None = None
    min_p: Annotated[float, Field(ge=0, lt=1)] | None = None
    top_k: Annotated[int, Field(ge=0)] | None = None
    repetition_penalty: Annotated[float, Field(ge=0.1, le=10)] | None = None


class StreamOptions(Body):
    """Of a stream. include_obfuscation: padding against listeners, of which we have none to fool
    over a loopback; only without."""

    include_usage: bool = False
    include_obfuscation: Literal[False] | None = None


class Streamed(Body):
    """A route that can stream."""

    stream: bool = False
    stream_options: StreamOptions | None = None

    @model_validator(mode="after")
    def _options_need_a_stream(self) -> Self:
        if self.stream_options is not None and not self.stream:
            raise ValueError("stream_options goes with stream = true")
        return self
