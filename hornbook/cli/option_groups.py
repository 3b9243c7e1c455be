"""Options that several commands take together, as one value: a NamedTuple with a field for each.

A command has a parameter of such a type, with the defaults of its fields as its own default, and
`spread` makes an option of each field. The line that a user writes does not tell the two apart.
"""

import functools
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, cast

import typer

from hornbook.cli import constraint, options
from hornbook.cli.training_data import Meant, PretrainingData, meant

if TYPE_CHECKING:
    from hornbook.workflows.open.asked import AnswerOptions


class WritingOptions(NamedTuple):
    """How an answer is written, and what it must be."""

    max_tokens: options.MaxTokens = 200
    temperature: options.Temperature = 0.8
    top_k: options.TopK = None
    top_p: options.TopP = 0.95
    min_p: options.MinP = 0.0
    presence_penalty: options.PresencePenalty = 0.0
    frequency_penalty: options.FrequencyPenalty = 0.0
    repetition_penalty: options.RepetitionPenalty = 1.0
    repetition_window: options.RepetitionWindow = 64
    logit_bias: options.LogitBias = None
    seed: options.Seed = 0
    stop: options.Stop = None
    json_schema: constraint.JsonSchema = None
    regex: constraint.Regex = None
    choices: constraint.Choices = None
    choice: constraint.Choice = None
    device: options.Device = None
    weights: options.Weights = None
    draft: options.Draft = None

    def wishes(self) -> "AnswerOptions":
        """As the workflow takes them."""
        values = self._asdict()
        texts = constraint.texts(values.pop("choices"), values.pop("choice"))
        del values["device"], values["weights"]  # of the model
        return cast("AnswerOptions", values | {"choices": texts})


class TrainedOn(NamedTuple):
    """What a recipe of the user's own needs beside it, or the rows that a model is tuned on."""

    corpus: Annotated[
        Path | None, typer.Option(help="The corpus that a recipe is to be trained on.")
    ] = None
    pairs: Annotated[
        list[Path] | None, typer.Option(help="The pairs that a recipe is to be trained on.")
    ] = None
    validation: Annotated[
        list[Path] | None, typer.Option(help="Pairs for validation, given as --pairs is.")
    ] = None
    test: Annotated[
        list[Path] | None,
        typer.Option(help="Pairs on which BLEU is measured, given as --pairs is."),
    ] = None
    images: Annotated[
        Path | None,
        typer.Option(help="The labelled images that a recipe is to be trained on."),
    ] = None
    data: Annotated[
        list[Path] | None,
        typer.Option(help="A file of rows that the model is to be tuned on."),
    ] = None
    task: Annotated[
        str, typer.Option(help="What the model is to learn of --data, as in `finetune`.")
    ] = "instruct"
    teacher: options.Teacher = None
    set_: options.Set = None

    @property
    def pretraining(self) -> PretrainingData:
        return PretrainingData(*self[:5])

    @property
    def given(self) -> bool:
        """Whether anything was named to be trained on."""
        return bool(self.pretraining.given or self.data)

    def meant(self, target: Path | None) -> Meant:
        """The run that is meant by all of it. Raises UsageError."""
        return meant(target, self.pretraining, (self.data, self.task, self.teacher), self.set_)


def spread(command: Callable[..., None]) -> Callable[..., None]:
    """The command with an option for each field of each group among its parameters."""
    own = inspect.signature(command).parameters
    groups = {name: one.annotation for name, one in own.items() if _is_group(one.annotation)}
    shown = [part for one in own.values() for part in _parts(one, groups.get(one.name))]

    @functools.wraps(command)
    def spread_command(**values: Any) -> None:
        for name, group in groups.items():
            values[name] = group(**{field: values.pop(field) for field in group._fields})
        command(**values)

    signature = inspect.Signature(shown, return_annotation=None)
    spread_command.__signature__ = signature  # type: ignore[attr-defined]
    spread_command.__annotations__ = {one.name: one.annotation for one in shown}
    return spread_command


def _is_group(annotation: Any) -> bool:
    return isinstance(annotation, type) and hasattr(annotation, "_fields")


def _parts(one: inspect.Parameter, group: Any) -> list[inspect.Parameter]:
    """One parameter of its name alone, or those of its group."""
    if group is None:
        return [one.replace(kind=inspect.Parameter.KEYWORD_ONLY)]
    defaults = one.default._asdict()
    return [
        inspect.Parameter(
            field,
            inspect.Parameter.KEYWORD_ONLY,
            default=defaults[field],
            annotation=group.__annotations__[field],
        )
        for field in group._fields
    ]
