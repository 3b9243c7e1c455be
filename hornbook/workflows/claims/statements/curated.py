"""Curated text beats raw text."""

from hornbook.workflows.claims.bodies import bits, held_out, pretrained
from hornbook.workflows.claims.lab import Lab
from hornbook.workflows.claims.statement import Mark, Picture, Trial, statement

_SIDES = ("curated", "raw")


@statement(
    10,
    "curated",
    sentence=("Curated text beats raw text.", "筛选过的文本胜过原始文本。"),
    experiment=(
        "Pages are made into a corpus twice, once as they are and once by rules (Gopher, C4, "
        "FineWeb), without near duplicates. Two decoders of one size learn from as many tokens "
        "of either, the smaller corpus more than once, and read clean text that is in neither.",
        "同样的网页做成两份语料：一份原样，一份按规则（Gopher、C4、FineWeb）筛选并去掉近似重复。"
        "两个同样大小的解码器从两份语料学习同样多的词元（小的语料读不止一遍），然后阅读两者都没有"
        "的干净文本。",
    ),
    measure=(
        "bits per byte of clean text that curation saves",
        "在干净文本上，筛选每字节节省的比特数",
    ),
    picture=Picture(
        height=("bits per byte", "比特/字节"),
        names={"curated": "筛选过的", "raw": "原始的"},
    ),
    uses=("raw", "clean"),
)
def tried(lab: Lab, seed: int) -> Trial:
    windows = held_out(lab, "clean")
    found = {side: bits(pretrained(lab, "qwen3", seed, side), windows) for side in _SIDES}
    (curated, sizes), (raw, _) = found.values()
    marks = [Mark(side, None, float(one.sum() / sizes.sum())) for side, (one, _) in found.items()]
    pages = lab.text("curated").facts["documents"]
    note = (
        f"Of {pages['in']:,} pages the rules keep {pages['kept']:,}.",
        f"{pages['in']:,} 个页面中，规则保留了 {pages['kept']:,} 个。",
    )
    return Trial((raw - curated).tolist(), marks, sizes.tolist(), notes=(note,))
