"""Scores of the real SmolLM2-135M-Instruct are those that `transformers` gives on the same items.

There the prompts are written out by hand and every text is scored alone, without a cache.
"""

import gzip
import json
import math
import os
from pathlib import Path

import pytest
import torch
import transformers

from hornbook.core.home import pulled
from hornbook.core.progress import Progress
from hornbook.evaluate.evaluated_model import EvaluatedModel
from hornbook.evaluate.items import read_items
from hornbook.evaluate.load import DATA, find_data, load_task
from hornbook.models.place import resolve
from hornbook.workflows.measure.evaluate import EvaluateConfig, evaluate
from hornbook.workflows.open.model import open_model

NAME = "smollm2-135m-instruct"
CLOSE = 2e-3
"""Nats of a whole text: kernels differ in rounding, 1e-4 as a rule; a wrong token costs nats."""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.data,
    pytest.mark.skipif(not pulled(NAME).is_dir(), reason=f"not pulled here: hornbook pull {NAME}"),
]


@pytest.fixture(scope="module")
def both():
    path = resolve(pulled(NAME))
    place = {"pretrained_model_name_or_path": path.parent, "gguf_file": path.name}
    theirs = transformers.AutoModelForCausalLM.from_pretrained(**place, dtype=torch.float32)
    return EvaluatedModel(*open_model(path, "cpu")), theirs.eval()


@torch.no_grad()
def there(model, context, target):
    """Nats and greediness of ids by `transformers`, as its own loss has them."""
    ids = torch.tensor([[*context, *target]])
    labels = ids.clone()
    labels[:, : len(context)] = -100
    out = model(ids, labels=labels)
    greedy = out.logits[0, len(context) - 1 : -1].argmax(-1).tolist() == list(target)
    return -float(out.loss) * len(target), greedy


def measured(subject, name, shots, limit):
    loaded = load_task(name)
    items = read_items(loaded.task, find_data(loaded, loaded.task.data), None, shots, limit, 0)
    rows = [item.row for item in items.shots]
    samples = loaded.task.measure(subject, items.test, rows)
    assert len(samples) == limit and len(rows) == shots
    return loaded.task, samples, rows


@pytest.mark.parametrize(("shots", "limit"), [(0, 100), (3, 40)])
def test_lambada(both, shots, limit):
    subject, theirs = both
    task, samples, shown = measured(subject, "lambada", shots, limit)
    right, nats, before = 0, 0.0, "".join(f"{row['text']}\n\n" for row in shown)
    for sample in samples:
        text, _, word = (before + sample.item.row["text"]).rpartition(" ")
        context, target = subject.tokenizer.encode(text), subject.tokenizer.encode(f" {word}")
        logprob, greedy = there(theirs, context, target)
        assert sample.prompt.ids == context and sample.prompt.text == text
        assert sample.found["logprob"] == pytest.approx(logprob, abs=CLOSE)
        assert sample.found["greedy"] == greedy
        right, nats = right + greedy, nats + logprob
    scores = task.scores(samples, seed=0)
    assert scores["accuracy"].value == right / limit
    assert scores["perplexity"].value == pytest.approx(math.exp(-nats / limit), rel=CLOSE)


@pytest.mark.parametrize(("shots", "limit"), [(0, 134), (3, 67)])
def test_blimp(both, shots, limit):
    subject, theirs = both
    task, samples, shown = measured(subject, "blimp", shots, limit)
    assert len({sample.item.row["paradigm"] for sample in samples}) == 67
    begin, before = [subject.tokenizer.eos_id], "\n\n".join(row["good"] for row in shown)
    context = subject.tokenizer.encode(before) if shown else begin
    right = 0
    for sample in samples:
        nats = []
        for side in ("good", "bad"):
            text = ("\n\n" if shown else "") + sample.item.row[side]
            target = subject.tokenizer.encode(before + text)[len(context) if shown else 0 :]
            nats.append(there(theirs, context, target)[0])
        assert sample.found["logprobs"] == pytest.approx(nats, abs=CLOSE)
        assert sample.found["right"] == (nats[0] > nats[1])
        right += nats[0] > nats[1]
    assert task.scores(samples, seed=0)["accuracy"].value == right / limit


def test_bits_per_byte(both, tmp_path):
    _, theirs = both
    path = Path(os.environ[DATA]) / "text_tinystories" / "tinystories_sample.txt.gz"
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        stories = lines.read(20_000).split("<|endoftext|>")[:8]
    data = tmp_path / "stories.jsonl"
    data.write_text("\n".join(json.dumps({"text": story}) for story in stories))
    config = EvaluateConfig(tasks=("perplexity",), data=data, device="cpu", held_out=False)
    (found,) = evaluate(Path(NAME), config, Progress(True))
    tokenizer = both[0].tokenizer
    nats = [there(theirs, [tokenizer.eos_id], tokenizer.encode(story))[0] for story in stories]
    size = sum(len(story.encode()) for story in stories)
    bits = found["metrics"]["bits_per_byte"]["value"]
    assert bits == pytest.approx(-sum(nats) / math.log(2) / size, rel=1e-4)
    assert bits < found["floors"]["xz"]["bits_per_byte"]["value"] / 2


def test_answers_are_those_of_transformers(both):
    """Several together, greedily, through the chat template."""
    subject, theirs = both
    loaded = load_task("xquad", ["max_tokens=12"])
    items = read_items(loaded.task, find_data(loaded, loaded.task.data), None, 0, 6, 0)
    samples = loaded.task.measure(subject, items.test, [])
    stop = sorted(subject.tokenizer.stop_ids)
    for sample in samples:
        ids = sample.prompt.ids
        out = theirs.generate(
            torch.tensor([ids]),
            max_new_tokens=12,
            do_sample=False,
            pad_token_id=0,
            eos_token_id=stop,
        )[0, len(ids) :].tolist()
        text = subject.tokenizer.decode([i for i in out if i not in stop])
        assert sample.found["answer"] == text.partition("\n")[0].strip()
