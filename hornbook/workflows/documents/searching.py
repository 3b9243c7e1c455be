"""What a question to an index needs besides the index: a model for its vector, one that reranks."""

from collections.abc import Callable
from pathlib import Path

from hornbook.core.errors import UsageError, unknown
from hornbook.retrieve.reranking import Counting, Reranking
from hornbook.retrieve.search import BY, By, Encode


def way_of(by: str) -> By:
    """A way of searching by its name. Raises UsageError for one that is none."""
    for known in BY:
        if by == known:
            return known
    raise unknown("way of searching", by, BY)


def asking(folder: Path, by: By, say: Callable[[str], object] = str) -> Encode | None:
    """What makes the vector of a question; None where words are all that is asked for, or there is.

    say: is told that the model of the vectors is gone. Raises UsageError for vectors where the
    index has none, or their model is gone.
    """
    if by == "words":
        return None
    from hornbook.workflows.documents.encoders import question_encoder

    try:
        encode = question_encoder(folder)
    except UsageError as error:
        if by == "vectors":
            raise
        say(f"Only words are searched: {error}")
        return None
    if encode is None and by == "vectors":
        raise UsageError(f"{folder} has no vectors yet; search by words.")
    return encode


def reranking_by(model: str | None) -> Reranking | None:
    """What puts hits into another order; None where no model is asked for.

    Raises UsageError where it is no reranker, HornbookError where its files are broken.
    """
    if model is None:
        return None
    from hornbook.workflows.open.load import load
    from hornbook.workflows.open.reranker import Reranker

    opened = load(model, Reranker)
    return Reranking(opened.rerank, opened.counting)


def said_of(model: str, counting: Counting, by: By) -> str | None:
    """What there is to say of a reranker whose order may be no better, or None."""
    if not counting.settled:
        return (
            f"{model} does not say how much it counts, so it alone decides; whether that helps "
            f"says `hornbook evaluate INDEX --task retrieval --data QUESTIONS --rerank {model}`."
        )
    if not counting.of(by):
        return (
            f"{model} counts nothing: on the questions that were held out when it was made, the "
            f"search by {by} was not made better by it. The order is that of the search."
        )
    return None
