"""Chat templates as programs of strangers: Jinja in a sandbox, with limits to what it may take.

What a template says is what `transformers` would make of it. Every turn of a loop, call and filter
is a step, and steps and seconds are counted; memory is limited for the process while a template
runs, which is milliseconds. Knows Jinja; knows nothing of messages or tokens.
"""

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from functools import cache, lru_cache, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hornbook.core.errors import HornbookError

if TYPE_CHECKING:
    import jinja2

BEGIN, END = "\ue000", "\ue001"
"""Around what a {% generation %} block encloses: characters of Unicode's private use area."""
STEPS, SECONDS, CHARACTERS = 1_000_000, 3.0, 2**18
"""Of a conversation. What it writes may be four times as long as what it is given, besides."""
MEMORY = 2**29
_LONGEST = 2**20
"""Characters of a template; the longest in use have some 20,000."""
_BITS = 100_000
"""Of a whole number."""


def render(template: str, values: Mapping[str, Any]) -> str:
    """The text that a template makes of values. Raises HornbookError where it cannot be used."""
    try:
        with _limits():
            found, size, most = [], 0, CHARACTERS + 4 * len(str(values))
            for part in _compiled(template).generate(dict(values)):
                size += len(part)
                if size > most:
                    raise _TooMuch(f"it writes more than {most:,} characters")
                found.append(part)
            return "".join(found)
    except HornbookError:
        raise
    except MemoryError:
        error: Exception = _TooMuch(f"it takes more than {MEMORY / 2**20:.0f} MiB")
    except Exception as raised:  # a template is a program by others: anything can go wrong in it
        error = raised
    raise HornbookError(f"The chat template cannot be used: {str(error)[:500]}.")


class _TooMuch(Exception):
    """A limit was reached."""


class _Budget(threading.local):
    """What the template that runs in this thread may still do."""

    steps = 0
    until = 0.0

    def step(self) -> None:
        self.steps -= 1
        if self.steps < 0:
            raise _TooMuch(f"it does not end after {STEPS:,} steps")
        if not self.steps % 64 and time.perf_counter() > self.until:
            raise _TooMuch(f"it does not end after {SECONDS:.0f} seconds")


_BUDGET = _Budget()


@contextlib.contextmanager
def _limits() -> Iterator[None]:
    _BUDGET.steps, _BUDGET.until = STEPS, time.perf_counter() + SECONDS
    with _limited_memory():
        yield


@contextlib.contextmanager
def _limited_memory() -> Iterator[None]:
    """Allocations beyond `MEMORY` fail inside, where the system can do that."""
    try:
        import resource

        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        before = resource.getrlimit(resource.RLIMIT_AS)
        most = pages * resource.getpagesize() + MEMORY
        tighter = before[0] == resource.RLIM_INFINITY or most < before[0]
    except (ImportError, OSError):
        tighter = False
    if not tighter:
        yield
        return
    resource.setrlimit(resource.RLIMIT_AS, (most, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


@lru_cache(16)
def _compiled(template: str) -> "jinja2.Template":
    """Compiling takes several times as long as rendering, and data sets are rendered row by row."""
    if len(template) > _LONGEST:
        raise _TooMuch(f"it has {len(template):,} characters")
    return _environment().from_string(template)


@cache
def _environment() -> "jinja2.Environment":
    """What templates are written for, as in `transformers`, with every step counted."""
    from jinja2 import nodes, pass_context
    from jinja2.ext import Extension
    from jinja2.parser import Parser
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class Generation(Extension):
        """{% generation %} ... {% endgeneration %}: puts marks around what it encloses."""

        tags = {"generation"}  # noqa: RUF012

        def parse(self, parser: Parser) -> list[nodes.Node]:
            line = next(parser.stream).lineno
            body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
            begin, end = (nodes.Output([nodes.TemplateData(m)], lineno=line) for m in (BEGIN, END))
            return [begin, *body, end]

    class Counted(ImmutableSandboxedEnvironment):
        intercepted_binops = frozenset(("**", "*"))

        def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
            _BUDGET.step()
            _check_numbers(operator, left, right)
            return super().call_binop(context, operator, left, right)

        def call(self, context: Any, called: Any, /, *args: Any, **named: Any) -> Any:
            _BUDGET.step()
            return super().call(context, called, *args, **named)

        def _parse(self, source: str, name: Any, filename: Any) -> nodes.Template:
            tree = super()._parse(source, name, filename)
            for loop in tree.find_all(nodes.For):
                tick = nodes.Filter(nodes.Const(""), "_step", [], [], None, None)
                loop.body.insert(0, nodes.ExprStmt(tick, lineno=loop.lineno))
            tree.set_environment(self)
            return tree

    environment = Counted(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols", Generation]
    )
    environment.filters["tojson"] = _tojson
    environment.filters |= {name: _counted(f) for name, f in environment.filters.items()}
    environment.filters["_step"] = pass_context(lambda context, value: _BUDGET.step())
    environment.globals["raise_exception"] = _refuse
    environment.globals["strftime_now"] = lambda form: datetime.now().strftime(form)
    return environment


def _counted(filter_: Callable[..., Any]) -> Callable[..., Any]:
    """A filter that is a step; what Jinja marks on it stays."""

    @wraps(filter_)
    def counted(*args: Any, **named: Any) -> Any:
        _BUDGET.step()
        return filter_(*args, **named)

    return counted


def _check_numbers(operator: str, left: Any, right: Any) -> None:
    """Refuse whole numbers whose computing would take long before it takes memory."""
    if isinstance(left, int) and isinstance(right, int):
        more = abs(right) if operator == "**" else 1
        if left.bit_length() * more > _BITS or right.bit_length() > _BITS:
            raise _TooMuch("it computes with numbers that are too large")


def _tojson(value: Any, **options: Any) -> str:
    return json.dumps(value, ensure_ascii=False, **options)


def _refuse(reason: Any) -> None:
    raise HornbookError(f"The chat template refuses these messages: {str(reason)[:500]}.")
