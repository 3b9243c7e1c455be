"""What came of a run, in the last lines of a command: its measure, and where the report is."""

from typing import Any


def outcome(result: dict[str, Any]) -> list[str]:
    """Lines for people about the facts of a finished run of `pretrain`, whatever it trained."""
    lines = [line for line in (_text(result), _pairs(result), _images(result)) if line]
    if result.get("shortened"):
        lines.append(f"Shortened to {result['steps']:,} steps, so that the minutes were kept.")
    if "report" in result:
        lines.append(f"The report: {result['report']}")
    return lines


def _text(result: dict[str, Any]) -> str | None:
    if "bits_per_byte" not in result:
        return None
    floors = ", ".join(f"{name} {value:.3f}" for name, value in result["floors"].items())
    return f"{_interval(result['bits_per_byte'], '.3f')} bits per byte of held-out text ({floors})."


def _pairs(result: dict[str, Any]) -> str | None:
    if "bleu" not in result:
        return None
    return f"BLEU {_interval(result['bleu'], '.1f')} on {result['translated']:,} test pairs."


def _images(result: dict[str, Any]) -> str | None:
    if "test_images" not in result:
        return None
    return f"{_interval(result['accuracy'], '.2%')} of {result['test_images']:,} test images right."


def _interval(value: dict[str, float], style: str) -> str:
    low, high = (format(value[name], style) for name in ("low", "high"))
    return f"{value['value']:{style}} ({low} to {high})"
