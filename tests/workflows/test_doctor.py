"""The doctor finds each fault that is planted, and passes on every kind of run as it is made."""

import json
import shutil
import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch

from hornbook.batches.batch import IGNORE
from hornbook.batches.rollouts import RolloutBatch
from hornbook.batches.taught import TaughtBatch
from hornbook.core import machine
from hornbook.core.clock import Clock
from hornbook.core.files import write_json
from hornbook.nn.contract import Mask
from hornbook.training import objective
from hornbook.training.checkpoint import save_checkpoint
from hornbook.training.layers import layers_of
from hornbook.training.loop import train as train_steps
from hornbook.training.optimiser import Optimiser
from hornbook.workflows.doctor import checks, drills
from hornbook.workflows.doctor.checks import room
from hornbook.workflows.doctor.child import SAVED_AT, STEPS
from hornbook.workflows.doctor.diagnosis import CHECKS, load_all
from hornbook.workflows.doctor.drills import DRILLS
from hornbook.workflows.doctor.examine import examine
from hornbook.workflows.doctor.killing import Killed
from hornbook.workflows.doctor.subject import Subject, open_subject, weights_kept
from hornbook.workflows.projects import project_class
from hornbook.workflows.runs.run import run as train
from tests.in_process import hornbook
from tests.schemas import check as check_schema
from tests.tiny import QUIET
from tests.workflows.makers import MAKERS

