"""Greedy answers to many prompts, those of like length together."""

from collections.abc import Callable, Sequence

from hornbook.generate.decode import SequenceModel, decode
from hornbook.generate.sampling import PenaltyConfig, SamplingConfig
from hornbook.generate.text import first_stop
from hornbook.tokenize.tokenizer import Tokenizer

_STATE_TOKENS, _MOST_ROWS = 16_384, 16
"""Of the states of one batch: 750 MB of keys and values for SmolLM2-135M in float32."""


def greedy_answers(
    model: SequenceModel,
    tokenizer: Tokenizer,
    prompts: Sequence[Sequence[int]],
    max_tokens: int,
    stop: Sequence[str],
    chat: bool,
    advance: Callable[[int], None] = lambda prompts: None,
    penalties: PenaltyConfig | None = None,
) -> list[str]:
    """The texts, in order, without the stop texts that end them.

    chat: an end of turn ends them as well. advance: is told of every few answers.
    """
    repeats = penalties.penalties if penalties else {}
    config = SamplingConfig.parse(
        {"temperature": 0.0, "max_tokens": max_tokens, **repeats}, "sampling"
    )
    ends = tokenizer.stop_ids if chat else frozenset[int]()
    if tokenizer.eos_id is not None:
        ends |= {tokenizer.eos_id}
    order = sorted(range(len(prompts)), key=lambda i: -len(prompts[i]))
    found = [""] * len(prompts)
    while order:
        longest = len(prompts[order[0]]) + max_tokens
        rows = max(1, min(_MOST_ROWS, _STATE_TOKENS // longest))
        batch, order = order[:rows], order[rows:]
        texts = _together(model, tokenizer, [prompts[i] for i in batch], config, ends, stop)
        for i, text in zip(batch, texts, strict=True):
            found[i] = text
        advance(len(batch))
    return found


def _together(
    model: SequenceModel,
    tokenizer: Tokenizer,
    prompts: Sequence[Sequence[int]],
    config: SamplingConfig,
    ends: frozenset[int],
    stop: Sequence[str],
) -> list[str]:
    ids: list[list[int]] = [[] for _ in prompts]
    steps = decode(model, prompts, config, ends)
    step = next(steps, None)
    while step is not None:
        if step.id not in ends:
            ids[step.row].append(step.id)
        enough = first_stop(tokenizer.decode(ids[step.row]), stop) is not None
        try:
            step = steps.send(enough)
        except StopIteration:
            break
    texts = [tokenizer.decode(row) for row in ids]
    return [text[: first_stop(text, stop)] for text in texts]
