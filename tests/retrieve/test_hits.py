"""Which passages say the same: told by a part of their words where that is enough."""

import random

from hornbook.retrieve.hits import outline, twin


def alike(one, other):
    """Jaccard's index."""
    return len(one & other) >= 0.8 * len(one | other)


def test_a_twin_is_found_as_by_all_words():
    draw, found = random.Random(0), 0
    for _ in range(800):
        words = [str(n) for n in range(draw.choice([5, 12, 35, 60]))]
        others = []
        for _ in range(4):
            kept = [word for word in words if draw.random() < draw.choice([0.6, 0.8, 0.9])]
            more = [f"more {n}" for n in range(draw.choice([0, 0, 1, len(words) // 8]))]
            others.append(frozenset(kept + more))
        one = frozenset(words)
        first = next((i for i, other in enumerate(others) if alike(one, other)), None)
        assert twin(one, others) == first, (one, others)
        found += first is not None
    assert 200 < found < 700


def test_a_text_without_spaces_is_compared_by_pairs():
    otters = "水獭睡觉时仰面浮在水上，彼此手牵着手，这样就不会漂散。"
    lease = "承租人可以提前三十天以书面形式通知出租人解除本合同。"
    assert twin(outline(otters), [outline(lease), outline(otters[:-1])]) == 1
