"""What a checked reward gains: `python -m benchmarks.rewards [--model NAME] [--minutes M]`.

The task: write what a sentence says as JSON. Without --model a small decoder is made first: it
learns from answers of which half are JSON and half are sentences, and the reward has to find the
half that pays. With --model a decoder that is there is tuned by the same rows.

Prints the reward on prompts that nobody trained on, before and after, with the interval of the
paired difference, the figures of hacking, and the verdict; as JSON with --out too.
"""

import argparse
import json
import random
import tempfile
from pathlib import Path
from typing import Any

import hornbook as hb
from hornbook.core.progress import Progress
from hornbook.models.folder import save_model
from hornbook.models.presets import llama
from hornbook.models.sizes import DecoderSizes
from hornbook.tokenize.train import train_tokenizer
from hornbook.workflows.projects.rewards.project import Rewards

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


def rows(count: int, seed: int) -> list[dict[str, Any]]:
    """Prompts, each with an answer in one of two forms; no two sentences alike."""
    draw, found = random.Random(seed), dict[str, dict[str, Any]]()
    while len(found) < count:
        facts = {
            "name": draw.choice(NAMES.split()),
            "age": draw.randint(18, 90),
            "city": draw.choice(CITIES.split()),
        }
        sentence = draw.choice(FORMS).format(**facts)
        spoken = "{name} is {age} and lives in {city}.".format(**facts)
        answer = json.dumps(facts) if draw.random() < 0.5 else spoken
        found[sentence] = {"prompt": ASKED.format(sentence=sentence), "completion": answer}
    return list(found.values())


def write_rows(path: Path, some: list[dict[str, Any]], *columns: str) -> Path:
    """These columns of the rows, as JSON Lines."""
    kept = [{name: row[name] for name in columns} for row in some]
    path.write_text("".join(json.dumps(row) + "\n" for row in kept), encoding="utf-8")
    return path


def small_model(folder: Path, taught: list[dict[str, Any]]) -> Path:
    """A decoder that answers in both forms, about as often."""
    texts = [json.dumps(row, ensure_ascii=False) for row in taught]
    tokenizer = train_tokenizer(texts, 512, folder / "tokenizer", Progress(quiet=True))
    sizes = DecoderSizes(
        vocab=tokenizer.vocab_size, width=64, depth=2, context=160, heads=2, kv_heads=2, head=32,
        hidden=192, tied=True,
    )  # fmt: skip
    save_model(llama(sizes).build(0), folder / "empty", tokenizer_folder=folder / "tokenizer")
    data = write_rows(folder / "taught.jsonl", taught, "prompt", "completion")
    run = hb.train(
        hb.Answers(folder / "empty", data), folder / "taught", method="full", rate=4e-3,
        epochs=EPOCHS, dtype="float32", progress=True,
    )  # fmt: skip
    return run.folder


EPOCHS = 5
"""Passes over the rows in which the small decoder learns to answer."""


def measured(model: Path | str, folder: Path, values: dict[str, Any]) -> dict[str, Any]:
    """The result of a tuning by the reward, on rows that the model was not taught."""
    data = write_rows(folder / "rows.jsonl", rows(240, 1), "prompt")
    project = Rewards(model, data)
    given = {"reward": "json", "json_schema": SCHEMA, "max_tokens": 48, **values}
    return hb.train(project, folder / "rewarded", progress=True, **given).result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", help="a decoder to tune; a small one is made without")
    parser.add_argument("--minutes", type=float, help="of the tuning; one pass without")
    parser.add_argument("--rate", type=float)
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    length = {"minutes": asked.minutes} if asked.minutes else {"epochs": 1}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        model = asked.model or small_model(folder, rows(600, 0))
        found = measured(model, folder, {**length, "rate": asked.rate})
    kept = ("reward", "steps", "seconds", "verdict", "held_out", "general", "hacking", "examples")
    shown = json.dumps({name: found[name] for name in kept}, ensure_ascii=False, indent=1)
    print(shown)
    if asked.out:
        asked.out.write_text(shown + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
