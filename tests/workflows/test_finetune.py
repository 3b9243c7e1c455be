"""Tuning as a user means it: measured before and after, written whole, resumed to the same bits."""

import html
import json
import random
import re
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file

from hornbook.adapt import lora
from hornbook.adapt.peft import load_adapter
from hornbook.core.errors import HornbookError, UsageError
from hornbook.models.folder import load_model, save_model
from hornbook.models.translators import TRANSLATORS, PairSizes, SideSizes
from hornbook.tokenize.tokenizer import Tokenizer
from hornbook.training.keep_best import KeepBest
from hornbook.workflows.exchange.export import export
from hornbook.workflows.open.model import open_model
from hornbook.workflows.projects import resume
from hornbook.workflows.projects.answers.data import encode_conversation
from hornbook.workflows.projects.answers.project import Answers
from hornbook.workflows.runs import folder as layout
from hornbook.workflows.runs.run import run
from tests.tiny import QUIET, Heard, slow
from tests.workflows.makers import to_tune

WORDS = ["red", "blue", "green", "seven", "nine", "river", "stone", "apple", "tree", "cloud"]
ROWS = [
    {"instruction": f"Say {one} and {other}.", "input": "", "output": f"{one} {other}"}
    for one in WORDS
    for other in WORDS
]
FAST = {"dtype": "float32", "device": "cpu", "rate": 0.003}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return to_tune(tmp_path_factory.mktemp("tuning"), ROWS)


def tune(folder, out, progress=QUIET, **wishes):
    given = {"epochs": 4, "general": folder / "general.txt", **FAST, **wishes}
    data = given.pop("data", [folder / "rows.json"])
    project = Answers(given.pop("model", folder / "model"), data, given.pop("general"))
    return run(project, out, project.request(given), progress=progress)


def crash_at(monkeypatch, step):
    """As a power cut does: right after a step, before anything is done about it."""
    check = KeepBest.check

    def cut(self, state):
        check(self, state)
        if state.step == step:
            raise RuntimeError("cut")

    monkeypatch.setattr(KeepBest, "check", cut)


def test_best_weights_of_no_numbers_are_named(tmp_path):
    state = SimpleNamespace(model=torch.nn.Linear(2, 2), step=1)
    with torch.no_grad():
        state.model.bias[1] = torch.nan
    best = KeepBest(tmp_path / "best", layout.SAVED, 1)
    best.offer(state, 0.5)
    with pytest.raises(HornbookError, match=r"model\.safetensors: bias holds NaN or infinite"):
        best.restore(state)


@pytest.mark.parametrize("method", ["full", "lora:4", *slow("last:1", "head")])
def test_a_tuned_model_is_measured_and_opens(folder, tmp_path, method):
    facts = tune(folder, tmp_path / "run", method=method)
    held, general = facts["held_out"], facts["general"]
    assert held["after"]["value"] < held["before"]["value"]
    change = held["change"]
    assert change["low"] <= change["value"] <= change["high"] < 0
    assert general["change"]["value"] == pytest.approx(
        general["after"]["value"] - general["before"]["value"]
    )
    assert facts["data"]["forms"] == {"alpaca": 100}
    assert len(facts["examples"]) == 5
    page = (tmp_path / "run/report.html").read_text()
    assert f"{change['value']:+.3f} ({change['low']:+.3f}, {change['high']:+.3f})" in page
    assert all(html.escape(e["question"]) in page for e in facts["examples"])
    model, tokenizer = open_model(tmp_path / "run", "cpu")
    assert tokenizer.chat_template
    assert "general text" in (tmp_path / "run/model/README.md").read_text()
    if method == "lora:4":
        again = load_model(folder / "model")
        load_adapter(again, tmp_path / "run" / layout.ADAPTER)
        lora.merge(again)
        ids = torch.tensor([tokenizer.encode("Say red and blue.")])
        assert torch.allclose(again(ids), model(ids), atol=1e-5)
        found = export(tmp_path / "run", "peft", None, tmp_path / "out", None, Heard())
        assert found["parity"]["max_logit_difference"] < 1e-5 and found["parity"]["same_greedy"]
        assert 0 < found["bytes"]["after"] < found["bytes"]["before"]
        load_adapter(load_model(folder / "model"), tmp_path / "out")
        with pytest.raises(UsageError, match="which would be lost"):
            export(tmp_path / "run", "peft", None, folder, None, Heard())
    else:
        with pytest.raises(UsageError, match="it has no adapter"):
            export(tmp_path / "run", "peft", None, tmp_path / "out", None, Heard())
    heard = Heard()
    assert tune(folder, tmp_path / "run", method=method, progress=heard) == facts
    assert "Reused" in heard.lines[-1]


