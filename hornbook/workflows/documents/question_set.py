"""`hornbook index --make-questions`: a small test set made of one's own documents.

Each row has a question, the passage and the sentence that answer it, and where they stand, so that
`evaluate INDEX --task retrieval`, `--task answers` and `finetune --task embed` read it. A decoder
asks about a sentence where there is one: kept is what it says of that sentence rather than of
another. Otherwise questions are some words of a sentence among others (`retrieve.made_questions`).
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from hornbook.core.claims import Claim
from hornbook.core.errors import HornbookError
from hornbook.core.outputs import check_file, output_file
from hornbook.core.progress import Progress
from hornbook.core.stats import Estimate, bootstrap_ratio
from hornbook.generate.answers import greedy_answers
from hornbook.retrieve.evidence import Asking
from hornbook.retrieve.index import DocumentIndex
from hornbook.retrieve.made_questions import MadeQuestion, made_questions
from hornbook.retrieve.quotes import one_line, quote
from hornbook.workflows.documents.asking import passage_of, place_of
from hornbook.workflows.documents.pointing import is_chinese, question_likelihoods
from hornbook.workflows.open.decoder import Decoder
from hornbook.workflows.open.load import kind_of, load
from hornbook.workflows.open.opened import wrong_kind

MAKER = Claim("index --make-questions")
_SEED = 1
"""Other questions than those that thresholds are learned on, which have seed 0."""
_MORE = 2
"""Sentences that a decoder is asked about, for each question that is wanted."""
_TOGETHER, _TOKENS = 32, 48
_SHORTEST, _LONGEST = 10, 200
"""Characters of a question; a third of it in dense writing."""
_ASKED = {
    False: "Text: {around}\n\nWrite one short question that this sentence answers: {sentence}",
    True: "文字：{around}\n\n请就这句话提一个简短的问题，答案就是这句话：{sentence}",
}
_FIRST = 5


class QuestionSet(NamedTuple):
    """What was made. by: "rules", or the model. tried: questions that it wrote; left_out: of them.

    shared: the share of a question's words, by rarity, that stand in its sentence. found: how often
    its passage is among the first five by words.
    """

    file: str
    questions: int
    by: str
    tried: int
    left_out: int
    shared: Estimate
    found: Estimate

    def plain(self) -> dict[str, Any]:
        """As JSON has it."""
        estimates = {name: getattr(self, name)._asdict() for name in ("shared", "found")}
        return {**self._asdict(), **estimates}


def check_questions(file: Path, model: Path | None) -> None:
    """Raises UsageError for a file that is another's, and a model that is no decoder."""
    check_file(file, MAKER)
    if model is not None and kind_of(model.expanduser()) is not Decoder:
        raise wrong_kind(model, kind_of(model.expanduser()), "generate")


def made_set(
    folder: Path, file: Path, count: int, model: Path | None, progress: Progress
) -> QuestionSet:
    """Make at most `count` questions of an index and write them to a file of JSON Lines.

    Raises HornbookError where its documents hold no sentence that can be asked about.
    """
    with DocumentIndex.open(folder) as index:
        made = made_questions(index, count if model is None else _MORE * count, _SEED)
        by, tried = "rules", len(made)
        if model is not None:
            by, decoder = str(model), load(model, Decoder, say=progress.say)
            made, tried = _asked(index, decoder, made, count, progress)
        if not made:
            raise HornbookError(f"{folder} holds no sentence that a question can be made of.")
        rows = [_row(index, one, by) for one in made]
        shared, found = _figures(index, made)
    with output_file(file, MAKER) as aside:
        lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        aside.write_text("".join(lines), encoding="utf-8")
    return QuestionSet(str(file), len(made), by, tried, tried - len(made), shared, found)


def _row(index: DocumentIndex, one: MadeQuestion, by: str) -> dict[str, Any]:
    passage = index.passages(*one.place)[0]
    said = quote(index, one.place)
    return {
        "question": one.question,
        "passage": index.text(*passage[1:]),
        "answers": [said.text],
        "source": said.source,
        "page": said.page,
        "start": said.start,
        "end": said.end,
        "made_by": by,
    }


def _figures(index: DocumentIndex, made: Sequence[MadeQuestion]) -> tuple[Estimate, Estimate]:
    """How much questions share with their sentences, and how often words find their passages."""
    shares, found = [], []
    for one in made:
        language = index.document(one.place.document).language
        shares.append(Asking(index, one.question).share(index.text(*one.place), language))
        hits, is_its = index.search(one.question, _FIRST, "words"), passage_of(one)
        found.append(float(any(is_its(place_of(hit), hit.text) for hit in hits)))
    shared, first = (bootstrap_ratio(values, [1.0] * len(values)) for values in (shares, found))
    return shared, first


def _asked(
    index: DocumentIndex,
    decoder: Decoder,
    made: Sequence[MadeQuestion],
    count: int,
    progress: Progress,
) -> tuple[list[MadeQuestion], int]:
    """At most `count` good questions of a decoder about the same sentences; of how many."""
    kept: dict[str, MadeQuestion] = {}
    texts, tried = [one_line(index.text(*one.place)) for one in made], 0
    with progress.bar("asking about sentences", count, "questions") as advance:
        for start in range(0, len(made), _TOGETHER):
            some = made[start : start + _TOGETHER]
            written = _written(index, decoder, some)
            for i, (one, question) in enumerate(zip(some, written, strict=True), start):
                if len(kept) == count:
                    return list(kept.values()), tried
                tried += 1
                if question not in kept and _is_good(decoder, question, texts[i], texts[i - 1]):
                    kept[question] = MadeQuestion(question, one.place)
                    advance(1)
    return list(kept.values()), tried


def _written(index: DocumentIndex, decoder: Decoder, some: Sequence[MadeQuestion]) -> list[str]:
    """A question about each sentence, on a line."""
    tokenizer = decoder.tokenizer
    chat, prompts = tokenizer.chat_template is not None, list[list[int]]()
    for one in some:
        passage = index.passages(*one.place)[0]
        sentence, around = (one_line(index.text(*place)) for place in (one.place, passage[1:]))
        asked = _ASKED[is_chinese(sentence)].format(around=around, sentence=sentence)
        if chat:
            turns = [{"role": "user", "content": asked}]
            prompts.append([int(i) for i in tokenizer.encode_chat(turns, True)[0]])
        else:
            prompts.append(tokenizer.encode_beginning(f"{asked}\nQuestion:"))
    room = decoder.context - _TOKENS
    prompts = [ids if len(ids) <= room else ids[-room:] for ids in prompts]
    found = greedy_answers(decoder.model, tokenizer, prompts, _TOKENS, ["\n"], chat)
    return [one_line(text).strip('"“”「」 ') for text in found]


def _is_good(decoder: Decoder, question: str, own: str, other: str) -> bool:
    """Whether it is a question, in other words than its sentence, and likelier after it."""
    scale = 3 if is_chinese(question) else 1
    if not question.endswith(("?", "？")) or not _SHORTEST <= len(question) * scale <= _LONGEST:
        return False
    if own.casefold().rstrip(".。") in question.casefold():
        return False
    likely, less = question_likelihoods(decoder, [own, other], question)
    return likely > less
