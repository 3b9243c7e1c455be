"""Pairs of sentences of which one is grammatical: BLiMP's, or made by program of the words of
technical English.
"""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np


class MinimalPair(NamedTuple):
    """good, bad: differ as little as can be. phenomenon: of grammar."""

    good: str
    bad: str
    phenomenon: str


PHENOMENA = {
    "agreement": "主谓一致",
    "distant agreement": "远距离主谓一致",
    "determiner": "限定词",
    "article": "冠词",
    "verb form": "动词形式",
    "word order": "词序",
    "anaphor_agreement": "照应语一致",
    "argument_structure": "论元结构",
    "binding": "约束",
    "control_raising": "控制与提升",
    "determiner_noun_agreement": "限定词与名词一致",
    "ellipsis": "省略",
    "filler_gap_dependency": "填充语与空位",
    "irregular_forms": "不规则形式",
    "island_effects": "孤岛效应",
    "npi_licensing": "负极词",
    "quantifiers": "量词",
    "s-selection": "语义选择",
    "subject_verb_agreement": "主谓一致",
}
"""Those of the pairs that are made, and BLiMP's, each with its Chinese."""


class Noun(NamedTuple):
    """one, many: its singular and plural."""

    one: str
    many: str


NOUNS = tuple(
    Noun(word, f"{word}s")
    for word in (
        "function", "method", "object", "value", "argument", "module", "string", "file", "name",
        "list", "key", "type", "item", "element", "instance", "error", "number", "attribute",
        "character", "line", "exception", "result", "parameter", "option", "message", "event",
    )
)  # fmt: skip
VERBS = (
    "return", "take", "use", "contain", "raise", "create", "read", "write", "set", "call",
    "accept", "ignore", "handle", "provide", "allow", "support",
)  # fmt: skip
Form = Callable[[Noun, Noun, str], MinimalPair]


def _pair(phenomenon: str, pattern: str, good: str, bad: str) -> MinimalPair:
    return MinimalPair(pattern.format(good), pattern.format(bad), phenomenon)


FORMS: tuple[Form, ...] = (
    lambda a, b, v: _pair("agreement", f"The {a.one} {{}} the {b.one}.", f"{v}s", v),
    lambda a, b, v: _pair("agreement", f"The {a.many} {{}} the {b.one}.", v, f"{v}s"),
    lambda a, b, v: _pair(
        "distant agreement", f"The {a.one} of the {b.many} {{}} used.", "is", "are"
    ),
    lambda a, b, v: _pair(
        "distant agreement", f"The {a.many} of the {b.one} {{}} used.", "are", "is"
    ),
    lambda a, b, v: _pair("determiner", f"They {v} this {{}}.", a.one, a.many),
    lambda a, b, v: _pair("determiner", f"They {v} these {{}}.", a.many, a.one),
    lambda a, b, v: _pair("article", f"They {v} {{}} {a.one}.", _article(a), _other_article(a)),
    lambda a, b, v: _pair("verb form", f"It does not {{}} the {a.one}.", v, f"{v}s"),
    lambda a, b, v: _pair("verb form", f"It {{}} the {a.one}.", f"{v}s", v),
    lambda a, b, v: _pair("word order", f"They {v} the {a.one} {{}} {b.one}.", "of the", "the of"),
)
"""Each of two nouns and a verb; what is right in one is wrong in the next, so that no word is right
by being frequent."""


def _article(noun: Noun) -> str:
    return "an" if noun.one[0] in "aeiou" and not noun.one.startswith("u") else "a"


def _other_article(noun: Noun) -> str:
    return "a" if _article(noun) == "an" else "an"


def made_pairs(count: int, seed: int) -> list[MinimalPair]:
    """So many pairs, each form about as often."""
    draw, found = np.random.default_rng(seed), dict[MinimalPair, None]()
    while len(found) < count:
        one, other = draw.choice(len(NOUNS), 2, replace=False).tolist()
        verb = VERBS[int(draw.integers(len(VERBS)))]
        form = FORMS[len(found) % len(FORMS)]
        found[form(NOUNS[one], NOUNS[other], verb)] = None
    return list(found)


def draw_pairs(file: Path | None, count: int, seed: int) -> list[MinimalPair]:
    """At most so many pairs, of BLiMP's file or made."""
    return made_pairs(count, seed) if file is None else _read(file, count, seed)


def _read(file: Path, count: int, seed: int) -> list[MinimalPair]:
    """At most so many pairs of BLiMP (Warstadt et al. 2020), drawn from all of it."""
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    places = np.random.default_rng(seed).permutation(len(rows))[:count].tolist()
    return [MinimalPair(*(rows[i][key] for key in MinimalPair._fields)) for i in places]