def test_a_gguf_file_is_tuned_and_its_tokenizer_goes_with_it(folder, tmp_path):
    export(folder / "model", "gguf", "f32", tmp_path / "m.gguf", None, Heard())
    facts = tune(folder, tmp_path / "run", model=tmp_path / "m.gguf", epochs=2)
    assert facts["held_out"]["change"]["high"] < 0
    tokenizers = open_model(tmp_path / "run", "cpu")[1], Tokenizer.load(folder / "model")
    one, other = (tokenizer.encode("Say red and blue.") for tokenizer in tokenizers)
    assert list(one) == list(other)


@pytest.mark.slow  # of a run with an adapter test_life.py says it
def test_a_resumed_run_ends_with_the_bits_of_an_undisturbed_one(folder, tmp_path, monkeypatch):
    facts = tune(folder, tmp_path / "straight", method="full")
    with monkeypatch.context() as patch:
        crash_at(patch, 7)
        with pytest.raises(RuntimeError):
            tune(folder, tmp_path / "cut", method="full")
    with pytest.raises(UsageError, match="unfinished run"):
        tune(folder, tmp_path / "cut", method="full")
    resumed = resume(tmp_path / "cut", QUIET)
    times = ("run", "report", "seconds", "peak_bytes")
    assert [{k: v for k, v in f.items() if k not in times} for f in (facts, resumed)] == [
        {k: v for k, v in facts.items() if k not in times}
    ] * 2
    one, other = (
        load_file(tmp_path / name / "model/model.safetensors") for name in ("straight", "cut")
    )
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_tuning_stops_when_nothing_gets_better(folder, tmp_path):
    heard = Heard()
    facts = tune(folder, tmp_path / "run", method="full", rate=0.9, epochs=30, progress=heard)
    assert facts["stopped_early"]
    assert facts["best_step"] < facts["steps"]
    assert any("nothing better since" in line for line in heard.lines)
    assert any(line.startswith("Forgetting: ") for line in heard.lines)


def test_a_rate_that_only_harms_leaves_the_base_as_it_was(folder, tmp_path):
    facts = tune(folder, tmp_path / "run", method="full", rate=0.9, epochs=1)
    assert facts["best_step"] == 0
    assert facts["held_out"]["change"]["value"] == pytest.approx(0, abs=1e-6)
    base, kept = load_model(folder / "model"), load_model(tmp_path / "run")
    for one, other in zip(base.parameters(), kept.parameters(), strict=True):
        assert torch.equal(one, other)


def test_mixed_forms_are_said_and_bad_rows_named(folder, tmp_path):
    rows = [*ROWS[:30], *({"prompt": r["instruction"], "completion": "yes"} for r in ROWS[30:60])]
    lines = [json.dumps(row) for row in rows]
    lines[3] = '{"instruction": "no output"}'
    (tmp_path / "rows.jsonl").write_text("\n".join(lines))
    heard = Heard()
    data = [tmp_path / "rows.jsonl"]
    facts = tune(folder, tmp_path / "run", data=data, progress=heard, epochs=1)
    assert facts["data"]["forms"] == {"alpaca": 29, "prompt/completion": 30}
    assert facts["data"]["rejected"] == 1
    assert "29 alpaca, 30 prompt/completion" in heard.lines[0]
    assert "rows.jsonl, row 4" in heard.lines[1]


