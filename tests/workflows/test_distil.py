"""A tuning with a teacher: who may be one, what it is asked, what is stored, what is gained."""

import json
import shutil

import numpy as np
import pytest
import torch

from hornbook.core.clock import NO_LIMIT
from hornbook.core.errors import HornbookError, UsageError
from hornbook.models.folder import load_config, load_model, save_model
from hornbook.models.presets import PRESETS
from hornbook.tokenize.train import train_tokenizer
from hornbook.training import loop
from hornbook.workflows.projects import resume
from hornbook.workflows.projects.distil import prepare as preparing
from hornbook.workflows.projects.distil import problem as distilling
from hornbook.workflows.projects.distil import teacher as asking
from hornbook.workflows.projects.distil.project import Distil
from hornbook.workflows.projects.distil.teacher import FOLDER, Teacher
from hornbook.workflows.runs.place import Place
from hornbook.workflows.runs.run import run as train
from tests.in_process import hornbook
from tests.tiny import QUIET, decoder_sizes
from tests.workflows import makers
from tests.workflows import test_life as life


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return makers.distil(tmp_path_factory.mktemp("distil"))


def tuned(data, folder, **other):
    given, values = data
    project = Distil(**given)
    values = {**values, "compare": False, "on_policy": 0.0, "epochs": 2, **other}
    return train(project, folder, project.request(values), progress=QUIET)


def decoder(place, tokenizer, vocab, **other):
    model = PRESETS["qwen3"](decoder_sizes(vocab=vocab, context=128, **other)).build(2)
    save_model(model, place, tokenizer_folder=tokenizer)
    return place


def refused(data, teacher, said, folder):
    project = Distil(**{**data[0], "teacher": teacher})
    with pytest.raises(UsageError, match=said):
        train(project, folder / "run", project.request(data[1]), progress=QUIET)
    assert not (folder / "run" / FOLDER).exists()


def test_a_teacher_of_another_tokenizer_is_refused_with_what_differs(data, tmp_path):
    own = data[0]["model"].parent / "tokenizer"
    other = train_tokenizer(
        ["quite another text, of other words " * 9] * 2, 300, tmp_path / "t", QUIET
    )
    teacher = decoder(tmp_path / "other", tmp_path / "t", other.vocab_size)
    refused(data, teacher, r"it has \d+ tokens, and here are \d+", tmp_path)
    values = json.loads((own / "tokenizer.json").read_text())
    vocab = values["model"]["vocab"]
    one, two = list(vocab)[-2:]
    for name, change, said in (
        ("ids", lambda: vocab.update({one: vocab[two], two: vocab[one]}), "is token .* there"),
        (
            "rules",
            lambda: values["model"]["merges"].reverse(),
            "rules for joining .* from rule 1 on",
        ),
    ):
        folder = tmp_path / name
        shutil.copytree(own, folder)
        change()
        (folder / "tokenizer.json").write_text(json.dumps(values))
        change()  # as it was
        size = load_config(data[0]["model"]).vocab
        refused(data, decoder(tmp_path / f"of-{name}", folder, size), said, tmp_path)


def test_who_is_no_teacher_is_told(data, tmp_path):
    refused(data, data[0]["model"], "is the model that is to learn", tmp_path)
    with pytest.raises(HornbookError, match="nowhere"):
        Distil(**{**data[0], "teacher": tmp_path / "nowhere"})


def test_a_head_with_more_rows_than_tokens_is_a_teacher(data, tmp_path):
    """What lies behind the tokens stands for none: it is never expected."""
    size, own = load_config(data[0]["model"]).vocab, data[0]["model"].parent / "tokenizer"
    teacher = decoder(tmp_path / "wide", own, size + 24)
    found = tuned(({**data[0], "teacher": teacher}, data[1]), tmp_path / "run")
    assert found["distil"]["teacher_parameters"] == sum(
        weight.numel() for weight in load_model(teacher).parameters()
    )


def opened(folder, progress=QUIET):
    """The problem of a run, as it is before its first step."""
    recipe = Distil.recipe.load(folder)
    place = Place(folder, progress, NO_LIMIT)
    return Distil.reopen(recipe).prepare(recipe.request, recipe.plan, recipe.machine, place)


def test_what_a_student_writes_is_of_the_tokenizer_and_has_room(data, tmp_path):
    """However many rows its head has; a row draws the same whoever stands beside it."""
    size, own = load_config(data[0]["model"]).vocab, data[0]["model"].parent / "tokenizer"
    student = decoder(tmp_path / "wide", own, size + 400)
    tuned(({**data[0], "model": student}, data[1]), tmp_path / "run", epochs=0.1)
    problem = opened(tmp_path / "run")
    context, longest = problem.plan.context, problem.request.written
    prompts = [[5] * (context - 2), [6, 7], [8, 9, 10]]
    batch = problem._written(problem.model, prompts, (1, 2))
    for row, (prompt, most) in enumerate(zip(prompts, (2, longest, longest), strict=True)):
        ids = batch.targets[row][batch.targets[row] >= 0].tolist()
        assert 1 <= len(ids) <= most and max(ids) < problem.tokenizer.vocab_size
        assert batch.tokens[row, : len(prompt)].tolist() == prompt
    again, other = (problem._written(problem.model, prompts[:2], (1, seed)) for seed in (2, 3))
    assert (again.targets == batch.targets[:2]).all() and (other.targets != again.targets).any()


