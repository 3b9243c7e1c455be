"""The kinds of run: what of the life of a run differs between them. No kind knows another, but
`distil`, which is a tuning of `answers` with a teacher."""

import importlib
import pkgutil
from pathlib import Path
from typing import Any

from hornbook.core.errors import UsageError
from hornbook.core.progress import Progress
from hornbook.workflows.runs import folder as layout


def kinds() -> list[str]:
    """All of them, as they stand in recipe.yaml: a folder each."""
    return [module.name for module in pkgutil.iter_modules(__path__)]


def project_class(kind: str) -> Any:
    """The `runs.project.Project` of a kind, which is in `KIND.project`."""
    module = importlib.import_module(f"{__name__}.{kind}.project")
    return next(one for one in vars(module).values() if getattr(one, "kind", None) == kind)


def resume(folder: Path, progress: Progress) -> dict[str, Any]:
    """Go on with a stopped run of any kind by its folder alone; returns the facts of result.json.

    Raises UsageError when the folder holds no run, or its data are no longer what they were.
    """
    from hornbook.workflows.runs.run import run

    kind = project_class(layout.kind_of(folder, kinds()))
    recipe = kind.recipe.load(folder)
    try:
        project = kind.reopen(recipe)
    except (KeyError, TypeError):
        raise UsageError(
            f"{folder / layout.RECIPE}: places does not say where the data lie; resume with the "
            "command that began the run."
        ) from None
    project.require_same(recipe.request, folder)
    return run(project, folder, recipe.request, resume=True, progress=progress)
