"""Conversations as they are trained, and the prompts that the same ones make in serving."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from hornbook.core.errors import HornbookError
from hornbook.generate.conversation import ChatFormat
from hornbook.models.causal_lm import CausalLMConfig
from hornbook.models.folder import load_config
from hornbook.tokenize.answers import encode_answers
from hornbook.tokenize.tokenizer import Tokenizer
from hornbook.workflows.doctor.subject import Subject

_MOST = 8
_USUAL: tuple[tuple[dict[str, str], ...], ...] = (
    (
        {"role": "user", "content": "What is a hornbook?"},
        {"role": "assistant", "content": "A small tablet from which people learned to read."},
    ),
    (
        {"role": "user", "content": "What is two and two?"},
        {"role": "assistant", "content": "Four."},
        {"role": "user", "content": "And three more?"},
        {"role": "assistant", "content": "Seven."},
    ),
)


class Rendered(NamedTuple):
    """One conversation. trained, served: ids of it up to its last answer, in training and as a
    prompt. learned: how many of its tokens are targets. ends: whether the answer's last target
    stops the model."""

    trained: np.ndarray
    served: np.ndarray
    learned: int
    ends: bool

    @property
    def same(self) -> bool:
        """The last token of a prompt may have grown together with what follows it."""
        size = len(self.served) - 1
        return len(self.trained) >= size and bool((self.trained[:size] == self.served[:size]).all())


def serving_tokenizer(subject: Subject) -> Tokenizer | None:
    """The tokenizer of a decoder that is there to be used; None for anything else."""
    if subject.model is None or not isinstance(load_config(subject.model), CausalLMConfig):
        return None
    return Tokenizer.load(subject.model)


def conversations(subject: Subject, serving: Tokenizer) -> Iterator[Rendered]:
    """The first conversations that are learned, or some usual ones, rendered both ways."""
    training = subject.tokenizer if isinstance(subject.tokenizer, Tokenizer) else serving
    asked = ChatFormat(serving)
    for messages in _messages(subject):
        try:
            ids, trained = encode_answers(training, messages)
        except HornbookError:
            if messages in _USUAL:  # some templates take no second question
                continue
            raise
        places = np.flatnonzero(trained)
        prompt = np.array(asked.prompt(messages[:-1]).ids)
        ends = bool(len(places)) and int(ids[places[-1]]) in serving.stop_ids
        yield Rendered(ids, prompt, len(places), ends)


def _messages(subject: Subject) -> list[Any]:
    source = getattr(subject.problem, "source", None)
    if source is None:
        return list(_USUAL)
    found = []
    for sample in source.data.split.train:
        turns = getattr(sample, "messages", None)
        if turns is None:  # a preference
            turns = (*sample.prompt, {"role": "assistant", "content": sample.chosen})
        if turns and turns[-1]["role"] == "assistant":
            found.append([{name: turn[name] for name in ("role", "content")} for turn in turns])
        if len(found) == _MOST:
            break
    return found