def test_a_prompt_stands_on_one_side_only(folder, tmp_path):
    rows = [{**row, "output": f"{row['output']} {i % 3}"} for i, row in enumerate(ROWS[:20] * 3)]
    rows += rows[:5]
    (tmp_path / "rows.json").write_text(json.dumps(rows))
    facts = tune(folder, tmp_path / "run", data=[tmp_path / "rows.json"], epochs=1)
    data = facts["data"]
    assert data["doubles"] == 5 + 60 - len({json.dumps(row) for row in rows[:60]})
    assert data["test"] >= 3 and data["validation"] >= 3


def test_what_a_template_trains_nothing_of_is_named(folder, tmp_path):
    """A template may leave answers out, or refuse the order of turns."""
    model = load_model(folder / "model")
    save_model(model, tmp_path / "model", tokenizer_folder=folder / "tokenizer")
    path = tmp_path / "model/chat_template.jinja"
    path.write_text("{% for m in messages %}{{ m.content }}{% generation %}{% endgeneration %}"
                    "{% endfor %}")  # fmt: skip
    with pytest.raises(HornbookError, match=r"rows\.json, row \d+: none of its tokens"):
        tune(folder, tmp_path / "run", model=tmp_path / "model")
    path.write_text("{{ raise_exception('not so') }}")
    with pytest.raises(HornbookError, match=r"rows\.json, row \d+: .*not so"):
        tune(folder, tmp_path / "run", model=tmp_path / "model")


def test_a_row_that_a_template_refuses_costs_itself(folder, tmp_path):
    """Roles must take turns; answers that are not to be learned are not."""
    model = load_model(folder / "model")
    save_model(model, tmp_path / "model", tokenizer_folder=folder / "tokenizer")
    (tmp_path / "model/chat_template.jinja").write_text(
        "{% for m in messages %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}"
        "{{ raise_exception('roles must alternate') }}{% endif %}"
        "{% if m.role == 'assistant' %}{% generation %}{{ m.content }}{% endgeneration %}"
        "{% else %}{{ m.content }}{% endif %}{% endfor %}"
    )
    rows = [
        {"messages": [{"role": "user", "content": row["instruction"]},
                      {"role": "assistant", "content": row["output"], "weight": 1}]}
        for row in ROWS[:30]
    ]  # fmt: skip
    for row in rows[5:9]:
        row["messages"].insert(0, {"role": "assistant", "content": "Hello"})
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    heard = Heard()
    facts = tune(
        folder, tmp_path / "run", model=tmp_path / "model", data=[tmp_path / "rows.jsonl"],
        progress=heard, epochs=1,
    )  # fmt: skip
    data = facts["data"]
    assert data["refused"] == 4 and data["train"] + data["validation"] + data["test"] == 26
    assert any(re.search(r"Left out: 4 rows; the first, .*row \d: .*alternate", line)
               for line in heard.lines)  # fmt: skip


def test_masked_answers_are_read_and_not_learned(folder):
    tokenizer = Tokenizer.load(folder / "tokenizer")
    turns = [("user", "who"), ("assistant", "me"), ("user", "and"), ("assistant", "you")]
    plain = [{"role": role, "content": text} for role, text in turns]
    masked = [dict(message) for message in plain]
    masked[1]["masked"] = "true"
    whole = encode_conversation(tuple(plain), "row", tokenizer)
    part = encode_conversation(tuple(masked), "row", tokenizer)
    assert (whole.ids == part.ids).all()
    said = tokenizer.decode(part.ids[part.trained].tolist())
    assert "you" in said and "me" not in said
    assert "me" in tokenizer.decode(whole.ids[whole.trained].tolist())


@pytest.mark.parametrize(
    ("wishes", "message"),
    [
        ({"method": "lora:x"}, "Valid: full"),
        ({"task": "instrukt"}, "Did you mean 'instruct'"),
        ({"minutes": 1.0}, "either --minutes or --epochs"),
        ({"context": 4096}, "the model sees 128 tokens"),
        ({"prompt": "Sum up."}, "must hold {text}"),
        ({"rate": -1.0}, "rate = -1"),
    ],
)
def test_mistakes_are_said_before_any_work(folder, tmp_path, wishes, message):
    with pytest.raises(UsageError, match=message):
        tune(folder, tmp_path / "run", **wishes)
    assert not (tmp_path / "run" / layout.RECIPE).exists()


