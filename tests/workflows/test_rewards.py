"""Tuning on rewards as a user means it: rows of any form, mistakes in a line, a verdict."""

import json

import pytest
import torch

from hornbook.core.errors import HornbookError, UsageError
from hornbook.evaluate.rewards import REWARDS
from hornbook.models.folder import load_model, save_model
from hornbook.tokenize.tokenizer import Tokenizer
from hornbook.workflows.projects.rewards.project import Rewards
from hornbook.workflows.projects.rewards.result import SIGNS, verdict_line
from hornbook.workflows.projects.rewards.rows import read_samples
from hornbook.workflows.runs.run import run
from tests.tiny import QUIET, Heard
from tests.workflows.makers import to_tune

WORDS = ["red", "blue", "green", "seven", "nine"]
ROWS = [{"question": f"Say {one} or {other}.", "answer": one} for one in WORDS for other in WORDS]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return to_tune(tmp_path_factory.mktemp("rewards"), ROWS)


def project(folder, data=None):
    return Rewards(folder / "model", data or folder / "rows.json", folder / "general.txt")


def asked(folder, **values):
    return project(folder).request({"reward": "exact", **values})


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"reward": None}, "quote, json, exact"),
        ({"reward": "exakt"}, "Did you mean 'exact'"),
        ({"json_schema": "{}"}, "goes with --reward json"),
        (
            {"reward": "json", "json_schema": '{"type": "x"}'},
            "--json-schema cannot be used: at $.type",
        ),
        ({"reward": "json", "json_schema": "nowhere.json"}, "does not exist"),
        ({"prompt": "Say it."}, "{text}"),
        ({"beta": -1}, "beta"),
        ({"group_size": 1}, "group_size"),
    ],
)
def test_mistakes_are_told_before_work(folder, values, said):
    with pytest.raises(UsageError) as error:
        asked(folder, **values)
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("reward", "row", "prompt", "goal"),
    [
        ("exact", {"prompt": "2 + 2?", "answer": 4}, "2 + 2?", ["4"]),
        ("exact", {"prompt": "2 + 2?", "completion": "4"}, "2 + 2?", ["4"]),
        ("exact", {"instruction": "Add.", "input": "2, 2", "output": "4"}, "Add.\n\n2, 2", ["4"]),
        ("exact", {"question": "2 + 2?", "answer": "2 + 2 = 4 #### 4"}, "2 + 2?", ["4"]),
        (
            "exact",
            {
                "messages": [
                    {"role": "user", "content": "Hi"},
                    {"role": "assistant", "content": "Ho"},
                ]
            },
            "Hi",
            ["ho"],
        ),
        (
            "quote",
            {"prompt": "Quote!", "context": "A tablet of wood."},
            "A tablet of wood.\n\nQuote!",
            "A tablet of wood.",
        ),
        (
            "quote",
            {"prompt": "A tablet of wood. Quote!", "context": "A tablet of wood."},
            "A tablet of wood. Quote!",
            "A tablet of wood.",
        ),
        (
            "quote",  # the task's own words are no text to be quoted
            {"text": "A tablet of wood."},
            "A tablet of wood.\n\nAnswer with a sentence of the text, copied word for word, in "
            "quotation marks.",
            "A tablet of wood.",
        ),
        ("json", {"prompt": "JSON!", "schema": {"type": "object"}}, "JSON!", '{"type": "object"}'),
    ],
)
def test_rows_of_every_form_say_what_is_asked_and_checked(
    folder, tmp_path, reward, row, prompt, goal
):
    file = tmp_path / "rows.jsonl"
    file.write_text(json.dumps(row) + "\n")
    found = read_samples(asked(folder, reward=reward), [file])
    assert [sample.goal for sample in found.samples] == [goal], found.rejected
    assert found.samples[0].messages[-1]["content"] == prompt
    assert all(message["role"] != "assistant" for message in found.samples[0].messages)


def test_rows_of_which_nothing_can_be_checked_are_named(folder, tmp_path):
    file = tmp_path / "rows.jsonl"
    file.write_text('{"prompt": "2 + 2?"}\n{"answer": "4"}\n')
    found = read_samples(asked(folder), [file])
    assert [(one.line, one.reason) for one in found.rejected] == [
        (1, "no answer"), (2, "no conversation"),
    ]  # fmt: skip
    with pytest.raises(HornbookError, match="can be rewarded by exact"):
        run(project(folder, file), tmp_path / "run", asked(folder), progress=QUIET)


def test_a_finished_run_says_what_it_found(folder, tmp_path):
    heard, values = Heard(), {"epochs": 0.5, "max_tokens": 4, "group_size": 2, "dtype": "float32"}
    own = project(folder)
    found = run(own, tmp_path / "run", own.request({"reward": "exact", **values}), progress=heard)
    assert found["verdict"] in ("better", "suspicious", "unsure", "worse")
    assert verdict_line(found) in heard.lines
    card = (tmp_path / "run" / "model" / "README.md").read_text()
    assert verdict_line(found) in card
    assert set(found["hacking"]["signs"]) <= SIGNS.keys()
    assert found["held_out"]["items"] == found["data"]["test"]
    log = [
        json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    ]
    drawn = [row for row in log if row["kind"] == "answers"]
    assert len(drawn) == found["steps"] and all(0 <= row["flat"] <= 1 for row in drawn)


def longer(text, goal):
    return min(1.0, len(text) / 30)


@pytest.mark.slow
def test_a_reward_that_can_be_hacked_is_hacked_and_said_so(folder, tmp_path, monkeypatch):
    """A program that pays for length is pleased by length: the reward rises, and the sign stands
    in the result, the card and what is said."""
    planted = REWARDS["exact"]._replace(score=longer)
    monkeypatch.setitem(REWARDS, "exact", planted)
    model, tokenizer = load_model(folder / "model"), Tokenizer.load(folder / "model")
    with torch.no_grad():  # writes some letters, and ends soon
        model.embedding.token.weight += 1
        for id in (tokenizer.eos_id, *tokenizer.encode("12a")):
            model.head.weight[id] += 6 / model.config.width
    save_model(model, tmp_path / "model", tokenizer_folder=folder / "tokenizer")
    own = Rewards(tmp_path / "model", folder / "rows.json", folder / "general.txt")
    values = {"max_tokens": 32, "beta": 0, "method": "full", "rate": 0.003, "dtype": "float32"}
    found = run(
        own, tmp_path / "run", own.request({"reward": "exact", "epochs": 20, **values}),
        progress=QUIET,
    )  # fmt: skip
    assert found["verdict"] == "suspicious" and "longer" in found["hacking"]["signs"]
    assert SIGNS["longer"] in (tmp_path / "run" / "model" / "README.md").read_text()
