"""What is trained on, as options of the command line say it: the project of a run.

Options and their mistakes are here; what a project is, is in `workflows.projects`.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple


class PretrainingData(NamedTuple):
    """What --corpus, --pairs with --validation and --test, or --images were given."""

    corpus: Path | None = None
    pairs: Sequence[Path] | None = None
    validation: Sequence[Path] | None = None
    test: Sequence[Path] | None = None
    images: Path | None = None

    @property
    def given(self) -> list[str]:
        """Which of the options that say what to train on were given."""
        named = {"--corpus": self.corpus, "--pairs": self.pairs, "--images": self.images}
        return [name for name, value in named.items() if value]


class Meant(NamedTuple):
    """What a command is about that looks at a run before it starts: a run, a recipe or model in
    `target`, or a project with values of a recipe."""

    target: Path | None
    project: Any
    values: dict[str, Any]


def meant(
    target: Path | None,
    given: PretrainingData,
    rows: tuple[Sequence[Path] | None, str, Path | None],
    overrides: Sequence[str] | None,
) -> Meant:
    """What was named. rows: files of --data, the --task and its --teacher. Raises UsageError."""
    from hornbook.core.config import read_recipe
    from hornbook.core.errors import UsageError

    files, task, teacher = rows
    if files:
        if target is None:
            raise UsageError("Say what is to be tuned as well: MODEL --data FILE.")
        values = read_recipe(None, overrides or ())
        if task != "classify":
            values["task"] = task
        return Meant(None, tuning(str(target), files, task, teacher=teacher), values)
    if given.given:
        values = read_recipe(target, overrides or ())
        return Meant(target, pretraining(given, values, {}), values)
    if overrides:
        raise UsageError("--set goes with --corpus, --pairs, --images or --data.")
    return Meant(target, None, {})


def pretraining(
    data: PretrainingData,
    values: dict[str, Any],
    only_text: Mapping[str, Any],
) -> Any:
    """The project of what is trained from scratch.

    values: of the recipe; what says no more than the kind is taken out. only_text: options that
    mean something with --corpus only, by name. Raises UsageError.
    """
    if (kind := _kind(data)) == "--corpus":
        from hornbook.workflows.projects.text.project import Text

        return Text(data.corpus or "", only_text.get("--tokenizer"), only_text.get("--init"))
    from hornbook.core.errors import UsageError

    for name, value in only_text.items():
        if value is not None:
            raise UsageError(f"{name} goes with --corpus, not with {kind}.")
    return _pairs(data) if kind == "--pairs" else _images(data.images, values)


def tuning(
    model: str,
    data: Sequence[Path],
    task: str,
    general: Path | None = None,
    teacher: Path | None = None,
) -> Any:
    """The project of what a model is tuned on. Raises UsageError."""
    from hornbook.core.errors import UsageError

    if task == "distil":
        from hornbook.workflows.projects.distil.project import Distil

        if teacher is None:
            raise UsageError("--task distil needs the model to learn from: --teacher MODEL.")
        return Distil(model, teacher, data, general)
    if teacher is not None:
        raise UsageError("--teacher goes with --task distil.")
    if task == "classify":
        from hornbook.workflows.projects.labels.project import Labels

        if len(data) != 1:
            raise UsageError(f"--task classify takes one --data file, not {len(data)}.")
        return Labels(data[0], model)
    if task in ("embed", "rerank"):
        from hornbook.workflows.projects.questions.project import Questions

        return Questions(model, data)
    if task == "reward":
        from hornbook.workflows.projects.rewards.project import Rewards

        return Rewards(model, data, general)
    from hornbook.workflows.projects.answers.project import Answers

    return Answers(model, data, general)


def refuse(options: Mapping[str, Any], why: str) -> None:
    """Options that mean nothing here are not passed over in silence."""
    from hornbook.core.errors import UsageError

    for name, value in options.items():
        if value is not None:
            raise UsageError(f"{name} {why}.")


def _kind(data: PretrainingData) -> str:
    """Which one of the options that say what to train on was given."""
    from hornbook.core.errors import UsageError

    if len(data.given) != 1:
        found = f" and not {' and '.join(data.given)} together" if data.given else ""
        raise UsageError(
            "Say what to train on: --corpus DIR, a folder made by `corpus build`, or --pairs FILE, "
            f"or --images DIR{found}."
        )
    return data.given[0]


def _pairs(data: PretrainingData) -> Any:
    from hornbook.core.errors import UsageError
    from hornbook.workflows.projects.pairs.project import Pairs

    splits = {
        "--pairs": list(data.pairs or []),
        "--validation": list(data.validation or []),
        "--test": list(data.test or []),
    }
    for name, files in splits.items():
        if not files:
            raise UsageError(
                f"{name} is missing: training on pairs takes --pairs, --validation and --test, "
                "each with one file of pairs or two aligned files."
            )
        if len(files) > 2:
            raise UsageError(f"{name} takes one file of pairs or two aligned ones.")
    return Pairs(*splits.values())


def _images(folder: Path | None, values: dict[str, Any]) -> Any:
    from hornbook.core.errors import unknown
    from hornbook.workflows.projects.images.project import Images

    if (family := values.pop("family", None)) not in (None, "vit"):
        raise unknown("family of images", str(family), ("vit",))
    return Images(folder or "")
