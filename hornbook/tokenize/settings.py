"""What a model folder says of its tokenizer beside tokenizer.json: names, ends, chat template.

Folders made elsewhere spread this over five files; here is who is asked first. Knows JSON; knows
nothing of ids in use.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from hornbook.core.errors import HornbookError
from hornbook.core.files import read_json

CONFIG = "tokenizer_config.json"


class Settings(NamedTuple):
    """names: special tokens by role, as {"eos_token": "<|endoftext|>"}.

    eos: the id that config.json calls the end. stops: the ids that end generation. add_bos: whether
    texts begin with the token of that role, should the post-processor not say it.
    """

    names: dict[str, str]
    eos: int | None
    stops: frozenset[int]
    template: str | None
    add_bos: bool = False


def read_settings(folder: Path) -> Settings:
    """Read the files that are there; none has to be. Raises HornbookError for a broken one."""
    config = _read(folder, CONFIG)
    ends = _ids(_read(folder, "config.json"))
    stops = _ids(_read(folder, "generation_config.json"))
    return Settings(
        names={**_names(_read(folder, "special_tokens_map.json")), **_names(config)},
        eos=ends[0] if ends else None,
        stops=frozenset(ends + stops),
        template=_template(folder, config.get("chat_template")),
        add_bos=config.get("add_bos_token") is True,
    )


def _read(folder: Path, name: str) -> dict[str, Any]:
    path = folder / name
    values = read_json(path) if path.is_file() else {}
    if not isinstance(values, dict):
        raise HornbookError(f"{path} holds a {type(values).__name__}, not keys and values.")
    return values


def _names(values: Mapping[str, Any]) -> dict[str, str]:
    """`x_token` entries, which are a spelling or an object with one."""
    found = {key: value for key, value in values.items() if key.endswith("_token")}
    spelled = {key: v.get("content") if isinstance(v, dict) else v for key, v in found.items()}
    return {key: value for key, value in spelled.items() if isinstance(value, str)}


def _ids(values: Mapping[str, Any]) -> list[int]:
    """`eos_token_id`, which is absent, one id or several."""
    ids = values.get("eos_token_id")
    ids = ids if isinstance(ids, list) else [ids]
    return [i for i in ids if isinstance(i, int)]


def _template(folder: Path, inside: Any) -> str | None:
    """The template in a file of its own, or in the config: one, or the default of several."""
    path = folder / "chat_template.jinja"
    if path.is_file():
        try:
            return path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            raise HornbookError(f"{path} is not UTF-8 text.") from None
    if isinstance(inside, list):
        named = [each for each in inside if isinstance(each, Mapping)]
        inside = next((e.get("template") for e in named if e.get("name") == "default"), None)
    return inside if isinstance(inside, str) else None
