"""`hornbook summarize`: a text, or many, in a few sentences that each say where they come from.

Beside one another stand the first sentences (lead), those that are the most central by an encoder
(extractive), and what a decoder writes. The decoder's is the answer only where it neither loops
nor says what the text does not hold; else the extractive one is.
"""

from bisect import bisect_right
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from hornbook.core.errors import HornbookError, UsageError
from hornbook.core.progress import Progress
from hornbook.corpus.language import language_of
from hornbook.retrieve.sections import Section, sections
from hornbook.retrieve.sentences import Span
from hornbook.retrieve.sentences import sentences as sentences_of
from hornbook.retrieve.support import Grounds, loops
from hornbook.workflows.documents.encoders import fitting_encoder
from hornbook.workflows.documents.sentence_vectors import SentenceVectors
from hornbook.workflows.open.load import kind_of
from hornbook.workflows.use.summarisers import require_no_penalties, summarises
from hornbook.workflows.use.summarize import SummarizeConfig, check, summarize

if TYPE_CHECKING:
    import numpy as np

_FEWEST, _MOST, _EACH = 3, 10, 40
"""Sentences of a summary, and how many of the text are worth one more."""
_WHOLE = 16_000
"""Characters of a text that a decoder reads whole; to read and shorten a longer one part by part
takes minutes."""
_SHORT = 20
"""Characters of a sentence that says something; a third of it in dense writing."""
_DENSE = ("zh", "ja", "ko", "th")
_SENTENCE_ENDS = tuple(".!?。！？…\"”'’)）」』")


class SourceText(NamedTuple):
    """A document to be summarised. pages: where each begins, empty where it has none."""

    document: int
    source: str
    text: str
    title: str = ""
    pages: Sequence[int] = ()


class _Sentence(NamedTuple):
    """section: its place in the list of all. start, end: in its document."""

    document: SourceText
    section: int
    start: int
    end: int

    @property
    def text(self) -> str:
        return " ".join(self.document.text[self.start : self.end].split())

    def plain(self) -> dict[str, Any]:
        """As a quote: the text is the document's, character by character."""
        pages = self.document.pages
        return {
            "text": self.document.text[self.start : self.end],
            "document": self.document.document,
            "source": self.document.source,
            "page": bisect_right(pages, self.start) if pages else None,
            "start": self.start,
            "end": self.end,
            "verified": True,
        }


class _Pool(NamedTuple):
    """All sentences of all documents with their vectors (N, D). encoder: what made them, or None.

    weights: 0 for sentences too short to say something.
    """

    language: str
    encoder: str | None
    sections: list[tuple[SourceText, Section]]
    sentences: list[_Sentence]
    vectors: "np.ndarray"
    weights: list[float]


def summarize_documents(
    model: Path | None,
    documents: Sequence[SourceText],
    config: SummarizeConfig,
    progress: Progress,
) -> dict[str, Any]:
    """summary, with by ("decoder", "encoder" or "words") and, where a decoder's was refused, why;
    sentences, each with its place; extractive, lead, sections, parts, characters.

    model: a decoder, alone or behind an encoder of its own (T5), an encoder, or None for the pulled
    encoder that fits. Raises UsageError for documents without a word, and a model of another kind.
    """
    documents = [one for one in documents if one.text.strip()]
    if not documents:
        raise UsageError("There is nothing to summarise: the text is empty.")
    check(config)
    writes = model is not None and summarises(model)
    kind = None if model is None else kind_of(model.expanduser()).kind
    if not writes and kind not in (None, "an encoder"):
        raise UsageError(f"{model} is {kind}: a summary needs a decoder or an encoder.")
    if not writes:
        require_no_penalties(config, "only a decoder writes its summary token by token")
    pool = _pool(documents, str(model) if kind == "an encoder" else None, progress)
    count = config.sentences or _count(len(pool.sentences))
    chosen = _chosen(pool, range(len(pool.sentences)), count)
    found: dict[str, Any] = {
        "model": None if model is None else str(model),
        "summary": _joined(chosen),
        "by": "words" if pool.encoder is None else "encoder",
        "encoder": pool.encoder,
        "sentences": [one.plain() for one in chosen],
        "extractive": _joined(chosen),
        "lead": _joined(pool.sentences[: config.lead]),
        "sections": _by_section(pool),
        "parts": [],
    }
    if model is not None and writes:
        text = _read(documents, found, config.part)
        if len(text) < sum(len(one.text) for one in documents):
            progress.say(
                "The text is long: the decoder reads the sentences that stand for each part."
            )
        found |= _written(model, text, pool, config, progress)
        found["read"] = len(text)
    sizes = {"text": sum(len(one.text) for one in documents), "summary": len(found["summary"])}
    return {**found, "characters": sizes}


