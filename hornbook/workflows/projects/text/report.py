"""The report of a model of text: its bits per byte beside the baselines, samples, text, tokenizer.

Every figure was measured in that run.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hornbook.core.files import read_object
from hornbook.core.metrics import MetricsLog
from hornbook.corpus.corpus import Corpus
from hornbook.workflows.projects.text.request import TextRecipe
from hornbook.workflows.report.charts import bars, curve, level
from hornbook.workflows.report.page import Section
from hornbook.workflows.report.words import reason_name
from hornbook.workflows.runs import folder as layout
from hornbook.workflows.runs.report import SHARED, Next, points, with_scores, write_page

FLOOR_NAMES = {
    "gzip": ("gzip -9", "gzip -9"),
    "xz": ("xz -9", "xz -9"),
    "xz_given": ("xz -9, given the training text", "xz -9（先看过训练文本）"),
    "unigram": ("how frequent each token is", "每个词元的频率"),
    "ngram": ("5-gram model, Kneser-Ney", "五元模型（Kneser-Ney 平滑）"),
}
_VERDICTS = {
    "better": ("better", "更好"),
    "worse": ("worse", "更差"),
    "equal": ("not clearly apart", "差别不明显"),
}
_MEMORY: Section = ("memory", "What it remembers", "记住了什么")
_INSTRUCT: Section = ("instruct", "Learning to answer", "学习回答")
_ASKED: Section = ("asked", "Asking the text", "向文本提问")
_DATA: tuple[Section, ...] = (
    ("corpus", "The text", "文本"),
    ("tokenizer", "The tokenizer", "分词器"),
)


def write_report(
    path: Path,
    corpus: Corpus,
    run: Path,
    result: dict[str, Any],
    instruct: dict[str, Any] | None = None,
    following: Sequence[Next] = (),
    asked: dict[str, Any] | None = None,
) -> None:
    """Write the report of the run in `run` to `path`, with the facts of its result.

    instruct: the facts of an instruction tuning after it. following: commands to try next. asked:
    an answer of an index of the text.
    """
    recipe = TextRecipe.load(run)
    rows = MetricsLog(run / layout.METRICS).rows()
    samples = with_scores(MetricsLog(run / layout.SAMPLES).rows(), rows, "bits_per_byte")
    kept = run / layout.MEMORIZATION
    memory = read_object(kept) if kept.is_file() else None
    write_page(
        path,
        "text.html.jinja",
        recipe,
        result,
        [
            SHARED["curve"],
            *([SHARED["samples"]] if samples else []),
            *([_MEMORY] if memory else []),
            *([_INSTRUCT] if instruct else []),
            *([_ASKED] if asked else []),
            SHARED["forecast"],
            SHARED["choices"],
            *_DATA,
        ],
        fact=result["bits_per_byte"]["value"],
        targets=result["tokens"],
        following=following,
        card=corpus.facts,
        reason_name=reason_name,
        curve=_curve(rows, result),
        floors=[(FLOOR_NAMES[k], v, _verdict(result, v)) for k, v in result["floors"].items()],
        verdicts=_VERDICTS,
        samples=samples,
        memory=memory,
        level=level,
        instruct=instruct,
        asked=asked,
        tokenizer=result["tokenizer"],
        lengths=_lengths(corpus),
        token_lengths=_token_lengths(result),
    )


def _curve(rows: Sequence[dict[str, Any]], result: dict[str, Any]) -> str:
    line = points(rows, "bits_per_byte")
    if not line:
        return ""
    line[-1] = (line[-1][0], result["bits_per_byte"]["value"])
    return curve({"model": line}, result["floors"], "tokens · 词元")


def _verdict(result: dict[str, Any], baseline: float) -> str:
    """Whether the model's whole interval lies below or above the baseline."""
    bits = result["bits_per_byte"]
    return "better" if bits["high"] < baseline else "worse" if bits["low"] > baseline else "equal"


def _lengths(corpus: Corpus) -> str:
    found = [(f"{b['from']:,}", b["documents"]) for b in corpus.facts["lengths"]]
    return bars(found, "characters, from · 字符数，起")


def _token_lengths(result: dict[str, Any]) -> str:
    counts = {int(size): n for size, n in result["tokenizer"]["token_lengths"].items()}
    found = [(str(size), counts.get(size, 0)) for size in range(1, min(max(counts), 24) + 1)]
    return bars(found, "bytes a token · 每词元字节数")
