"""Rewards: programs that say what an answer is worth. A new one is one file and one line here."""

from hornbook.core.errors import unknown
from hornbook.evaluate.rewards import exact, json_schema, quote
from hornbook.evaluate.rewards.contract import Reward

REWARDS: dict[str, Reward] = {
    "quote": quote.REWARD,
    "json": json_schema.REWARD,
    "exact": exact.REWARD,
}


def reward_of(name: str) -> Reward:
    """The reward of that name. Raises UsageError naming the nearest."""
    if name not in REWARDS:
        raise unknown("reward", name, REWARDS)
    return REWARDS[name]
