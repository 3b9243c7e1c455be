"""Templates of tasks: Jinja, in the sandbox that chat templates run in, over a row's fields.

Jinja and not `str.format`: prompts need conditions (an input that may be empty) and parts of fields
(all but the last word), tasks of lm-eval are written in it, and it is a dependency already;
`str.format` reaches the attributes of Python's objects without any sandbox.
"""

from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from hornbook.core.errors import HornbookError, UsageError, nearest
from hornbook.tokenize.budget import limits
from hornbook.tokenize.sandbox import limited, written

if TYPE_CHECKING:
    import jinja2

Row = Mapping[str, Any]
"""A record of the data: its fields by name."""


def render(template: str, row: Row) -> str:
    """The text of a template for a row.

    Raises UsageError for a field that the row lacks, naming the nearest one, and for a template
    that is broken.
    """
    return str(_guarded(template, row, lambda: written(lambda: _template(template), row)))


def evaluate(expression: str, row: Row) -> Any:
    """The value of a Jinja expression for a row, such as `answers | map(attribute="text")`."""

    def work() -> Any:
        with limits(row):
            return _expression(expression)(dict(row))

    return _guarded(as_template(expression), row, work)


def as_template(expression: str) -> str:
    """The template that shows an expression's value."""
    return "{{ " + expression + " }}"


def missing(template: str, row: Row) -> str | None:
    """A field that a template reads and a row lacks, or None."""
    return next((name for name in _fields(template) if name not in row), None)


def no_field(template: str, name: str, row: Row) -> UsageError:
    """The error for a field that is not there."""
    return UsageError(f"{template!r} reads the field {name!r}. {nearest(name, row)}")


def _guarded(template: str, row: Row, work: Callable[[], Any]) -> Any:
    from jinja2 import UndefinedError

    try:
        return work()
    except HornbookError:
        raise
    except UndefinedError as error:
        name = missing(template, row)
        if name is not None:
            raise no_field(template, name, row) from None
        raise UsageError(f"{template!r}: {error}.") from None
    except Exception as error:  # a template is a program: anything can go wrong in it
        raise UsageError(f"{template!r} cannot be used: {error}.") from None


@cache
def _fields(template: str) -> list[str]:
    """The fields that a template reads, sorted."""
    from jinja2 import TemplateSyntaxError, meta

    environment = _environment()
    try:
        names = meta.find_undeclared_variables(environment.parse(template))
    except TemplateSyntaxError as error:
        raise _broken(template, error) from None
    return sorted(names - set(environment.globals))


@cache
def _template(template: str) -> "jinja2.Template":
    from jinja2 import TemplateSyntaxError

    try:
        return _environment().from_string(template)
    except TemplateSyntaxError as error:
        raise _broken(template, error) from None


@cache
def _expression(expression: str) -> Any:
    from jinja2 import TemplateSyntaxError

    try:
        return _environment().compile_expression(expression, undefined_to_none=False)
    except TemplateSyntaxError as error:
        raise _broken(expression, error) from None


def _broken(template: str, error: Exception) -> UsageError:
    return UsageError(f"{template!r} is no Jinja template: {error}.")


@cache
def _environment() -> "jinja2.Environment":
    from jinja2 import StrictUndefined

    return limited(undefined=StrictUndefined, keep_trailing_newline=True, finalize=_shown)


def _shown(value: Any) -> Any:
    """What a template writes: nothing for null, as an empty cell of other formats gives."""
    return "" if value is None else value