def test_long_prompts_are_gone_on_with_as_far_as_there_is_room(data, tmp_path):
    rows = [{"prompt": f"Say {n} {'and so on ' * 6}", "completion": f"{n}"} for n in range(40)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    given = {**data[0], "data": tmp_path / "rows.jsonl"}
    found = tuned((given, data[1]), tmp_path / "run", on_policy=0.5, epochs=1, written=60)
    assert found["distil"]["own_text"]["items"] > 0


def test_a_step_in_which_the_student_writes_is_timed_with_all_its_parts(
    data, tmp_path, monkeypatch
):
    tuned(data, tmp_path / "run", epochs=0.1, on_policy=0.4)
    problem, timed = opened(tmp_path / "run"), []

    def seconds(problem, most_s):
        timed.append(problem.batches.batch(0))
        return 3.0

    monkeypatch.setattr(distilling, "gradient_seconds", seconds)
    given = problem.batches
    half = max(1, problem.plan.rows // 2) / problem.plan.rows
    assert problem.mean_step_s(1.0) == pytest.approx(0.6 + 0.4 * (3 + half))
    assert problem.batches is given
    assert len(timed) == 1 and timed[0].given is None, "those of the data are known"
    assert len(timed[0].written.tokens) == -(-problem.plan.rows // 2)


def test_a_teacher_that_is_not_asked_takes_no_samples_away(data, tmp_path, monkeypatch):
    """Where only its word on the student's own text counts, there is time for all rows."""
    monkeypatch.setattr(preparing, "in_time", lambda *_: 1)
    values = {"teacher_weight": 0.0, "on_policy": 0.5, "epochs": None, "minutes": 0.2}
    found = tuned(data, tmp_path / "run", **values)
    assert found["distil"]["samples"] > 1
    assert not (tmp_path / "run" / FOLDER).exists()


def test_the_teacher_is_asked_once_and_never_moves(data, tmp_path, monkeypatch):
    """In parts; one that is there is not asked for again, one that is damaged is."""
    monkeypatch.setattr(asking, "_PART", 30)
    asked, original = [], asking.expectations

    def counted(model, batch, *more):
        asked.append(len(batch.tokens))
        assert not model.training and not any(w.requires_grad for w in model.parameters())
        return original(model, batch, *more)

    def dies(*_):
        raise MemoryError("killed")

    monkeypatch.setattr(asking, "expectations", counted)
    folder = tmp_path / "run"
    with monkeypatch.context() as broken, pytest.raises(MemoryError):
        broken.setattr(loop, "gradient", dies)
        tuned(data, folder)
    parts = sorted((folder / FOLDER).iterdir())
    assert len(parts) > 1 and sum(asked) == 16
    damaged = parts[-1] / "expected.safetensors"
    damaged.write_bytes(damaged.read_bytes()[:-1])
    before = len(asked)
    result = resume(folder, QUIET)
    assert len(asked) == before + 1
    assert result["disk_bytes"] >= sum(
        p.stat().st_size for p in folder.rglob("expected.safetensors")
    )
    weights = life.weights(folder)
    clean = tmp_path / "undisturbed"
    tuned(data, clean)
    assert all((weights[name] == value).all() for name, value in life.weights(clean).items())


def test_what_is_stored_is_what_the_teacher_expects(data, tmp_path):
    tuned(data, tmp_path / "run", top_k=4)
    problem = opened(tmp_path / "run")
    teacher = Teacher(data[0]["teacher"]).open("cpu")
    for example in problem.taught.examples[:3]:
        ids, logs = problem.batches._lookup(example.number)
        with torch.no_grad():
            every = teacher(torch.from_numpy(example.ids)[None])[0].log_softmax(1).numpy()
        rows = every[np.flatnonzero(example.trained[1:])]
        assert ids.shape == (len(rows), 4) and logs.shape == (len(rows), 5)
        np.testing.assert_allclose(
            np.take_along_axis(rows, ids.astype(int), 1), logs[:, :4], atol=0.01
        )
        np.testing.assert_allclose(np.exp(logs.astype(float)).sum(1), 1, atol=5e-3)


def test_texts_are_told_from_conversations(data, tmp_path):
    (tmp_path / "texts.jsonl").write_text(
        "".join(json.dumps({"text": f"Say {n} and then say {n + 1}."}) + "\n" for n in range(30))
    )
    given = {**data[0], "data": tmp_path / "texts.jsonl"}
    found = tuned((given, data[1]), tmp_path / "run", on_policy=0.5)
    assert found["task"] == "continue" and found["examples"] == []


def test_a_student_comes_nearer_to_its_teacher(data, tmp_path):
    """On the data and on what it writes itself; and the gain over plain tuning has an interval."""
    found = tuned(
        data, tmp_path / "run", compare=True, on_policy=0.5, epochs=40, teacher_weight=1.0
    )
    own, gain = found["distil"]["own_text"], found["gain"]
    assert own["after"]["value"] < own["before"]["value"]
    assert gain["change"]["low"] <= gain["change"]["value"] <= gain["change"]["high"]
    seconds = gain["seconds"]
    assert seconds["plain"] < 2 * (seconds["teacher"] + seconds["distilled"]) + 1
    assert "Against plain tuning" in (tmp_path / "run" / "model" / "README.md").read_text()


def test_the_command_line_says_what_is_missing(data, tmp_path):
    rows = ["--data", data[0]["data"], "--out", tmp_path / "run"]
    taught = ["--task", "distil", "--teacher", data[0]["teacher"]]
    for more, said in (
        (["--task", "distil"], "needs the model to learn from: --teacher MODEL"),
        (["--teacher", data[0]["teacher"]], "--teacher goes with --task distil"),
        (["--on-policy", "0.3"], "--on-policy goes with --task distil"),
        ([*taught, "--beta", "1"], "--beta does not go"),
        (["--task", "distill"], "Did you mean 'distil'"),
    ):
        code, _, err = hornbook("finetune", data[0]["model"], *rows, *more)
        assert code == 2 and said in err, err
    assert not (tmp_path / "run").exists()
