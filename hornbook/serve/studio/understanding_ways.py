"""What is begun to understand a model: `explain`, `biography`, `memorization`, by a form.

Each is a command line whose page, where it writes one, lies in a folder of its own.
"""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from hornbook.core.errors import UsageError
from hornbook.serve.studio.forms import number_of

Form = dict[str, str]
FOLDER = "understood"
"""In the work folder, where their pages lie."""


class Way(NamedTuple):
    """asks: whether it is of a "model" or of a "run". has_page: it writes one. options: those of
    the command, of a form; they stand before what it is of. words: the field that is its text."""

    asks: str
    has_page: bool
    options: Callable[[Form], list[str]]
    words: str = ""

    def command(self, name: str, of: Path, form: Form, page: Path) -> list[str]:
        """The command line. of: the model or run. Raises UsageError for a form that is wrong."""
        text = form.get(self.words, "")
        if self.words and not text:
            raise UsageError("Give a text.")
        written = ["--html", str(page)] if self.has_page else []
        given = [text] if self.words and name == "biography" else []
        return [name, *self.options(form), *written, "--json", "--", str(of), *given]


def _explain(form: Form) -> list[str]:
    position = form.get("position", "")
    at = ["--position", f"{number_of(position, 1, 10**6):.0f}"] if position else []
    return [f"--text={form['text']}", *at, *([] if form.get("test") else ["--contexts", "0"])]


def _biography(form: Form) -> list[str]:
    if not form.get("retrain"):
        return []
    return ["--retrain", "--minutes", f"{number_of(form.get('minutes', ''), 0.1, 10_000):g}"]


def _memorization(form: Form) -> list[str]:
    return ["--samples", f"{number_of(form.get('samples', ''), 1, 10_000):.0f}"]


WAYS = {
    "explain": Way("model", True, _explain, "text"),
    "biography": Way("run", True, _biography, "text"),
    "memorization": Way("run", False, _memorization),
}
