"""Tricks that please a reward are found where they are planted, and only there."""

import numpy as np
import pytest

from hornbook.evaluate.hacking import AnswersOf, change_of, changes, figures, signs

DRAW = np.random.default_rng(0)
PROMPTS = [DRAW.integers(0, 10**6, 24).tolist() for _ in range(20)]
CALM = change_of([1.0, 1.1] * 10, [1.0, 1.1] * 10)


def answers(of, reward=0.5, cut=False):
    """Four answers to each prompt, ids as `of` gives them for a prompt and a number."""
    drawn = []
    for prompt in PROMPTS:
        ids = [of(prompt, number) for number in range(4)]
        texts = [" ".join(map(str, one)) for one in ids]
        drawn.append(AnswersOf(prompt, ids, texts, [reward] * 4, [cut] * 4, [1.0] * 4))
    return drawn


def fresh(length):
    return lambda prompt, number: DRAW.integers(10**6, 10**7, length).tolist()


HONEST = figures(answers(fresh(12)))


@pytest.mark.parametrize(
    ("sign", "after"),
    [
        ("longer", answers(fresh(30))),
        ("cut", answers(fresh(12), cut=True)),
        ("copied", answers(lambda prompt, number: prompt[number : number + 12])),
        ("stuck", answers(lambda prompt, number: [prompt[0] + 10**8] * 3)),
        ("one answer", answers(lambda prompt, number: [7, 7, 7 + number % 2])),
    ],
)
def test_a_trick_is_found(sign, after):
    found = changes(HONEST, figures(after))
    assert sign in signs(found, CALM, quotes=False)


def test_a_prompt_that_is_repeated_is_found_even_where_quotes_are_wanted():
    found = changes(HONEST, figures(answers(lambda prompt, number: prompt[: 20 + number])))
    assert {"repeated", "longer"} <= set(signs(found, CALM, quotes=True))
    assert "copied" not in signs(found, CALM, quotes=True)


def test_what_is_forgotten_is_found():
    worse = change_of([1.0, 1.1] * 10, [1.05, 1.15] * 10)
    assert signs(changes(HONEST, HONEST), worse, quotes=False) == ["forgotten"]


def test_nothing_is_found_where_answers_are_honest():
    again = figures(answers(fresh(13), reward=1.0))
    found = changes(HONEST, again)
    assert signs(found, CALM, quotes=False) == []
    assert found["reward"].change.value == pytest.approx(0.5) and found["reward"].risen


def test_one_right_answer_is_no_trick():
    """All answers to a prompt are the same, and right."""
    right = answers(lambda prompt, number: [prompt[0] + 10**8], reward=1.0)
    found = changes(HONEST, figures(right))
    assert found["identical"].after.value == 1
    assert signs(found, CALM, quotes=False) == []