def test_too_little_and_the_wrong_things_are_refused(folder, tmp_path):
    (tmp_path / "few.json").write_text(json.dumps(ROWS[:4]))
    with pytest.raises(HornbookError, match="4 different prompts are too few"):
        tune(folder, tmp_path / "run", data=[tmp_path / "few.json"])
    (tmp_path / "none.json").write_text(json.dumps([{"text": "x"}] * 20))
    with pytest.raises(HornbookError, match=r"No row of .* found text"):
        tune(folder, tmp_path / "run", data=[tmp_path / "none.json"])
    with pytest.raises(UsageError, match="is what the model is tuned on"):
        tune(folder, tmp_path / "run", general=folder / "rows.json")
    side = SideSizes(depth=1, heads=2, hidden=24)
    sizes = PairSizes(
        vocab=400, width=16, context=48, encoder=side, decoder=side, start=399, dropout=0.0
    )
    pair = TRANSLATORS["transformer"](sizes).build()
    save_model(pair, tmp_path / "pair", tokenizer_folder=folder / "tokenizer")
    with pytest.raises(UsageError, match="holds no decoder"):
        tune(folder, tmp_path / "run", model=tmp_path / "pair")


def test_another_request_does_not_take_a_runs_place(folder, tmp_path):
    tune(folder, tmp_path / "run", epochs=1)
    with pytest.raises(UsageError, match=r"holds another run \(seed was 0, now 1\)"):
        tune(folder, tmp_path / "run", epochs=1, seed=1)


TASKS = {
    "continue": ("text.txt", "\n\n".join(f"{r['instruction']} {r['output']} " * 30 for r in ROWS)),
    "translate": ("pairs.tsv", "\n".join(f"{a} {b} {i}\t{b} {a}" for i, (a, b) in enumerate(
        random.Random(0).sample([(a, b) for a in WORDS for b in WORDS], 60)))),
    "summarize": ("rows.jsonl", "\n".join(json.dumps({"source": [f"{a} is {b}.", "So."],
        "target": [f"{a} {b}", "other"]}) for a in WORDS for b in WORDS[:4])),
}  # fmt: skip


@pytest.mark.parametrize("task", ["summarize", "translate", *slow("continue")])
def test_other_tasks_bring_their_own_rows(folder, tmp_path, task):
    name, text = TASKS[task]
    (tmp_path / name).write_text(text)
    facts = tune(folder, tmp_path / "run", task=task, data=[tmp_path / name], epochs=2)
    assert facts["held_out"]["change"]["high"] < 0
    if task != "continue":
        question = facts["examples"][0]["question"]
        assert question.startswith({"translate": "Translate", "summarize": "Summarize"}[task])


@pytest.fixture
def preferences(tmp_path):
    rows = [{**r, "chosen": r["output"], "rejected": f"no {r['output']}"} for r in ROWS]
    (tmp_path / "rows.json").write_text(json.dumps(rows))
    return {"task": "preference", "data": [tmp_path / "rows.json"], "epochs": 2}


def test_preferences_are_tuned(folder, preferences, tmp_path):
    held = tune(folder, tmp_path / "run", **preferences)["held_out"]
    assert held["before"]["value"] == pytest.approx(0.6931, abs=1e-3)
    assert held["change"]["high"] < 0
    assert held["chosen_preferred"]["value"] == 1.0


@pytest.mark.slow
def test_preferences_are_resumed(folder, preferences, tmp_path, monkeypatch):
    held = tune(folder, tmp_path / "run", **preferences)["held_out"]
    with monkeypatch.context() as patch:
        crash_at(patch, 5)
        with pytest.raises(RuntimeError):
            tune(folder, tmp_path / "cut", **preferences)
    assert resume(tmp_path / "cut", QUIET)["held_out"] == held
