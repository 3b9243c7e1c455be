"""What an evaluation found, as plain data, as files in the style of lm-eval, and as lines to
read.
"""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from hornbook.core.files import write_json, write_text
from hornbook.evaluate.load import LoadedTask
from hornbook.evaluate.task import ItemResult, Metrics
from hornbook.evaluate.templates import render

GAINS = ("gain_over_words", "gain_of_reranking")
"""Figures of an index, less those of another way of searching it, question by question."""
_LM_EVAL = {"accuracy": "acc", "accuracy_per_byte": "acc_norm", "bits_per_byte": "bits_per_byte"}


def plain(metrics: Metrics) -> dict[str, dict[str, float | None]]:
    """Estimates as {value, low, high}; None where there is no figure, which JSON can say."""
    return {
        name: {
            key: float(value) if math.isfinite(value) else None
            for key, value in zip(("value", "low", "high"), estimate, strict=True)
        }
        for name, estimate in metrics.items()
    }


def scores_of(loaded: LoadedTask, samples: Sequence[ItemResult], seed: int) -> dict[str, Any]:
    """n, metrics, and, where the task has groups, the same of each by kind and name."""
    task = loaded.task
    found: dict[str, Any] = {"n": len(samples), "metrics": plain(task.scores(samples, seed))}
    for kind, template in task.groups.items():
        groups: dict[str, list[ItemResult]] = {}
        for sample in samples:
            groups.setdefault(render(template, sample.item.row), []).append(sample)
        found.setdefault("groups", {})[kind] = {
            name: {"n": len(group), "metrics": plain(task.scores(group, seed))}
            for name, group in sorted(groups.items())
        }
    return found


def files_of(task: str) -> tuple[str, str]:
    """The names of what is written of a task: its results, and a row an item."""
    return f"results_{task}.json", f"samples_{task}.jsonl"


def write_results(folder: Path, result: Mapping[str, Any], samples: Iterable[ItemResult]) -> None:
    """results_TASK.json, which tools for lm-eval read, and samples_TASK.jsonl, a row an item."""
    name = str(result["task"])
    metrics: dict[str, Any] = {"alias": name, "sample_len": result["n"]}
    for metric, estimate in result["metrics"].items():
        key = _LM_EVAL.get(metric, metric)
        metrics[f"{key},none"] = estimate["value"]
        metrics[f"{key}_stderr,none"] = _standard_error(estimate)
    lm_eval = {
        "results": {name: metrics},
        "configs": {name: result["config"]},
        "n-shot": {name: result["shots"]},
        "n-samples": {name: {"original": result["total"], "effective": result["n"]}},
        "higher_is_better": {},
        "config": {"model": "hornbook", "model_args": result["model"], "seed": result["seed"]},
        "hornbook": dict(result),
    }
    results, rows = files_of(name)
    write_json(folder / results, lm_eval)
    lines = (json.dumps(_row(sample), ensure_ascii=False) for sample in samples)
    write_text(folder / rows, "".join(line + "\n" for line in lines))


def _row(sample: ItemResult) -> dict[str, Any]:
    prompt = sample.prompt
    asked = {} if prompt is None else {"prompt": prompt.text, "shots": prompt.shots}
    cut = {"cut_characters": prompt.cut} if prompt is not None and prompt.cut else {}
    return {"doc_id": sample.item.number, "doc": sample.item.row, **asked, **cut, **sample.found}


def _standard_error(estimate: Mapping[str, float | None]) -> float | str:
    """Of a normal distribution with this interval; lm-eval writes N/A where there is none."""
    low, high = estimate["low"], estimate["high"]
    return "N/A" if low is None or high is None else (high - low) / (2 * 1.959964)


def lines_of(result: Mapping[str, Any]) -> list[str]:
    """The result for people: a line a score, with baselines, groups and leakage below."""
    shots = f", {result['shots']} shots" if result["shots"] else ""
    of = f" of {result['total']:,}" if result["total"] != result["n"] else ""
    lines = [f"{result['task']}: {result['n']:,}{of} items{shots}"]
    lines += [f"  {name:<32}{_shown(one)}" for name, one in result["metrics"].items()]
    for baseline, metrics in result["floors"].items():
        lines += [f"  {baseline + ', ' + name:<32}{_shown(one)}" for name, one in metrics.items()]
    for name in GAINS:
        for figure, one in result.get(name, {}).items():
            lines.append(f"  {name.replace('_', ' ') + ', ' + figure:<32}{_shown(one)}")
    for kind, groups in list(result.get("groups", {}).items())[:1]:
        lines.append(f"  by {kind}:")
        for group, part in groups.items():
            name, first = next(iter(part["metrics"].items()))
            lines.append(f"    {group:<30}{name} {_shown(first)}  ({part['n']:,})")
    if clean := result.get("without_leakage"):
        lines.append(f"  without the {result['leakage']['items']:,} that may have leaked:")
        lines += [f"    {name:<30}{_shown(one)}" for name, one in clean["metrics"].items()]
    return lines


def _shown(estimate: Mapping[str, float | None]) -> str:
    value, low, high = (estimate[key] for key in ("value", "low", "high"))
    if value is None:
        return "–"
    interval = "" if low is None or high is None or low == high else f"  ({low:.4g}–{high:.4g})"
    return f"{value:.4g}{interval}"
