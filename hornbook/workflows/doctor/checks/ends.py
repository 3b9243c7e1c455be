"""The end of a text: that it is learned, that it is no padding, and that an answer has one."""

from typing import Any

import torch

from hornbook.batches.batch import PairBatch
from hornbook.batches.rollouts import RolloutBatch
from hornbook.models.masked_lm import MaskedLM
from hornbook.tokenize.settings import read_settings
from hornbook.tokenize.tokenizer import Tokenizer
from hornbook.workflows.doctor.conversations import conversations, serving_tokenizer
from hornbook.workflows.doctor.diagnosis import (
    Diagnosis,
    beside_the_point,
    check,
    doubtful,
    faulty,
    sound,
)
from hornbook.workflows.doctor.looking import first_batches, rows_of
from hornbook.workflows.doctor.subject import Subject

_STEPS = 400


@check("end_of_text", "The end of a text is learned")
def ended(subject: Subject) -> Diagnosis:
    """A model that never learns to stop, as the end is ignored like padding, writes on for ever."""
    problem = subject.problem
    if problem is None:
        return _of_model(subject)
    tokenizer = subject.tokenizer
    if isinstance(problem.model, MaskedLM) or not isinstance(tokenizer, Tokenizer):
        return beside_the_point("what is trained here writes no text")
    if tokenizer.eos_id is None:
        return faulty(
            "the tokenizer names no end of text",
            "Name eos_token in tokenizer_config.json, and keep it apart from the padding.",
        )
    ends = torch.tensor(sorted(tokenizer.stop_ids))
    read = learned = samples = 0
    for batch in first_batches(problem, _STEPS):
        rows = rows_of(batch) if not isinstance(batch, PairBatch) else batch
        if rows is None:
            return beside_the_point("what is trained here writes no text")
        read += int(torch.isin(rows.tokens, ends).sum())
        learned += int(torch.isin(rows.targets, ends).sum())
        samples += len(rows.targets)
        if learned > samples and samples > 64:
            break
    if not learned and isinstance(problem.batches.batch(0), RolloutBatch):
        return doubtful(
            f"none of {samples:,} drawn answers ended, and one that has not ended is worth nothing",
            "Raise --max-tokens, or tune on some answers first.",
        )
    if not learned:
        why = "it is ignored like padding" if read else "no sample has one"
        return faulty(
            f"the end of text is never learned in {samples:,} rows: {why}",
            "Keep the padding token apart from the end of text, and end answers with it.",
        )
    return _padding(tokenizer, f"it is a target {learned:,} times in {samples:,} rows")


def _padding(tokenizer: Any, learned: str) -> Diagnosis:
    names = read_settings(tokenizer.where.parent).names if tokenizer.where.is_file() else {}
    if names.get("pad_token") and names.get("pad_token") == names.get("eos_token"):
        return doubtful(
            f"{learned}; the tokenizer fills up with it as well",
            "Fine here. Other programs ignore padding, and would never learn the end.",
        )
    return sound(learned)


def _of_model(subject: Subject) -> Diagnosis:
    """Of a model that is there: whether its answers end with a token that stops it."""
    tokenizer = serving_tokenizer(subject)
    if tokenizer is None:
        return beside_the_point("there is nothing here that writes text")
    if not tokenizer.stop_ids:
        return faulty(
            "no token ends a text: neither the tokenizer nor the model's config names one",
            "Name eos_token_id in generation_config.json.",
        )
    if tokenizer.chat_template is not None:
        endless = [one for one in conversations(subject, tokenizer) if not one.ends]
        if endless:
            return faulty(
                "the chat template ends answers with no token that stops the model",
                "Name the token that ends a turn in generation_config.json (eos_token_id).",
            )
    return _padding(tokenizer, f"{len(tokenizer.stop_ids)} tokens end a text")
