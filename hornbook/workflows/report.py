"""The report of a run: one self-contained page in English and Chinese, made of its files' facts.

Every figure was measured in that run. Knows the run folder; measures nothing.
"""

import datetime
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hornbook.core.files import write_text
from hornbook.core.metrics import MetricsLog
from hornbook.corpus.build import Corpus
from hornbook.workflows import run as layout
from hornbook.workflows.charts import bars, curve
from hornbook.workflows.run import Recipe

Next = tuple[str, str, str]
"""A command to try, and what it does in English and in Chinese."""

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
_SECTIONS = (
    ("curve", "How well it learned", "学得怎样"),
    ("samples", "Watching it learn", "看它学习"),
    ("instruct", "Learning to answer", "学习回答"),
    ("forecast", "Forecast and fact", "预测与事实"),
    ("choices", "Choices", "选择"),
    ("corpus", "The text", "文本"),
    ("tokenizer", "The tokenizer", "分词器"),
    ("next", "Next", "下一步"),
)


def write_report(
    path: Path,
    corpus: Corpus,
    run: Path,
    instruct: dict[str, Any] | None = None,
    following: Sequence[Next] = (),
) -> None:
    """Write the report of the finished run in `run` to `path`.

    instruct: the facts of an instruction tuning after it. following: commands to try next.
    """
    import jinja2

    recipe, result = Recipe.load(run), layout.result(run)
    rows = MetricsLog(run / layout.METRICS).rows()
    samples = _samples(MetricsLog(run / layout.SAMPLES).rows(), rows)
    absent = {"samples": not samples, "instruct": not instruct, "next": not following}
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("hornbook.workflows", "."), autoescape=True
    )
    page = environment.get_template("report.html.jinja").render(
        title="Hornbook",
        created=datetime.datetime.now().astimezone().strftime("%Y-%m-%d %H:%M"),
        machine=recipe.machine,
        versions=", ".join(f"{name} {version}" for name, version in recipe.versions.items()),
        sections=[section for section in _SECTIONS if not absent.get(section[0])],
        result=result,
        card=corpus.facts,
        curve=_curve(rows, result),
        floors=[(FLOOR_NAMES[k], v, _verdict(result, v)) for k, v in result["floors"].items()],
        verdicts=_VERDICTS,
        samples=samples,
        instruct=instruct,
        forecast=_forecast(recipe, result),
        choices=_choices(recipe),
        tokenizer=result["tokenizer"],
        lengths=_lengths(corpus),
        token_lengths=_token_lengths(result),
        next=following,
        count=lambda value: f"{value:,}",
        megabytes=_megabytes,
    )
    write_text(path, page)


def _curve(rows: Sequence[dict[str, Any]], result: dict[str, Any]) -> str:
    points = [(row["tokens"], row["bits_per_byte"]) for row in rows if row["kind"] == "validation"]
    if not points:
        return ""
    points[-1] = (points[-1][0], result["bits_per_byte"]["value"])
    return curve({"model": points}, result["floors"], "tokens · 词元")


def _verdict(result: dict[str, Any], floor: float) -> str:
    """Whether the model's whole interval lies below or above the floor."""
    bits = result["bits_per_byte"]
    return "better" if bits["high"] < floor else "worse" if bits["low"] > floor else "equal"


def _samples(
    samples: Sequence[dict[str, Any]], rows: Sequence[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Samples with the newest validation figure before each."""
    scored = [(row["step"], row["bits_per_byte"]) for row in rows if row["kind"] == "validation"]
    return [
        {
            **sample,
            "bits": next((b for step, b in reversed(scored) if step <= sample["step"]), None),
        }
        for sample in samples
    ]


def _forecast(
    recipe: Recipe, result: dict[str, Any]
) -> list[tuple[tuple[str, str], str, str, str]]:
    """Rows of name, forecast, fact and error."""
    expected, bits = recipe.forecast, result["bits_per_byte"]["value"]
    inside = expected.low <= bits <= expected.high
    interval = f"{expected.bits_per_byte:.3f} ({expected.low:.3f}–{expected.high:.3f})"
    return [
        _row(("seconds", "秒"), expected.seconds, result["seconds"], "{:,.0f}"),
        _row(("tokens", "词元"), expected.tokens, result["tokens"], "{:,}"),
        (
            ("bits per byte (90 % interval)", "比特/字节（90 % 区间）"),
            interval,
            f"{bits:.3f}",
            f"{bits / expected.bits_per_byte - 1:+.1%}, " + ("inside" if inside else "outside"),
        ),
        _row(
            ("peak memory, MiB", "内存峰值 (MiB)"),
            expected.peak_bytes / 2**20,
            result["peak_bytes"] / 2**20,
            "{:,.0f}",
        ),
        _row(
            ("disk, MiB", "磁盘 (MiB)"),
            expected.disk_bytes / 2**20,
            result["disk_bytes"] / 2**20,
            "{:,.0f}",
        ),
        (("passes over the text", "文本遍数"), f"{expected.epochs:.2f}", "", ""),
    ]


def _row(
    name: tuple[str, str], before: float, after: float, style: str
) -> tuple[tuple[str, str], str, str, str]:
    return name, style.format(before), style.format(after), f"{after / before - 1:+.1%}"


def _choices(recipe: Recipe) -> list[dict[str, Any]]:
    rows = [choice._asdict() for choice in recipe.choices]
    rates = recipe.machine.rates
    measured = ", ".join(f"{kind} {rate / 1e9:,.0f} GFLOP/s" for kind, rate in rates.items())
    rows.append({"name": "dtype", "value": recipe.loop.dtype, "reason": f"measured: {measured}"})
    compiled = "yes" if recipe.compiled else "no"
    rows.append({"name": "compile", "value": compiled, "reason": recipe.compiled_reason})
    steps = f"{recipe.forecast.seconds:,.0f} s at the speed of the rehearsal"
    return [*rows, {"name": "steps", "value": recipe.loop.steps, "reason": steps}]


def _lengths(corpus: Corpus) -> str:
    found = [(f"{b['from']:,}", b["documents"]) for b in corpus.facts["lengths"]]
    return bars(found, "characters, from · 字符数，起")


def _token_lengths(result: dict[str, Any]) -> str:
    counts = {int(size): n for size, n in result["tokenizer"]["token_lengths"].items()}
    found = [(str(size), counts.get(size, 0)) for size in range(1, min(max(counts), 24) + 1)]
    return bars(found, "bytes a token · 每词元字节数")


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"
