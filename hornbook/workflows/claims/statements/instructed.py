"""Instruction tuning makes a base model follow instructions."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hornbook.evaluate.likelihood import likelihoods
from hornbook.generate.likelihoods import Likelihood, LikelihoodRequest, encode_pair
from hornbook.models.causal_lm import CausalLM
from hornbook.models.folder import load_model
from hornbook.tokenize.tokenizer import Tokenizer
from hornbook.workflows.claims.bodies import CONTEXT, base
from hornbook.workflows.claims.instructions import Instruction, draw_instructions
from hornbook.workflows.claims.lab import Lab
from hornbook.workflows.claims.statement import Mark, Picture, Trial, statement
from hornbook.workflows.projects.answers.project import Answers
from hornbook.workflows.runs import folder as layout

ROWS, _PASSES, _RATE = 1200, 8, 2e-3
_BEFORE, _AFTER = "base model", "tuned"


@statement(
    13,
    "instructed",
    sentence=(
        "Instruction tuning makes a base model follow instructions.",
        "指令微调让基础模型听从指令。",
    ),
    experiment=(
        "A pretrained decoder is tuned on instructions with answers. On held-out ones it is "
        "measured how much more probable an answer is after its own instruction than after "
        "another one: a model that does not read what it is asked finds both the same. The base "
        "model is given the instruction as plain text. The verdict is what the tuning adds.",
        "用带答案的指令微调一个预训练解码器。在留出的指令上测量：答案在自己的指令之后，比在另一条"
        "指令之后可能性大多少。不读问题的模型会认为两者一样。基础模型得到的是纯文本的指令。结论看"
        "微调增加了多少。",
    ),
    measure=(
        "nats a token by which the own instruction helps, after the tuning less before it",
        "自己的指令每词元多帮多少奈特，微调之后减去之前",
    ),
    picture=Picture(
        height=("nats a token that the own instruction saves", "自己的指令每词元节省的奈特数"),
        names={_BEFORE: "基础模型", _AFTER: "微调之后"},
    ),
    uses=("general", "instructions"),
)
def tried(lab: Lab, seed: int) -> Trial:
    began = base(lab, "qwen3", seed)
    drawn = draw_instructions(lab, lab.scaled(ROWS, 60), seed)
    values = {"task": "instruct", "method": "full", "epochs": _PASSES, "rate": _RATE}
    project = Answers(began, drawn.learned, held_out=drawn.held_out)
    run = lab.train("instructed", seed, project, **values)
    before, exact_before = helped(began, drawn.judged, chat=False)
    after, exact_after = helped(run / layout.MODEL, drawn.judged, chat=True)
    marks = [Mark(_BEFORE, None, float(before.mean())), Mark(_AFTER, None, float(after.mean()))]
    note = (
        f"Answers that it would write word for word: {exact_before:.0%} before, "
        f"{exact_after:.0%} after.",
        f"能一字不差写出的答案：之前 {exact_before:.0%}，之后 {exact_after:.0%}。",
    )
    return Trial((after - before).tolist(), marks, notes=(note,))


def helped(folder: Path, asked: Sequence[Instruction], chat: bool) -> tuple[np.ndarray, float]:
    """(N,) nats a token by which each answer is more probable after its own instruction than after
    the next one with another answer, and the share of answers whose every token is the likeliest.

    chat: instructions are written by the model's template.
    """
    model, tokenizer = load_model(folder).eval(), Tokenizer.load(folder)
    assert isinstance(model, CausalLM)
    own = [_request(tokenizer, one.asked, one.answer, chat) for one in asked]
    foreign = [
        _request(tokenizer, _other(asked, i).asked, one.answer, chat) for i, one in enumerate(asked)
    ]
    found = likelihoods(model, own + foreign)
    one, other = found[: len(own)], found[len(own) :]
    return _nats(other) - _nats(one), float(np.mean([each.greedy for each in one]))


def _nats(found: Sequence[Likelihood]) -> np.ndarray:
    return np.array([-one.logprob / one.tokens for one in found])


def _other(asked: Sequence[Instruction], place: int) -> Instruction:
    """The next one that has another answer."""
    others = (*asked[place + 1 :], *asked[:place])
    return next(one for one in others if one.answer != asked[place].answer)


def _request(tokenizer: Tokenizer, asked: str, answer: str, chat: bool) -> LikelihoodRequest:
    if not chat:
        return _cut(encode_pair(tokenizer, f"{asked}\n", answer))
    message = {"role": "user", "content": asked}
    ids, _ = tokenizer.encode_chat([message], add_generation_prompt=True)
    return _cut(LikelihoodRequest(ids.tolist(), tokenizer.encode(answer)))


def _cut(request: LikelihoodRequest) -> LikelihoodRequest:
    """As much of the end of a context, and of the beginning of an answer, as a model sees."""
    target = request.target[: CONTEXT // 2]
    return LikelihoodRequest(request.context[-(CONTEXT - len(target)) :], target)
