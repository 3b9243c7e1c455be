"""The report of a tuning on rewards: what it gained, what looks like a trick, answers before and
after, the rows."""

from pathlib import Path
from typing import Any

from hornbook.core.metrics import MetricsLog
from hornbook.workflows.projects.rewards.request import RewardsRecipe
from hornbook.workflows.projects.rewards.result import verdict_line
from hornbook.workflows.report.charts import curve
from hornbook.workflows.report.page import Section
from hornbook.workflows.runs import folder as layout
from hornbook.workflows.runs.report import SHARED, points, write_page

_MEASURED: Section = ("measured", "Before and after", "之前与之后")
_EXAMPLES: Section = ("examples", "Answers", "回答")
_ROWS: Section = ("rows", "The rows", "数据行")
_FIGURES = (
    ("length", "tokens of an answer", "回答的词元数"),
    ("cut", "share of answers that do not end", "没有结束的回答的比例"),
    ("surprisal", "nats a token: how open the choice is", "每词元奈特：选择有多开放"),
    ("copied", "share of answers that stands in the prompt", "回答中出现在提示里的比例"),
    ("repeated", "share of the prompt that answers repeat", "提示中被回答重复的比例"),
    ("identical", "pairs of answers to a prompt that are the same", "同一提示的回答两两相同的比例"),
    ("stuck", "prompts with one wrong answer only", "只有一个错误回答的提示"),
    ("commonest", "share of the commonest answer", "最常见的回答所占的比例"),
)
_BOOKS = (
    ("rejected", "left out: unreadable, or nothing to reward", "去除：无法读取或无可奖励"),
    ("doubles", "left out: said by another row", "去除：与其他行重复"),
    ("refused", "left out: refused by the chat template", "去除：聊天模板不接受"),
    ("too_long", "left out: too long", "去除：过长"),
    ("train", "to train on", "用于训练"),
    ("validation", "to choose the weights by", "用于选择权重"),
    ("test", "to measure on", "用于测量"),
)


def write_report(path: Path, run: Path, result: dict[str, Any]) -> None:
    """Write the report of the run in `run` to `path`, with the facts of its result."""
    rewards = points(MetricsLog(run / layout.METRICS).rows(), "reward")
    write_page(
        path,
        "rewards.html.jinja",
        RewardsRecipe.load(run),
        result,
        [_MEASURED, SHARED["curve"], _EXAMPLES, SHARED["choices"], _ROWS],
        curve=curve({"model": rewards}, {}, "answers · 回答"),
        figures=_FIGURES,
        books=_BOOKS,
        verdict=verdict_line(result),
    )
