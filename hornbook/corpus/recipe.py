"""What a corpus is made by: which documents are kept, and what of them is replaced.

Recipes are YAML files; some come with the package. Knows settings; does no work.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import Field

from hornbook.core.config import Config, read_recipe
from hornbook.core.errors import UsageError, nearest, unknown
from hornbook.corpus.near import NearConfig

_BUILT_IN = Path(__file__).parent / "recipes"
NEAR_MODES = ("drop", "together", "ignore")


class CorpusRecipe(Config):
    """languages: those kept, None for all. rules: thresholds by the kinds of `corpus.rules`.

    near: how near duplicates are told; near_mode: whether later ones are dropped, or kept on one
    side of the split, or not looked for. pii: kinds of personal data that pseudonyms replace.
    group: the metadata field whose equal values stay on one side. strict: stop at the first record
    that cannot be read. validation_share: of the bytes,
    held out; validation_most: bytes held out at the most, about. text_field: where JSON Lines and
    tables have their text, None: found by name.
    """

    languages: tuple[str, ...] | None = None
    rules: dict[str, dict[str, Any]] = Field(default_factory=dict)
    near: NearConfig = NearConfig()
    near_mode: str = "together"
    pii: tuple[str, ...] = ()
    group: str | None = None
    strict: bool = False
    validation_share: float = Field(default=0.05, ge=0.001, le=0.2)
    validation_most: int = Field(default=2 * 2**20, ge=1)
    text_field: str | None = None

    def check(self) -> None:
        """Raises UsageError for kinds and thresholds that are not there, before any work."""
        from hornbook.corpus.pii import FINDERS
        from hornbook.corpus.rules import RULES

        for kind, thresholds in self.rules.items():
            if kind not in RULES:
                raise unknown("rule", kind, RULES)
            RULES[kind].parse(thresholds, f"rule {kind}")
        for kind in self.pii:
            if kind not in FINDERS:
                raise unknown("kind of personal data", kind, FINDERS)
        if self.near_mode not in NEAR_MODES:
            raise unknown("near_mode", self.near_mode, NEAR_MODES)


def recipe_of(name: str | None, overrides: Sequence[str] = ()) -> CorpusRecipe:
    """The recipe of a YAML file or of a built-in name, with key=value over it; None: the defaults.

    Raises UsageError for a recipe that is not there or does not fit.
    """
    path = None if name is None else _find(name)
    recipe = CorpusRecipe.parse(read_recipe(path, overrides), name or "corpus")
    recipe.check()
    return recipe


def _find(name: str) -> Path:
    built_in = {path.stem: path for path in _BUILT_IN.glob("*.yaml")}
    if name in built_in and not Path(name).exists():
        return built_in[name]
    if not Path(name).is_file():
        raise UsageError(f"The recipe {name} is no file. {nearest(name, built_in)}")
    return Path(name)
