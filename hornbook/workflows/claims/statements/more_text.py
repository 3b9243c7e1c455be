"""More, and more diverse, text makes better models."""

from typing import NamedTuple

import numpy as np

from hornbook.training.power_law import PowerLaw
from hornbook.workflows.claims.bodies import TOKENS, bits, held_out, pretrained
from hornbook.workflows.claims.lab import Lab
from hornbook.workflows.claims.said import Twice
from hornbook.workflows.claims.statement import Also, Mark, Picture, Trial, statement

SHARES = (1 / 16, 1 / 8, 1 / 4, 1 / 2)
"""Of the tokens of the run that is foretold, those of the runs that the law is found on."""
_MEASURED, _FORETOLD = "measured", "foretold"
_ONE, _MIXTURE = "one domain", "mixture"
_DIVERSE = (
    "bits per byte of an unseen domain's text that a mixture saves against one domain of its size",
    "与同样大小的单一领域相比，混合文本在没见过的领域上每字节节省的比特数",
)
_COST = (
    "bits per byte of the one domain's own text that the mixture saves",
    "在单一领域自己的文本上，混合文本每字节节省的比特数",
)


@statement(
    9,
    "more-text",
    sentence=(
        "More, and more diverse, text makes better models.",
        "文本越多、越多样，模型越好。",
    ),
    experiment=(
        "Decoders of one size learn from a sixteenth, an eighth, a quarter and half of a number "
        "of tokens. A power law through these four foretells what all of the tokens give (Kaplan "
        "et al. 2020); only then that run is measured. Two more learn from as much text each, "
        "one of a single domain, one of a mixture, and read a domain that neither has seen. The "
        "verdict is whether twice the text is better, and the mixture as well.",
        "同样大小的解码器分别学习某个词元数的十六分之一、八分之一、四分之一和一半。由这四次得到的"
        "幂律预测学完全部词元会怎样（Kaplan 等 2020），然后才测量那一次。另外两个学习同样多的文本，"
        "一个只读单一领域，一个读混合文本，再读两者都没见过的领域。结论看文本加倍是否更好，混合文"
        "本是否也更好。",
    ),
    measure=(
        "bits per byte of held-out text that twice the text saves",
        "文本加倍后，留出文本每字节节省的比特数",
    ),
    picture=Picture(
        height=("bits per byte of held-out text", "留出文本的比特/字节"),
        names={
            _MEASURED: "测量",
            _FORETOLD: "预测",
            _ONE: "单一领域，读没见过的领域",
            _MIXTURE: "混合文本，读没见过的领域",
        },
        axis=("tokens learned from", "学习的词元数"),
    ),
    uses=("general", "one", "mixture", "unseen"),
)
def tried(lab: Lab, seed: int) -> Trial:
    scaling, tokens = grown(lab, seed), lab.scaled(SHARES[-1] * TOKENS)
    marks, also = list(scaling.marks), []
    models = {
        name: pretrained(lab, "qwen3", seed, name, share=SHARES[-1]) for name in ("one", "mixture")
    }
    for text, measure in (("unseen", _DIVERSE), ("one", _COST)):
        windows = held_out(lab, text)
        (one, sizes), (mixture, _) = (bits(model, windows) for model in models.values())
        needed = text == "unseen"
        also.append(Also(measure, (one - mixture).tolist(), sizes.tolist(), needed))
        if needed:
            both = ((_ONE, one), (_MIXTURE, mixture))
            marks += [Mark(name, tokens, float(each.sum() / sizes.sum())) for name, each in both]
    return Trial(scaling.gains.tolist(), marks, scaling.sizes.tolist(), also, (scaling.note,))


class Grown(NamedTuple):
    """What runs on more and more text gave. gains: (W,) bits that the second half of the text saves
    in each window, sizes: its bytes."""

    gains: np.ndarray
    sizes: np.ndarray
    marks: list[Mark]
    note: Twice


def grown(lab: Lab, seed: int) -> Grown:
    """The law is found before the run that it foretells is looked at."""
    windows, found = held_out(lab, "general"), {}
    for share in (*SHARES, 1.0):
        found[share], sizes = bits(pretrained(lab, "qwen3", seed, share=share), windows)
    tokens = {share: lab.scaled(share * TOKENS) for share in found}
    scores = {share: float(one.sum() / sizes.sum()) for share, one in found.items()}
    law = PowerLaw.through([tokens[one] for one in SHARES], [scores[one] for one in SHARES])
    marks = [Mark(_MEASURED, tokens[one], scores[one]) for one in found]
    marks += [Mark(_FORETOLD, tokens[one], law.at(tokens[one]).value) for one in found]
    foretold, measured = law.at(tokens[1.0]), scores[1.0]
    said = f"{foretold.value:.3f} ({foretold.low:.3f} – {foretold.high:.3f})"
    off = f"{measured / foretold.value - 1:+.1%}"
    note = (
        f"Foretold were {said} bits per byte, measured {measured:.3f} ({off}).",
        f"预测为每字节 {said} 比特，测得 {measured:.3f}（{off}）。",
    )
    return Grown(found[SHARES[-1]] - found[1.0], sizes, marks, note)
