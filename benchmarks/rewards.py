"""What a checked reward gains: `python -m benchmarks.rewards [--model NAME --minutes M]`.

Without --model a tiny decoder that has learned nothing writes figures, a letter and ends by chance,
and is paid for whole numbers; all of its weights move. With --model a decoder that is there is paid
for what a sentence says as JSON, by LoRA.

Prints the reward on prompts that nobody trained on, before and after, with the interval of the
paired difference, the figures of hacking, and the verdict; to a file with --out too.
"""

import argparse
import itertools
import json
import random
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import torch

import hornbook as hb
from hornbook.core.progress import Progress
from hornbook.models.causal_lm import CausalLM
from hornbook.models.folder import save_model
from hornbook.models.presets import PRESETS
from hornbook.models.sizes import DecoderSizes
from hornbook.tokenize.train import train_tokenizer

NAMES = "Ann Ben Carla David Emma Felix Grace Hugo Ida Jonas Karen Leo Maria Nina Oscar Paula"
CITIES = "Leeds Paris Bonn Turin Oslo Lyon Prague Seoul Porto Boston Dublin Vienna Madrid Basel"
FORMS = (
    "{name}, who is {age}, lives in {city}.",
    "In {city} you can meet {name}, aged {age}.",
    "{name} turned {age} last week and moved to {city}.",
)
ASKED = 'Say it as JSON with "name", "age" and "city".\n{sentence}'
SCHEMA = {
    "type": "object",
    "required": ["name", "age", "city"],
    "additionalProperties": False,
    "properties": {
        "name": {"type": "string"}, "age": {"type": "integer"}, "city": {"type": "string"},
    },
}  # fmt: skip


WORDS = "red blue green seven nine river stone apple tree cloud ship bird"


def sentences(count: int, seed: int) -> list[str]:
    """Prompts, no two alike."""
    draw, found = random.Random(seed), dict[str, None]()
    while len(found) < count:
        facts = {
            "name": draw.choice(NAMES.split()),
            "age": draw.randint(18, 90),
            "city": draw.choice(CITIES.split()),
        }
        found[ASKED.format(sentence=draw.choice(FORMS).format(**facts))] = None
    return list(found)


def write_prompts(path: Path, prompts: Iterable[str]) -> Path:
    """As JSON Lines."""
    path.write_text("".join(json.dumps({"prompt": one}) + "\n" for one in prompts), "utf-8")
    return path


def tiny_model(folder: Path, prompts: Sequence[str]) -> Path:
    """A decoder that knows nothing, but for which tokens it writes most."""
    tokenizer = train_tokenizer(list(prompts) * 2, 400, folder / "tokenizer", Progress(quiet=True))
    sizes = DecoderSizes(
        vocab=tokenizer.vocab_size, width=32, depth=2, context=128, heads=2, kv_heads=2, head=16,
        hidden=48, tied=False,
    )  # fmt: skip
    model = PRESETS["qwen3"](sizes).build(0)
    assert isinstance(model, CausalLM)
    with torch.no_grad():
        model.embedding.token.weight += 1
        for id in (tokenizer.eos_id or 0, *tokenizer.encode("127a")):
            model.head.weight[id] += 6 / sizes.width
    save_model(model, folder / "model", tokenizer_folder=folder / "tokenizer")
    return folder / "model"


def measured(folder: Path, model: str | None, values: dict[str, Any]) -> dict[str, Any]:
    """The result of a tuning by the reward."""
    if model is None:
        pairs = itertools.permutations(WORDS.split(), 2)
        prompts = [f"Say {one} and {other}." for one, other in pairs]
        own: dict[str, Any] = {
            "json_schema": {"type": "integer"}, "max_tokens": 8, "method": "full", "rate": 0.003,
            "dtype": "float32",
        }  # fmt: skip
        place: str | Path = tiny_model(folder, prompts)
    else:
        prompts, place = sentences(400, 0), model
        own = {"json_schema": SCHEMA, "max_tokens": 48}
    project = hb.Rewards(place, write_prompts(folder / "rows.jsonl", prompts))
    values = {name: value for name, value in values.items() if value is not None}
    return hb.train(
        project, folder / "run", progress=True, **{"reward": "json", **own, **values}
    ).result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", help="a decoder to tune; a tiny one is made without")
    parser.add_argument("--minutes", type=float, help="of the tuning; two passes without")
    parser.add_argument("--rate", type=float)
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    length = {"minutes": asked.minutes} if asked.minutes else {"epochs": 2}
    with tempfile.TemporaryDirectory() as place:
        found = measured(Path(place), asked.model, {**length, "rate": asked.rate})
    kept = ("reward", "steps", "seconds", "verdict", "held_out", "general", "hacking", "examples")
    shown = json.dumps({name: found[name] for name in kept}, ensure_ascii=False, indent=1)
    print(shown)
    if asked.out:
        asked.out.write_text(shown + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
