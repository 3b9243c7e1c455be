"""A sentence's life is that of the run: its steps, its losses, and what becomes of it without."""

import json

import numpy as np
import pytest
import torch

from hornbook.batches.batch import IGNORE
from hornbook.models.folder import load_model
from hornbook.training.checkpoint import kept_steps
from hornbook.workflows.runs import folder as layout
from hornbook.workflows.understand import counterfactual
from hornbook.workflows.understand.opened_run import opened, states
from tests.in_process import hornbook
from tests.lived import SENTENCE, lived_run
from tests.tiny import QUIET


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return lived_run(tmp_path_factory.mktemp("biography"))


def told(place, text, *options):
    code, out, err = hornbook("biography", place / "run", text, "--json", *options)
    assert code == 0, err
    return json.loads(out)


@pytest.fixture(scope="module")
def found(place):
    return told(place, SENTENCE, "--retrain", "--others", "4", "--html", place / "page.html")


def test_checkpoints_are_kept_at_equal_ratios(place):
    steps = layout.result(place / "run")["steps"]
    with opened(place / "run", QUIET) as run:
        kept = [state.step for state in states(run)]
    assert kept == [0, *sorted(kept_steps(steps, 3))]
    assert kept_steps(1000, 3) == {1, 10, 100}
    assert kept_steps(1, 4) == set()


def test_the_steps_are_those_whose_batches_have_its_tokens_for_targets(place, found):
    with opened(place / "run", QUIET) as run:
        shards, windows = run.problem.train, run.windows
        ids = run.problem.tokenizer.encode(f" {SENTENCE}")[-len(found["tokens"]) :]
        stream = shards.read(0, shards.tokens)
        start = next(i for i in range(len(stream)) if stream[i : i + len(ids)].tolist() == ids)
        wanted = {}
        for step in range(run.steps):
            places, targets = windows.places(step), windows.batch(step).targets.numpy()
            real = places >= 0
            assert (targets[real] == stream[places[real]]).all()
            assert (targets[~real] == IGNORE).all()
            inside = int(((places >= start) & (places < start + len(ids))).sum())
            wanted |= {step: inside} if inside else {}
    assert {row["step"]: row["tokens"] for row in found["trained_in"]} == wanted
    assert len(wanted) >= 2, "the run must have read it more than once for this test to say much"


def test_its_loss_is_that_of_the_model_on_its_tokens(place, found):
    with opened(place / "run", QUIET) as run:
        problem = run.problem
        stream = problem.train.read(0, problem.train.tokens).astype(np.int64)
        ids = problem.tokenizer.encode(f" {SENTENCE}")[-len(found["tokens"]) :]
        start = next(i for i in range(len(stream)) if stream[i : i + len(ids)].tolist() == ids)
    before = stream[start - 49 : start + len(ids)]  # half of what the model sees, and one
    model = load_model(place / "run" / "model", "cpu").eval()
    with torch.no_grad():
        logits = model(torch.from_numpy(before[None, :-1]))[0].log_softmax(1)
    wanted = -logits[range(48, 48 + len(ids)), ids].mean()
    assert found["life"][-1]["nats"] == pytest.approx(float(wanted), rel=1e-4)
    assert [row["step"] for row in found["life"]][-1] == found["steps"]
    assert found["life"][-1]["nats"] < found["life"][0]["nats"]
    assert "".join(found["tokens"]).strip() == SENTENCE


def test_without_it_the_model_knows_it_less_and_chance_does_little(found):
    again = found["retrained"]
    assert again["change"]["low"] > 0
    assert abs(again["chance"]) < again["change"]["value"]
    assert len(again["others"]["left_out"]) == len(again["others"]["kept"]) == 4
    assert len(again["foretold"]) == 5


def test_a_training_without_nothing_is_the_training(place):
    """So what differs comes from what was left out, and from nothing else."""
    with opened(place / "run", QUIET) as run:
        for begin in [state.step for state in states(run)][:2]:
            again = counterfactual.train_again(run, begin, [], QUIET).model
            model = load_model(place / "run" / "model", "cpu")
            for name, weight in model.named_parameters():
                assert (weight == again.get_parameter(name)).all(), name


def test_the_page_shows_what_was_found_and_asks_nobody(place, found):
    page = (place / "page.html").read_text(encoding="utf-8")
    assert SENTENCE in page
    assert f"{found['retrained']['change']['value']:+.4f}" in page
    assert "http" not in page.replace("http://www.w3.org", "")
    assert found["page"] == str(place / "page.html")


def test_what_has_no_biography_is_said(place, tmp_path):
    code, _, err = hornbook("biography", place / "run", "Somebody saw a purple hornbook.")
    assert (code, " saw a purple hornbook" in err) == (2, True)
    code, _, err = hornbook("biography", tmp_path, SENTENCE)
    assert code == 2
    whole = next(text for text in (place / "text").glob("1.txt")).read_text()
    code, _, err = hornbook("biography", place / "run", whole)
    assert code == 1
    assert "give a sentence" in err or "held-out" in err
    code, _, err = hornbook("biography", place / "run", SENTENCE, "--retrain", "--minutes", "0")
    assert code == 2
