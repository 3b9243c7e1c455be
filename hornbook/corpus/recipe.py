"""What a corpus is made by: which documents are kept, and what of them is replaced.

Recipes are YAML files; some come with the package.
"""

from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from pydantic import Field, PositiveInt

from hornbook.core.config import Config, read_recipe
from hornbook.core.errors import UsageError, nearest, unknown
from hornbook.corpus.decontaminate import OverlapConfig
from hornbook.corpus.language_codes import require
from hornbook.corpus.near import NearConfig

_BUILT_IN = Path(__file__).parent / "recipes"
NEAR_MODES = ("drop", "together", "ignore")
REST = "other"
"""The name of what no source of the recipe matches."""

Rules = dict[str, dict[str, Any] | None]
"""Thresholds by the kinds of `corpus.rules`; None leaves a rule out."""


class SourceConfig(Config):
    """A part of the corpus with settings of its own.

    match: patterns (* and ?) of files, of which the first that fits decides. licence: as it was
    given, for the card. rules: over those of the recipe; None leaves a rule out. most_bytes: kept
    at the most. weight: its share of the mixture, beside the weights of the others; None: as large
    as it is.
    """

    match: tuple[str, ...]
    licence: str = ""
    rules: Rules = Field(default_factory=dict)
    most_bytes: PositiveInt | None = None
    weight: float | None = Field(default=None, gt=0)


class ParagraphConfig(Config):
    """Paragraphs (lines of text) that an earlier document had word for word are taken out.

    least_bytes: shorter ones are left alone: headings and greetings repeat. most: share of its
    bytes from which on a document is dropped whole.
    """

    least_bytes: PositiveInt = 80
    most: float = Field(default=0.8, gt=0, le=1)


class CorpusRecipe(Config):
    """languages: those kept, None for all; language_share: the least share of a document in one of
    them; paragraph_languages: paragraphs in others go as well.

    rules: thresholds by kind. sources: parts with settings of their own, by name. urls: later
    documents of one address are dropped. near: how near duplicates are told; near_mode: whether
    later ones are dropped, or kept on one side of the split, or not looked for. paragraphs: None to
    leave repeated ones in. against: evaluation files that no document may give away, as `overlap`
    tells. pii: kinds of personal data that pseudonyms replace. budget_bytes, budget_tokens: of the
    mixture, in one pass. most_copies: of a document in it. seed: of what is drawn for it.
    group: the metadata field whose equal values stay on one side. strict: stop at the first record
    that cannot be read. validation_share: of the bytes, held out; validation_most: bytes held out
    at the most, about. text_field: where JSON Lines and tables have their text, None: found by
    name.
    """

    languages: tuple[str, ...] | None = None
    language_share: float = Field(default=0.0, ge=0, le=1)
    paragraph_languages: bool = False
    rules: Rules = Field(default_factory=dict)
    sources: dict[str, SourceConfig] = Field(default_factory=dict)
    urls: bool = False
    near: NearConfig = NearConfig()
    near_mode: str = "together"
    paragraphs: ParagraphConfig | None = None
    against: tuple[str, ...] = ()
    overlap: OverlapConfig = OverlapConfig()
    pii: tuple[str, ...] = ()
    budget_bytes: PositiveInt | None = None
    budget_tokens: PositiveInt | None = None
    most_copies: float = Field(default=4.0, ge=1)
    seed: int = Field(default=0, ge=0, lt=2**63)
    group: str | None = None
    strict: bool = False
    validation_share: float = Field(default=0.05, ge=0.001, le=0.2)
    validation_most: int = Field(default=2 * 2**20, ge=1)
    text_field: str | None = None

    def check(self) -> None:
        """Raises UsageError for what is not there or does not fit together, before any work."""
        from hornbook.corpus.pii import FINDERS

        if self.languages is not None:
            require(self.languages)
        for name in ("", *self.sources):
            _check_rules(self.rules_of(name))
        for kind in self.pii:
            if kind not in FINDERS:
                raise unknown("kind of personal data", kind, FINDERS)
        if self.near_mode not in NEAR_MODES:
            raise unknown("near_mode", self.near_mode, NEAR_MODES)
        self.near.banding()
        if REST in self.sources:
            raise UsageError(f"A source may not be called {REST!r}: that is what none matches.")
        if self.paragraph_languages and self.languages is None:
            raise UsageError("paragraph_languages needs languages, the ones to keep.")
        if self.language_share and self.languages is None:
            raise UsageError("language_share needs languages, the ones to keep.")
        if self.budget_bytes and self.budget_tokens:
            raise UsageError("Give budget_bytes or budget_tokens, not both.")
        weighed = [name for name, source in self.sources.items() if source.weight is not None]
        if weighed and len(weighed) < len(self.sources):
            missing = next(name for name in self.sources if name not in weighed)
            raise UsageError(f"The source {missing!r} has no weight, but {weighed[0]!r} has one.")

    def source_of(self, file: str) -> str:
        """The name of the source that a file belongs to."""
        for name, source in self.sources.items():
            if any(fnmatchcase(file, pattern) for pattern in source.match):
                return name
        return REST

    def rules_of(self, source: str) -> dict[str, dict[str, Any]]:
        """Thresholds by kind for the documents of a source."""
        own = self.sources[source].rules if source in self.sources else {}
        chosen = {**self.rules, **own}
        return {kind: values for kind, values in chosen.items() if values is not None}


def _check_rules(rules: dict[str, dict[str, Any]]) -> None:
    from hornbook.corpus.rules import RULES

    for kind, thresholds in rules.items():
        if kind not in RULES:
            raise unknown("rule", kind, RULES)
        RULES[kind].parse(thresholds, f"rule {kind}")


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