load_all(checks)
load_all(drills)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Rows to tune on, and a model: (data of the project, values)."""
    return MAKERS["answers"](tmp_path_factory.mktemp("answers"))


@pytest.fixture(scope="module")
def opened(data, tmp_path_factory):
    project = project_class("answers")(**data[0])
    work, clock = tmp_path_factory.mktemp("work"), Clock.start(None)
    found = open_subject(None, project, {**data[1], "recompute": True}, work, clock, QUIET)
    assert not found.refused
    return found


@pytest.fixture
def subject(opened):
    """The subject of all tests here, in which a test may plant what it likes."""
    facts, problem = {}, opened.problem
    planted = Subject(**{**vars(opened), "facts": facts})
    kept = dict(vars(problem))
    with weights_kept(problem):
        yield planted
    vars(problem).clear()
    vars(problem).update(kept)


def found(name, subject):
    return CHECKS[name].look(subject)


def changed(batches, change):
    """Batches, each of them changed."""
    return SimpleNamespace(batch=lambda step: change(batches.batch(step)))


@pytest.mark.parametrize("name", sorted(CHECKS.keys() - {"resume", "offline", "busy"}))
def test_nothing_is_wrong_where_nothing_was_planted(subject, name):
    if all(getattr(subject, need) is not None for need in CHECKS[name].needs):
        assert found(name, subject).status != "fault", found(name, subject)


def test_layers_are_computed_again_where_the_run_would_do_so(subject):
    layers = list(layers_of(subject.problem.model))
    assert layers
    assert all("forward" in vars(layer) for layer in layers)


def test_a_sample_of_which_nothing_is_learned(subject):
    def forget(batch):
        targets = batch.targets.clone()
        targets[0][batch.segments[0] == 1] = IGNORE
        return batch._replace(targets=targets)

    subject.problem.batches = changed(subject.problem.batches, forget)
    assert found("targets", subject).status == "fault"


def test_samples_that_see_their_neighbours(subject):
    whole = subject.problem.batches
    subject.problem.batches = changed(whole, lambda batch: batch._replace(segments=None))
    assert found("packing", subject).status == "fault"


def test_a_model_that_looks_ahead(subject, monkeypatch):
    def both_ways(causal, segments=None):
        return Mask(causal=False, segments=segments)

    monkeypatch.setattr(objective, "Mask", both_ways)
    assert found("answers_hidden", subject).status == "fault"


def test_a_loss_that_is_divided_in_each_part(subject):
    whole = subject.problem.objective

    def mean(model, batch):
        loss, count = whole(model, batch)
        return loss / max(1, count), count

    subject.problem.objective = mean
    assert found("accumulation", subject).status == "fault"


def test_nothing_that_moves(subject):
    whole = subject.problem.objective
    subject.problem.objective = lambda model, batch: (0 * whole(model, batch)[0], 1)
    assert found("gradients", subject).status == "fault"


def test_an_end_of_text_that_is_ignored_like_padding(subject):
    ends = torch.tensor(sorted(subject.tokenizer.stop_ids))

    def padded(batch):
        return batch._replace(
            targets=batch.targets.masked_fill(torch.isin(batch.targets, ends), IGNORE)
        )

    given = subject.problem.batches
    subject.problem.batches = changed(given, padded)
    assert found("end_of_text", subject).status == "fault"

    def drawn(batch):
        rows = padded(batch)
        return RolloutBatch(rows, torch.zeros(len(rows.targets)), None, 1.0)

    subject.problem.batches = changed(given, drawn)
    assert found("end_of_text", subject).status == "warning", "they were cut, and nothing is wrong"


def test_what_batches_hold_in_others_counts(subject):
    batch = subject.problem.batches.batch(0)
    whole = room.values_of(batch)
    assert whole >= 2 * batch.tokens.numel()
    assert room.values_of(TaughtBatch(batch, None, batch)) == 2 * whole
    assert room.values_of(RolloutBatch(batch, torch.zeros(3), None, 1.0)) == whole + 3


def test_another_template_in_serving(subject, data, tmp_path):
    model = tmp_path / "served"
    shutil.copytree(data[0]["model"], model)
    (model / "chat_template.jinja").write_text(
        "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}"
        "{% if add_generation_prompt %}assistant:{% endif %}"
    )
    subject.model = model
    assert found("template", subject).status == "fault"


def test_a_tokenizer_with_more_tokens_than_the_model(data, tmp_path):
    model = tmp_path / "model"
    shutil.copytree(data[0]["model"], model)
    config = json.loads((model / "config.json").read_text())
    (model / "config.json").write_text(json.dumps({**config, "vocab_size": 100}))
    subject = Subject("model", model, tmp_path, Clock.start(None), model=model)
    assert found("sizes", subject).status == "fault"


def test_a_weight_that_is_no_number(subject):
    with torch.no_grad():
        next(subject.problem.model.parameters())[0] = float("nan")
    assert found("weights", subject).status == "fault"


def test_too_little_memory(subject, monkeypatch):
    monkeypatch.setattr(room, "memory_bytes", lambda: 2**20)
    assert found("memory", subject).status == "fault"


def test_a_disk_that_is_nearly_full(subject, monkeypatch):
    monkeypatch.setattr(room.shutil, "disk_usage", lambda place: SimpleNamespace(free=1000))
    assert found("disk", subject).status == "fault"


def test_numbers_that_the_device_gets_wrong(subject):
    whole = subject.problem.objective

    def wrong(model, batch):
        loss, count = whole(model, batch)
        return (loss if loss.dtype == torch.float64 else 2 * loss), count

    subject.problem.objective = wrong
    assert found("numerics", subject).status == "fault"


def test_rows_that_are_learned_and_measured(subject):
    source = subject.problem.source
    split = source.data.split
    copied = split._replace(train=[*split.train, *split.test])
    subject.problem.source = source._replace(data=source.data._replace(split=copied))
    assert found("splits", subject).status == "fault"


def test_a_checkpoint_that_forgets_its_moments(subject, monkeypatch):
    problem = subject.problem
    loop = problem.loop.model_copy(update={"steps": STEPS})

    def save(state):
        if state.step == SAVED_AT:
            save_checkpoint(subject.work / "checkpoints", state)

    with weights_kept(problem):
        state = problem.begin()
        train_steps(state, problem.objective, problem.batches, loop, [save])
    subject.facts["killed"] = Killed(True, "", [])
    assert found("resume", subject).status == "ok"
    monkeypatch.setattr(Optimiser, "load_state", lambda self, state: None)
    assert found("resume", subject).status == "fault"


def test_a_socket_is_noticed(tmp_path):
    code = (
        "import pathlib, sys\n"
        "from hornbook.workflows.doctor import child\n"
        "child._write_down_sockets(pathlib.Path(sys.argv[1]))\n"
        "import contextlib, socket\n"
        "with contextlib.suppress(OSError): socket.create_connection(('127.0.0.1', 9), 0.1)"
    )
    subprocess.run([sys.executable, "-c", code, tmp_path / "log"], check=True)
    assert "127.0.0.1" in (tmp_path / "log").read_text()


def test_sockets_are_a_fault(subject):
    subject.facts["killed"] = Killed(True, "", ["socket.connect ('192.0.2.1', 443)"])
    assert found("offline", subject).status == "fault"


@pytest.mark.slow
def test_a_flipped_byte_and_changed_rows(data, tmp_path):
    """In files of a run and of its data, as a bad disk and a busy colleague leave them."""
    rows = tmp_path / "rows.json"
    shutil.copyfile(data[0]["data"], rows)
    project = project_class("answers")(**{**data[0], "data": rows})
    run = tmp_path / "run"
    request = project.request({**data[1], "epochs": 0.1})
    train(project, run, request, progress=QUIET)
    weights = run / "adapter" / "adapter_model.safetensors"
    flipped = bytearray(weights.read_bytes())
    flipped[-1] ^= 1
    weights.write_bytes(flipped)
    rows.write_text(rows.read_text().replace("red", "rot"))
    subject = Subject("run", run, tmp_path, Clock.start(None), run=run, project=project)
    subject.recipe = project.recipe.load(run)
    assert found("files", subject).status == "fault"
    assert found("data", subject).status == "fault"


def test_data_that_are_gone(tmp_path, data):
    recipe = {"kind": "answers", "places": {"model": "nowhere", "data": ["none.json"]}}
    write_json(tmp_path / "recipe.yaml", {**recipe, "request": {}})
    result = examine(tmp_path / "recipe.yaml")
    assert result.count("fault") >= 1
    assert result.checks[0][1].status != "ok"


def test_this_machine_is_looked_at():
    code, out, _ = hornbook("doctor", "--json")
    assert json.loads(out)["what"] == "machine"
    assert code == 0


def test_no_such_place_is_wrong_usage():
    code, _, err = hornbook("doctor", "nowhere-at-all")
    assert (code, "does not exist" in err) == (2, True)


@pytest.mark.slow
@pytest.mark.parametrize("kind", sorted(MAKERS))
def test_every_kind_of_run_is_sound(kind, tmp_path):
    """Asked for, and begun: the recipe that it makes. A real process is killed in each."""
    data, values = MAKERS[kind](tmp_path)
    project = project_class(kind)(**data)
    result = examine(None, project, values)
    assert not faults(result)
    run = tmp_path / "run"
    train(project, run, project.request(values), progress=QUIET)
    result = examine(run)
    assert not faults(result)
    check_schema("doctor", result.plain(run))
    assert {c.name for c, one, _ in result.checks if one.status == "ok"} >= {"resume", "offline"}
    assert result.seconds < 60
    assert machine.memory_bytes() > 0


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(DRILLS))
def test_a_drill_loses_nothing_that_was_said_to_be_saved(name, tmp_path):
    found = DRILLS[name].look(Subject("drill", None, tmp_path, Clock.start(None)))
    assert found.status in ("ok", "not applicable"), found


def test_drills_take_no_target():
    code, _, err = hornbook("doctor", "--drill", "somewhere")
    assert (code, "made-up material" in err) == (2, True)


def faults(result):
    return [(c.name, one.found) for c, one, _ in result.checks if one.status == "fault"]
