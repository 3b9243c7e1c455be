"""A model for a domain beats a general one of its size there, and what it costs elsewhere."""

from hornbook.workflows.claims.bodies import bits, held_out, pretrained
from hornbook.workflows.claims.lab import Lab
from hornbook.workflows.claims.statement import Also, Mark, Picture, Trial, statement

_SIDES = ("domain", "general")
_PRICE = (
    "bits per byte of general text that the domain model saves",
    "在通用文本上，领域模型每字节节省的比特数",
)


@statement(
    3,
    "domain",
    sentence=(
        "A model for a domain beats a general model of its size there.",
        "在自己的领域里，领域模型胜过同样大小的通用模型。",
    ),
    experiment=(
        "Two decoders of one size learn from as many tokens, one of them from text of a domain, "
        "the other from general text, with one tokenizer that saw as much of both. Each then reads "
        "held-out text of the domain, and general text, where the domain model pays its price.",
        "两个同样大小的解码器学习同样多的词元，一个读领域文本，另一个读通用文本，分词器从两者看到的一样多。"
        "然后各自阅读留出的领域文本，以及另一种文本——领域模型在那里付出代价。",
    ),
    measure=(
        "bits per byte of the domain's held-out text that the domain model saves",
        "在留出的领域文本上，领域模型每字节节省的比特数",
    ),
    picture=Picture(
        height=("bits per byte", "比特/字节"),
        names={
            "domain model, domain text": "领域模型，领域文本",
            "general model, domain text": "通用模型，领域文本",
            "domain model, general text": "领域模型，通用文本",
            "general model, general text": "通用模型，通用文本",
        },
    ),
    uses=_SIDES,
)
def tried(lab: Lab, seed: int) -> Trial:
    models = {side: pretrained(lab, "qwen3", seed, side) for side in _SIDES}
    marks, saved, weights = [], {}, {}
    for text in _SIDES:
        windows = held_out(lab, text)
        found = {side: bits(model, windows) for side, model in models.items()}
        for side, (nats, sizes) in found.items():
            marks.append(Mark(f"{side} model, {text} text", None, float(nats.sum() / sizes.sum())))
        saved[text] = (found["general"][0] - found["domain"][0]).tolist()
        weights[text] = found["general"][1].tolist()
    also = Also(_PRICE, saved["general"], weights["general"], needed=False)
    return Trial(saved["domain"], marks, weights["domain"], [also])
