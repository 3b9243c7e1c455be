"""Which tokens stand before every text, as a tokenizer's files say it.

Models that were trained with one (Llama 3, DeepSeek) write worse without it, and with two of them.
The post-processor of tokenizer.json decides, as in `transformers`. Where it puts nothing first,
`add_bos_token` of tokenizer_config.json counts: version 5 of `transformers` forgets it there, but
version 4 and llama.cpp do not, and the models were trained so. What a tokenizer puts behind a text
(`add_eos_token`) is left away: a prompt is to be gone on with, and templates write their own ends.
"""

from collections.abc import Mapping
from typing import Any

from hornbook.tokenize.settings import Settings


def prefix_of(values: Mapping[str, Any], settings: Settings, ids: Mapping[str, int]) -> list[int]:
    """The ids before a text. ids: of all tokens, by their spelling. Raises ValueError for one that
    no token has."""
    found = _before(values.get("post_processor") or {})
    if not found and settings.add_bos:
        found = [ids[name] for name in [settings.names.get("bos_token", "")] if name in ids]
    if not set(found) <= set(ids.values()):
        raise ValueError(f"its post-processor begins texts with {found}, which no token has")
    return found


def begin_with(first: str, i: int) -> dict[str, Any]:
    """`tokenizers`' post-processor that puts one token before every text."""
    begin = {"SpecialToken": {"id": first, "type_id": 0}}
    between = {"SpecialToken": {"id": first, "type_id": 1}}
    one, two = ({"Sequence": {"id": name, "type_id": t}} for t, name in enumerate("AB"))
    return {
        "type": "TemplateProcessing",
        "single": [begin, one],
        "pair": [begin, one, between, two],
        "special_tokens": {first: {"id": first, "ids": [i], "tokens": [first]}},
    }


def _before(processor: Mapping[str, Any]) -> list[int]:
    """What a post-processor puts first; of several the last one stands outside."""
    kind = processor.get("type")
    if kind == "Sequence":
        steps = [_before(step) for step in processor["processors"]]
        return [i for step in reversed(steps) for i in step]
    if kind in ("BertProcessing", "RobertaProcessing"):
        return [int(processor["cls"][1])]
    if kind != "TemplateProcessing":
        return []
    found: list[int] = []
    for piece in processor["single"]:
        if "SpecialToken" not in piece:
            return found
        found += map(int, processor["special_tokens"][piece["SpecialToken"]["id"]]["ids"])
    return found
