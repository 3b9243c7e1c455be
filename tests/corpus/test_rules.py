"""Every registered rule keeps its contract: planted cases, batches, languages, thresholds."""

import numpy as np
import pytest

from hornbook.corpus.rules import RULES
from hornbook.corpus.texts import Texts

PLAIN = [
    kind
    for kind, rule in sorted(RULES.items())
    if not any(field.is_required() for field in rule.model_fields.values())
]
"""Rules that need no model; test_learned_rules.py has the others."""


def texts(rule, documents):
    languages = RULES[rule].languages
    language = "en" if languages is None or "en" in languages else min(languages)
    return Texts(documents, [language] * len(documents))


def test_each_reason_is_one_rules_own_and_said_in_both_languages():
    reasons = [rule.reason for rule in RULES.values()]
    assert len(set(reasons)) == len(reasons)
    assert all(rule.reason and rule.reason_zh for rule in RULES.values())


@pytest.mark.parametrize("rule", PLAIN)
def test_planted_cases(rule):
    made = RULES[rule]()
    assert made.hits and made.misses and made.source
    documents = [*made.hits, *made.misses]
    _, kept = made.judge(texts(rule, documents))
    assert kept.tolist() == [False] * len(made.hits) + [True] * len(made.misses)


@pytest.mark.parametrize("rule", PLAIN)
def test_a_batch_is_judged_as_each_document_alone(rule):
    made = RULES[rule]()
    documents = [
        *made.misses,
        "",
        *made.hits,
        "春眠不覺曉，處處聞啼鳥。\n\n夜來風雨聲。",
        "\n",
        "x",
    ]
    values, kept = made.judge(texts(rule, documents))
    assert values.shape == kept.shape == (len(documents),)
    for i, document in enumerate(documents):
        value, keep = made.judge(texts(rule, [document]))
        np.testing.assert_allclose(value[0], values[i], rtol=1e-6)
        assert keep[0] == kept[i]


@pytest.mark.parametrize("rule", [r for r in PLAIN if RULES[r].languages is not None])
def test_other_languages_are_not_judged(rule):
    made = RULES[rule]()
    other = "qq"
    values, kept = made.judge(Texts(made.hits, [other] * len(made.hits)))
    assert np.isnan(values).all() and kept.all()


def test_nothing_to_judge():
    for rule in PLAIN:
        values, kept = RULES[rule]().judge(Texts([]))
        assert len(values) == len(kept) == 0
