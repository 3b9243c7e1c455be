"""What must stand before a text that a model reads, by the text's role or the task.

As sentence-transformers says it in a model's folder, or T5's config.json by tasks; imports no
torch.
"""

from collections.abc import Mapping
from pathlib import Path

from hornbook.core.errors import HornbookError, unknown
from hornbook.core.files import read_json, write_json

SETTINGS = "config_sentence_transformers.json"
ROLES: Mapping[str, tuple[str, ...]] = {
    "query": ("query",),
    "passage": ("passage", "document", "corpus"),
}
"""The roles of texts that are searched with and searched for, and what folders call them."""


class Prompts:
    """texts: by name, as the folder has them. default: the name of the one that stands before a
    text whose role is not said, or None."""

    def __init__(self, texts: Mapping[str, str], default: str | None = None) -> None:
        self.texts, self.default = dict(texts), default

    def of(self, role: str | None) -> str:
        """What stands before a text of this role.

        A model that knows no difference between queries and passages has nothing to put there.
        Raises UsageError for any other name that the folder does not have.
        """
        role = self.default if role is None else role
        if role is None:
            return ""
        for name in ROLES.get(role, (role,)):
            if name in self.texts:
                return self.texts[name]
        if role in ROLES:
            return ""
        raise unknown("prompt", role, {**ROLES, **self.texts})


def read_prompts(folder: Path) -> Prompts:
    """Of a model folder; none where it says nothing. Raises HornbookError for a broken file."""
    path = folder / SETTINGS
    values = read_json(path) if path.is_file() else {}
    texts = values.get("prompts") if isinstance(values, dict) else None
    texts = _of_tasks(folder) if texts is None else texts
    default = values.get("default_prompt_name") if isinstance(values, dict) else None
    if not isinstance(texts, dict) or not all(type(text) is str for text in texts.values()):
        raise HornbookError(f"{path}: prompts are not texts by name.")
    if default is not None and default not in texts:
        raise HornbookError(f"{path}: default_prompt_name = {default!r} is none of its prompts.")
    return Prompts(texts, default)


def _of_tasks(folder: Path) -> dict[str, str]:
    path = folder / "config.json"
    values = read_json(path) if path.is_file() else {}
    tasks = values.get("task_specific_params") if isinstance(values, dict) else None
    found = tasks.items() if isinstance(tasks, dict) else ()
    return {
        name: task["prefix"] for name, task in found if isinstance(task, dict) and "prefix" in task
    }


def write_prompts(folder: Path, texts: Mapping[str, str]) -> None:
    """Into a model folder; a text whose role is not said is a passage, where there are such."""
    default = next((name for name in ROLES["passage"] if name in texts), None)
    values = {"prompts": dict(texts), "default_prompt_name": default}
    write_json(folder / SETTINGS, {**values, "similarity_fn_name": "cosine"})
