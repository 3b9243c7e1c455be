"""A decoder points at sentences: which of them makes the question likeliest?

The likelihood of the question after each sentence (Sachan et al. 2022, 2204.07496): a model that
only judges cannot write a false quote, and what a document tells it to do is no more than words
before a question. Where it may say something in its own words, each sentence is linked to the
quote that supports it, or marked.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from hornbook.generate.answers import greedy_answers
from hornbook.generate.likelihoods import encode_pair
from hornbook.retrieve.evidence import Evidence
from hornbook.retrieve.sentences import sentences
from hornbook.retrieve.support import Grounds, loops

if TYPE_CHECKING:
    from hornbook.workflows.open.decoder import Decoder

_POINTED = 10
"""Sentences that a model chooses among."""
_OWN_WORDS = 96
_TOGETHER = {
    False: "Passages:\n{passages}\n\nAnswer the question in one or two sentences from the passages "
    "only.\nQuestion: {question}",
    True: "段落：\n{passages}\n\n只根据这些段落，用一两句话回答问题。\n问题：{question}",
}


class Said(NamedTuple):
    """A sentence in a model's own words. quote: the number of the one that supports it, or None."""

    text: str
    supported: bool
    quote: int | None


def is_chinese(text: str) -> bool:
    """Whether a model is spoken to in Chinese, as what it is asked about is."""
    return any("\u3400" <= character <= "\u9fff" for character in text)


def question_likelihoods(decoder: "Decoder", texts: Sequence[str], question: str) -> list[float]:
    """Nats a token that the question has after each text."""
    room = decoder.context - len(decoder.tokenizer.encode(question)) - 16
    kept = [text[: max(16, room * 2)] for text in texts]
    requests = [
        encode_pair(decoder.tokenizer, f"{text}\n\nQuestion:", f" {question}") for text in kept
    ]
    return [found.logprob / found.tokens for found in decoder.likelihoods(requests)]


def pointed(decoder: "Decoder", evidence: Sequence[Evidence], question: str) -> list[Evidence]:
    """The evidence, the first few in the order in which the model finds them."""
    first = list(evidence[:_POINTED])
    likely = question_likelihoods(decoder, [one.text for one in first], question)
    order = sorted(range(len(first)), key=lambda i: (-likely[i], i))
    return [*(first[i] for i in order), *evidence[_POINTED:]]


def in_own_words(
    decoder: "Decoder", quotes: Sequence[str], question: str, language: str
) -> tuple[list[Said], str | None]:
    """What the model says, sentence by sentence, and why that is nothing, or None."""
    numbered = "\n".join(f"[{i}] {' '.join(text.split())}" for i, text in enumerate(quotes, 1))
    before, after = _TOGETHER[is_chinese(question)].split("{passages}")
    asked = before + numbered + after.replace("{question}", question, 1)
    chat = decoder.tokenizer.chat_template is not None
    if chat:
        found = decoder.tokenizer.encode_chat([{"role": "user", "content": asked}], True)[0]
        ids = [int(i) for i in found]
    else:
        ids = decoder.tokenizer.encode_beginning(f"{asked}\nAnswer:")
    if len(ids) + _OWN_WORDS > decoder.context:
        return [], "the quotes are longer than the model reads"
    stop = () if chat else ("\n",)
    (text,) = greedy_answers(decoder.model, decoder.tokenizer, [ids], _OWN_WORDS, stop, chat)
    if loops(text, language):
        return [], "the model says the same again and again"
    sources = Grounds(quotes, language)
    said = []
    for span in sentences(text, language):
        support = sources.support(text[span.start : span.end])
        place = support.place if support.holds else None
        said.append(Said(text[span.start : span.end], support.holds, place))
    return said, None


def plain(said: Sequence[Said]) -> list[dict[str, Any]]:
    """As JSON has it."""
    return [one._asdict() for one in said]
