"""Templates of chats and tasks as programs of strangers: Jinja in a sandbox, with limits.

What a chat template says is what `transformers` would make of it. Every turn of a loop, call,
filter and list is a step on the values that it gets, counted by `budget`; memory is limited for the
process while a template runs, which is milliseconds.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from functools import cache, lru_cache, wraps
from types import GeneratorType
from typing import TYPE_CHECKING, Any

from hornbook.core.errors import HornbookError
from hornbook.tokenize.budget import BUDGET, TooMuch, check_numbers, limits

if TYPE_CHECKING:
    import jinja2

BEGIN, END = "\ue000", "\ue001"
"""Around what a {% generation %} block encloses: characters of Unicode's private use area."""
_LONGEST = 2**17
"""Characters of a template; the longest in use have some 20,000."""
_FEW = 1000
"""Lists that may be added up: each is copied as often as there are others behind it."""


def render(template: str, values: Mapping[str, Any]) -> str:
    """The text that a template makes of values. Raises HornbookError where it cannot be used."""
    try:
        return written(lambda: _compiled(template), values)
    except HornbookError:
        raise
    except Exception as error:  # a template is a program by others: anything can go wrong in it
        said = str(error)[:500]
    raise HornbookError(f"The chat template cannot be used: {said}.")


def written(template: "Callable[[], jinja2.Template]", values: Mapping[str, Any]) -> str:
    """What a template of a `limited` environment writes, under limits; compiling it counts too.

    Raises TooMuch, and whatever a template can raise.
    """
    with limits(values):
        found, size = [], 0
        for part in template().generate(dict(values)):
            size += len(part)
            BUDGET.fits(size)
            found.append(part)
        return "".join(found)


@lru_cache(16)
def _compiled(template: str) -> "jinja2.Template":
    """Compiling takes several times as long as rendering, and data sets are rendered row by row."""
    if len(template) > _LONGEST:
        raise TooMuch(f"it has {len(template):,} characters")
    return _environment().from_string(template)


@cache
def _environment() -> "jinja2.Environment":
    """What chat templates are written for, as in `transformers`."""
    from jinja2 import nodes
    from jinja2.ext import Extension
    from jinja2.parser import Parser

    class Generation(Extension):
        """{% generation %} ... {% endgeneration %}: puts marks around what it encloses."""

        tags = {"generation"}  # noqa: RUF012

        def parse(self, parser: Parser) -> list[nodes.Node]:
            line = next(parser.stream).lineno
            body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
            begin, end = (nodes.Output([nodes.TemplateData(m)], lineno=line) for m in (BEGIN, END))
            return [begin, *body, end]

    environment = limited(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols", Generation]
    )
    environment.filters["tojson"] = _counted(_tojson)
    environment.globals["raise_exception"] = _refuse
    environment.globals["strftime_now"] = lambda form: datetime.now().strftime(form)
    return environment


def limited(**options: Any) -> "jinja2.Environment":
    """A sandbox in which every step is counted; options: of Jinja's environment.

    What is made in it runs inside `budget.limits`.
    """
    from jinja2 import nodes, pass_context
    from jinja2.sandbox import ImmutableSandboxedEnvironment
    from jinja2.visitor import NodeTransformer

    class Counted(ImmutableSandboxedEnvironment):
        intercepted_binops = frozenset(("**", "*", "+"))

        def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
            check_numbers(operator, left, right)
            found = super().call_binop(context, operator, left, right)
            BUDGET.use((found,))
            return found

        def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
            # A text has a few codecs that take the square of its length.
            return attr != "encode" and super().is_safe_attribute(obj, attr, value)

        def call(self, context: Any, called: Any, /, *args: Any, **named: Any) -> Any:
            own = getattr(called, "__self__", None)  # the text or list of a method
            BUDGET.use((own, *args, *named.values()))
            return super().call(context, called, *args, **named)

        def _parse(self, source: str, name: Any, filename: Any) -> nodes.Template:
            tree = super()._parse(source, name, filename)
            for loop in tree.find_all(nodes.For):
                tick = nodes.Filter(nodes.Const(""), "_step", [], [], None, None)
                loop.body.insert(0, nodes.ExprStmt(tick, lineno=loop.lineno))
            Weighing().visit(tree)
            tree.set_environment(self)
            return tree

    class Weighing(NodeTransformer):
        """Lists are looked at where they are made: each may hold others twice."""

        def generic_visit(self, node: nodes.Node, *args: Any, **named: Any) -> nodes.Node:
            super().generic_visit(node, *args, **named)
            made = isinstance(node, nodes.List | nodes.Tuple | nodes.Dict)
            if not made or getattr(node, "ctx", "load") != "load":
                return node
            constant = all(isinstance(part, nodes.Const) for part in node.iter_child_nodes())
            return node if constant else _weighed(node)

    def _weighed(node: nodes.Node) -> nodes.Filter:
        return nodes.Filter(node, "_weighed", [], [], None, None, lineno=node.lineno or 1)

    def weigh(context: Any, value: Any) -> Any:
        BUDGET.use((value,))
        return value

    environment = Counted(**options)
    environment.filters["sum"] = _sum(environment.filters["sum"])
    environment.filters |= {name: _counted(f) for name, f in environment.filters.items()}
    # With a context they are never constants.
    environment.filters["_weighed"] = pass_context(weigh)
    environment.filters["_step"] = pass_context(lambda context, value: BUDGET.step())
    del environment.globals["lipsum"]  # filler text, as much as is asked for
    del environment.filters["wordwrap"]  # of a long word it takes the square
    return environment


def _counted(filter_: Callable[..., Any]) -> Callable[..., Any]:
    """A filter that is a step, as is each value that it yields; what Jinja marks on it stays."""

    @wraps(filter_)
    def counted(*args: Any, **named: Any) -> Any:
        BUDGET.use((*args, *named.values()))
        found = filter_(*args, **named)
        return _each(found) if isinstance(found, GeneratorType) else found

    return counted


def _each(values: Iterator[Any]) -> Iterator[Any]:
    for value in values:
        BUDGET.step()
        yield value


def _sum(filter_: Callable[..., Any]) -> Callable[..., Any]:
    """Jinja's sum, of few lists only: all that was added up is copied for each."""

    @wraps(filter_)
    def added(environment: Any, values: Any, attribute: Any = None, start: Any = 0) -> Any:
        if not isinstance(start, int | float):
            values = list(values)
            if len(values) > _FEW:
                raise TooMuch(f"it adds up more than {_FEW:,} lists")
        return filter_(environment, values, attribute, start)

    return added


def _tojson(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | str | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    """With the arguments of the filter that `transformers` has, in its order."""
    return json.dumps(
        value,
        ensure_ascii=ensure_ascii,
        indent=indent,
        separators=separators,
        sort_keys=sort_keys,
    )


def _refuse(reason: Any) -> None:
    raise HornbookError(f"The chat template refuses these messages: {str(reason)[:500]}.")
