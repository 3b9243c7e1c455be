"""The command line as plain data, for pages with a form for each command."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from hornbook.cli.help_groups import COMMANDS, group_of, value_of

if TYPE_CHECKING:
    from hornbook.serve.studio.command_forms import CommandForm

_LEFT_OUT = ("json", "dry_run", "resume")
"""Options that pages give by themselves."""
_OWN_PAGES = ("serve", "studio", "chat", "corpus review")
"""Commands that do not end by themselves, or ask a person at a terminal."""
_SOURCES = "SOURCE"
_MODELS = ("model", "models", "rerank", "encoder", "importance", "draft", "teacher")
"""Names or places; as text in some commands."""
_WRITERS = ("quickstart", "pretrain", "finetune", "compare", "claims")
"""Commands that write a folder in any case: a page has to say which."""


def command_forms(program: Any) -> tuple["CommandForm", ...]:
    """Every command of the program, as Typer has it, with its options, as the help page orders
    them."""
    groups = {name: group for group, names in COMMANDS.items() for name in names.split()}
    found = list(_forms(program, (), groups))
    order = list(groups)
    return tuple(sorted(found, key=lambda form: order.index(form.words[0])))


def _forms(command: Any, words: tuple[str, ...], groups: dict[str, str]) -> Iterator["CommandForm"]:
    from hornbook.serve.studio.command_forms import CommandForm

    below = getattr(command, "commands", None)
    if below is not None:
        for name, one in below.items():
            yield from _forms(one, (*words, name), groups)
        return
    options = tuple(_option(one, words) for one in command.params)
    yield CommandForm(
        words=words,
        summary=(command.help or "").split("\n\n")[0].replace("\n", " "),
        group=groups[words[0]],
        options=tuple(one for one in options if one.name not in _LEFT_OUT),
        answers=any(one.name == "json" for one in options),
        begun=" ".join(words) not in _OWN_PAGES,
    )


def _option(parameter: Any, words: tuple[str, ...]) -> Any:
    from hornbook.serve.studio.command_forms import FormOption

    is_argument = parameter.param_type_name == "argument"
    kind = parameter.bare_type().removeprefix("list[").removesuffix("]")
    value = "" if getattr(parameter, "is_flag", False) else value_of(parameter.name, kind)
    kinds = {"int": "whole", "float": "number", "Path": "place", "bool": "yes"}
    is_place = value == _SOURCES or parameter.name in _MODELS
    default = parameter.default
    plain = isinstance(default, int | float | str) and not isinstance(default, bool)
    return FormOption(
        name=parameter.name,
        flag="" if is_argument else parameter.opts[0],
        help=parameter.help or "",
        group="Arguments" if is_argument else group_of(parameter.name, words[-1]),
        value=value,
        kind="place" if is_place else kinds.get(kind, "text"),
        off=next(iter(parameter.secondary_opts), ""),
        several=parameter.multiple or parameter.nargs == -1,
        required=parameter.required or (parameter.name == "out" and words[0] in _WRITERS),
        default=str(default) if plain else "",
        least=parameter.min,
        most=parameter.max,
    )