def _read(documents: Sequence[SourceText], found: dict[str, Any], part: int | None) -> str:
    """What a decoder reads: a document; of a long one, and of several, the sentences that stand for
    each part. part: tokens that it shall read at once, of the whole text, if that is asked for."""
    if len(documents) == 1 and (part is not None or len(documents[0].text) <= _WHOLE):
        return documents[0].text
    parts = [" ".join(one["text"] for one in section["sentences"]) for section in found["sections"]]
    return "\n\n".join(parts)


def _pool(documents: Sequence[SourceText], encoder: str | None, progress: Progress) -> _Pool:
    languages = [language_of(one.text).code for one in documents]
    parts = [
        (document, part)
        for document, language in zip(documents, languages, strict=True)
        for part in sections(document.text, language)
    ]
    every = [
        _Sentence(document, number, span.start, span.end)
        for number, (document, part) in enumerate(parts)
        for span in part.sentences
    ]
    main = max(set(languages), key=languages.count)
    name = encoder or fitting_encoder(languages)
    vectors = SentenceVectors(name, progress, main).of([one.text for one in every])
    least = _SHORT // 3 if main in _DENSE else _SHORT
    weights = [float(one.end - one.start >= least) for one in every]
    return _Pool(main, name, parts, every, vectors, weights if any(weights) else [1.0] * len(every))


def _count(sentences: int) -> int:
    """Sentences of a summary of so many."""
    return min(_MOST, _FEWEST + max(0, sentences - _EACH) // _EACH)


def _chosen(pool: _Pool, places: Sequence[int], count: int) -> list[_Sentence]:
    from hornbook.retrieve.extract import choose

    if not any(pool.weights[i] for i in places):
        return [pool.sentences[i] for i in places][:count]
    rows = choose(pool.vectors[list(places)], count, [pool.weights[i] for i in places])
    return [pool.sentences[places[row]] for row in rows]


def _by_section(pool: _Pool) -> list[dict[str, Any]]:
    """Of each part its heading, its place and the sentences that stand for it."""
    places: list[list[int]] = [[] for _ in pool.sections]
    for i, one in enumerate(pool.sentences):
        places[one.section].append(i)
    return [
        {
            "heading": part.heading or document.title,
            "document": document.document,
            "source": document.source,
            "start": part.start,
            "end": part.end,
            "sentences": [
                one.plain() for one in _chosen(pool, inside, 1 + min(2, len(inside) // 10))
            ],
        }
        for (document, part), inside in zip(pool.sections, places, strict=True)
    ]


def _written(
    model: Path, text: str, pool: _Pool, config: SummarizeConfig, progress: Progress
) -> dict[str, Any]:
    """What the decoder makes of it: the answer, or why it is none."""
    try:
        found = summarize(model, text, config, progress)
    except HornbookError as error:
        if not str(error).startswith("The summaries of"):
            raise
        reason = "its summaries of parts are longer than the parts"
        return {"decoder": {"summary": "", "sentences": [], "cut": False}, "reason": reason}
    summary = found["summary"]
    cut = bool(summary) and not summary.endswith(_SENTENCE_ENDS)
    spans = sentences_of(summary, pool.language)
    said = _supported(pool, summary, spans[:-1] if cut and len(spans) > 1 else spans)
    shown = f"{summary} …" if cut else summary
    written: dict[str, Any] = {
        "decoder": {"summary": shown, "sentences": said, "cut": cut},
        "parts": found["parts"],
    }
    refused = _refused(summary, said, pool.language)
    if refused is not None:
        return {**written, "reason": refused}
    return {**written, "summary": shown, "by": "decoder", "sentences": said}


def _supported(pool: _Pool, summary: str, spans: Sequence[Span]) -> list[dict[str, Any]]:
    """Each sentence with the place of the one that it comes from, and whether that holds it."""
    sources = Grounds([one.text for one in pool.sentences], pool.language)
    found = []
    for span in spans:
        text = summary[span.start : span.end]
        support = sources.support(text)
        place = {} if support.place is None else pool.sentences[support.place].plain()
        found.append({**place, "text": text, "supported": support.holds, "verified": False})
    return found


def _refused(summary: str, said: Sequence[dict[str, Any]], language: str) -> str | None:
    """Why a decoder's summary is not the answer, or None."""
    if not summary.strip():
        return "it is empty"
    if loops(summary, language):
        return "it says the same again and again"
    unsupported = sum(not one["supported"] for one in said)
    if unsupported:
        return f"{unsupported} of its {len(said)} sentences say what the text does not hold"
    return None


def _joined(chosen: Sequence[_Sentence]) -> str:
    """As their writing joins them."""
    found = ""
    for one in chosen:
        found += one.text if not found or found[-1] > "\u2fff" else f" {one.text}"
    return found
