"""A small run of each kind: its data, and the values of its request."""

import itertools
import json

import numpy as np
import pytest
import torch

from hornbook.corpus.build import build
from hornbook.models.encoder_presets import BertSizes, bert
from hornbook.models.folder import load_config, load_model, save_model
from hornbook.models.presets import PRESETS
from hornbook.models.sizes import DecoderSizes
from hornbook.tokenize.tokenizer import Tokenizer
from hornbook.tokenize.train import train_tokenizer
from hornbook.workflows.projects import kinds
from tests.tiny import QUIET, decoder_sizes

WORDS = {"one": "eins", "two": "zwei", "three": "drei", "red": "rot", "house": "Haus"}


def to_tune(folder, rows):
    """A model, rows to tune it on and a general text, as `model`, `rows.json`, `general.txt`."""
    (folder / "rows.json").write_text(json.dumps(rows))
    (folder / "general.txt").write_text("The hornbook was a small tablet. " * 20)
    tokenizer = train_tokenizer([json.dumps(rows)] * 2, 400, folder / "tokenizer", QUIET)
    sizes = decoder_sizes(vocab=tokenizer.vocab_size, width=32, context=128, head=16, hidden=48)
    model = PRESETS["qwen3"](sizes).build()
    save_model(model, folder / "model", tokenizer_folder=folder / "tokenizer")
    return folder


def text(folder):
    (folder / "text").mkdir()
    for i in range(30):
        (folder / "text" / f"{i}.txt").write_text(f"{i}. The hornbook holds words.\n" * (3 + i % 5))
    corpus = build([folder / "text"], folder / "corpus", progress=QUIET)
    plan = {"vocab": 290, "depth": 1, "width": 32, "heads": 2, "context": 16, "rows": 4}
    values = {"tokens": 640, "plan": plan, "compiled": False, "dtype": "float32"}
    return {"corpus": corpus.folder}, values


def pairs(folder):
    rows = [
        f"{' '.join(words)}\t{' '.join(WORDS[word] for word in words)}\n"
        for words in itertools.permutations(WORDS, 3)
    ]
    parts = {"train": rows[::2], "validation": rows[1:30:2], "test": rows[31::2]}
    for name, part in parts.items():
        (folder / f"{name}.tsv").write_text("".join(part))
    plan = {"vocab": 280, "width": 32, "depth": 1, "heads": 2, "context": 40, "tokens": 100}
    files = {name: folder / f"{name}.tsv" for name in parts}
    return files, {"steps": 10, "plan": plan, "dtype": "float32"}


def images(folder):
    image, draw = pytest.importorskip("PIL.Image"), np.random.default_rng(0)
    for part, label, i in itertools.product(("train", "test"), ("above", "below"), range(8)):
        place = folder / "images" / part / label / f"{i}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        image.fromarray(draw.integers(0, 255, (8, 8), np.uint8)).save(place)
    plan = {"rows": 4, "width": 16, "depth": 1, "heads": 1, "patch": 4}
    values = {"steps": 10, "size": 8, "channels": 1, "plan": plan, "compiled": False}
    return {"folder": folder / "images"}, {**values, "dtype": "float32"}


def labels(folder):
    words = {"good": ("sun", "joy", "gift"), "bad": ("rain", "grief", "debt")}
    rows = [
        f"{label},{' '.join(some)} {i}\n"
        for i in range(8)
        for label, known in words.items()
        for some in itertools.permutations(known, 2)
    ]
    (folder / "rows.csv").write_text("label,text\n" + "".join(rows))
    plan = {"rows": 16, "width": 16, "depth": 1}
    values = {"epochs": 2, "plan": plan, "dtype": "float32"}
    return {"data": folder / "rows.csv", "model": "lstm"}, values


def answers(folder):
    asked = [
        {"instruction": f"Say {one} and {other}.", "output": f"{one} {other}"}
        for one, other in itertools.permutations(["red", "blue", "green", "seven", "nine"], 2)
    ]
    to_tune(folder, asked)
    data = {"model": folder / "model", "data": folder / "rows.json"}
    values = {"epochs": 12, "dtype": "float32", "rate": 0.003, "method": "lora:4"}
    return {**data, "general": folder / "general.txt"}, values


def distil(folder):
    data, _ = answers(folder)
    sizes = DecoderSizes(
        vocab=load_config(data["model"]).vocab, width=48, depth=2, context=128, heads=2, kv_heads=2,
        head=24, hidden=64, tied=False,
    )  # fmt: skip
    model = PRESETS["qwen3"](sizes).build(1)
    save_model(model, folder / "teacher", tokenizer_folder=folder / "tokenizer")
    values = {"epochs": 12, "dtype": "float32", "written": 6, "on_policy": 0.4}
    return {**data, "teacher": folder / "teacher"}, values


def questions(folder):
    words = ["red", "blue", "green", "seven", "nine", "house", "river"]
    rows = [
        {"question": f"Where are {one} and {other}?", "passage": f"Here: {one}, then {other}."}
        for one, other in itertools.permutations(words, 2)
    ]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    tokenizer = train_tokenizer([json.dumps(rows)] * 2, 400, folder / "tokenizer", QUIET)
    sizes = BertSizes(vocab=tokenizer.vocab_size, width=32, depth=1, context=48, heads=2, hidden=48)
    model = bert(sizes).build()
    save_model(model, folder / "model", tokenizer_folder=folder / "tokenizer")
    data = {"model": folder / "model", "data": [folder / "rows.jsonl"]}
    return data, {"epochs": 12, "dtype": "float32", "rate": 0.003}


def rewards(folder):
    """Of a model that writes a figure now and then, so that some answers are paid for."""
    data, values = answers(folder)
    model, tokenizer = load_model(data["model"]), Tokenizer.load(data["model"])
    with torch.no_grad():
        model.embedding.token.weight += 1
        for id in (tokenizer.eos_id, *tokenizer.encode("127a")):
            model.head.weight[id] += 6 / model.config.width
    save_model(model, data["model"], tokenizer_folder=folder / "tokenizer")
    plain = {name: values[name] for name in ("dtype", "method")} | {"rate": 0.02}
    sizes = {"max_tokens": 6, "group_size": 4, "rows": 4, "json_schema": '{"type": "integer"}'}
    return data, {**plain, **sizes, "reward": "json", "epochs": 3}


MAKERS = {name: maker for name, maker in globals().items() if name in kinds()}
"""The functions above that are named as a kind."""
