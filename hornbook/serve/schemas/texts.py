"""Bodies of routes on which a model reads: texts go in, numbers, labels or other texts come out."""

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from hornbook.serve.schemas.base import Body, PassedOver

NotEmpty = Annotated[str, Field(min_length=1)]
Texts = NotEmpty | Annotated[list[NotEmpty], Field(min_length=1)]


class Reading(PassedOver):
    """truncate: read the beginning of a text that is too long, where it would be refused."""

    model: str | None = None
    truncate: bool = False


class InputTexts(Body):
    """One text, or several."""

    input: Texts

    @field_validator("input", mode="before")
    @classmethod
    def _texts_alone(cls, value: Any) -> Any:
        if isinstance(value, list) and value and isinstance(value[0], int | list):
            raise ValueError("send texts: tokens are those of one tokenizer, maybe of another")
        return value

    @property
    def texts(self) -> list[str]:
        """All of them."""
        return [self.input] if isinstance(self.input, str) else self.input


class EmbeddingBody(Reading, InputTexts):
    """POST /v1/embeddings. input_type: what the texts are to the model, such as query or passage;
    not OpenAI's."""

    encoding_format: Literal["float", "base64"] = "float"
    dimensions: Annotated[int, Field(ge=1)] | None = None
    input_type: str | None = None


class RerankedText(Body):
    """A document as an object."""

    text: NotEmpty


class RerankBody(Reading):
    """POST /v1/rerank: as Jina and Cohere have it."""

    query: NotEmpty
    documents: Annotated[list[NotEmpty | RerankedText], Field(min_length=1)]
    top_n: Annotated[int, Field(ge=1)] | None = None
    return_documents: bool = False

    @property
    def texts(self) -> list[str]:
        """All documents."""
        return [one if isinstance(one, str) else one.text for one in self.documents]


class ClassifyBody(Reading, InputTexts):
    """POST /v1/classify."""


class TranslateBody(PassedOver, InputTexts):
    """POST /v1/translate. task: by the name that the model's folder has for it."""

    model: str | None = None
    beam: Annotated[int, Field(ge=1, le=32)] = 4
    length_penalty: Annotated[float, Field(ge=-10, le=10)] = 1.0
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    task: str | None = None
