"""`evaluate` end to end on a tiny model: every kind, its files, leakage, and mistakes."""

import json
import math

import numpy as np
import pytest

from hornbook.core.errors import HornbookError, UsageError
from hornbook.core.home import home
from hornbook.core.progress import Progress
from hornbook.corpus.build import build
from hornbook.models.classifier import ClassifierNetwork
from hornbook.models.folder import save_model
from hornbook.models.presets import qwen3
from hornbook.tokenize.train import train_tokenizer
from hornbook.workflows.measure.evaluate import EvaluateConfig, evaluate
from tests.in_process import hornbook
from tests.tiny import QUIET, Heard, decoder_sizes

WORDS = ("red", "green", "blue", "grey", "pink", "teal", "gold", "black", "white", "brown")
TASKS = {
    "last_word": "content: '{{ text }}'\nprompt: '{{ text.rsplit(\" \", 1)[0] }}'\n"
    "target: ' {{ text.rsplit(\" \", 1)[1] }}'\n",
    "pair": "content: '{{ text }}'\ngood: '{{ text }}'\nbad: '{{ text | reverse }}'\n"
    "groups: {label: '{{ label }}'}\n",
    "choice": "content: '{{ text }}'\nprompt: '{{ text }} is'\nchoices: [spam, ham]\n"
    "answer: '{{ label }}'\n",
    "classify": "content: '{{ text }}'\nprompt: '{{ text }} is'\n"
    "labels: {spam: ' spam', ham: ' ham'}\n"
    "answer: '{{ label }}'\ncut: text\ncalibrate_prior: true\n",
    "generate": "content: '{{ text }}'\nprompt: '{{ text }} is'\nanswers: label\n"
    "source: '{{ text }}'\nmax_tokens: 5\ncut: text\nchat: true\n"
    "metrics: [exact_match, f1, rougeL, chrf, bleu, answer_bits_per_byte]\n",
    "contexts": "content: '{{ text }}'\ncontexts: ['a red {{ text }}', 'a {{ text }}']\n"
    "ending: ' is {{ label }}'\nanswer: '{{ 1 if label == \"ham\" else 2 }}'\nanswer_is: number\n",
    "perplexity": "about: text\n",
}


def sentence(i):
    generator = np.random.default_rng(i)
    return " ".join(generator.choice(WORDS, 12)) + f" {i}."


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a model and forty rows; every fourth is spam."""
    folder = tmp_path_factory.mktemp("evaluate")
    text = " ".join(WORDS) + " spam ham is 0123456789. <|im_start|>user assistant"
    tokenizer = train_tokenizer([text * 40], 320, folder / "t", QUIET)
    sizes = decoder_sizes(vocab=tokenizer.vocab_size, depth=1, context=160, hidden=16)
    save_model(qwen3(sizes).build(), folder / "model", tokenizer_folder=folder / "t")
    rows = [{"text": sentence(i), "label": "ham" if i % 4 else "spam"} for i in range(40)]
    (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    for kind, lines in TASKS.items():
        (folder / f"{kind}.yaml").write_text(f"kind: {kind}\ndata: rows.jsonl\n{lines}")
    return folder


@pytest.fixture(autouse=True)
def own_home(monkeypatch, tmp_path):
    monkeypatch.setenv("HORNBOOK_HOME", str(tmp_path / "home"))


def run(place, kind, progress=QUIET, **config):
    values = {"tasks": (str(place / f"{kind}.yaml"),), "device": "cpu", **config}
    (found,) = evaluate(place / "model", EvaluateConfig(**values), progress)
    return found


METRICS = {
    "last_word": {"accuracy", "perplexity"},
    "pair": {"accuracy", "accuracy_per_byte"},
    "choice": {"accuracy", "accuracy_per_token", "accuracy_per_byte"},
    "classify": {"accuracy", "macro_f1", "auc", "calibration_error", "log_loss", "brier"},
    "generate": {"exact_match", "f1", "rougeL", "chrf", "bleu", "answer_bits_per_byte"},
    "contexts": {"accuracy"},
    "perplexity": {"bits_per_byte", "perplexity"},
}


@pytest.mark.parametrize("shots", [0, 2])
@pytest.mark.parametrize("kind", TASKS)
def test_every_kind_gives_scores_with_intervals(place, tmp_path, kind, shots):
    if kind == "perplexity" and shots:
        with pytest.raises(UsageError, match="no shots"):
            run(place, kind, shots=shots)
        return
    found = run(place, kind, shots=shots, out=tmp_path / "out")
    assert found["n"] == 40 - shots and found["shots"] == shots and found["task"] == kind
    assert found["metrics"].keys() == METRICS[kind]
    for estimate in found["metrics"].values():
        assert estimate.keys() == {"value", "low", "high"}
        assert (
            estimate["low"] <= estimate["value"] + 1e-9
            and estimate["value"] <= estimate["high"] + 1e-9
        )
    assert found["leakage"]["items"] == 0
    if kind != "perplexity":
        first = found["first_prompt"]
        assert first["token_ids"] and first["text"].count("\n\n") >= (
            0 if kind == "generate" else shots
        )
    written = json.loads((tmp_path / "out" / f"results_{kind}.json").read_text())
    assert written["hornbook"] == found
    assert written["n-shot"] == {kind: shots}
    named = {"acc,none", "exact_match,none", "bits_per_byte,none"}
    assert named & written["results"][kind].keys()
    lines = (tmp_path / "out" / f"samples_{kind}.jsonl").read_text().splitlines()
    assert len(lines) == found["n"]
    assert json.loads(lines[0])["doc"]["text"] == sentence(json.loads(lines[0])["doc_id"])
    json.loads(json.dumps(found), parse_constant=lambda name: pytest.fail(name))


def test_the_same_seed_gives_the_same_figures(place):
    one, again, other = (run(place, "classify", shots=3, limit=12, seed=s) for s in (4, 4, 5))
    assert one == again
    assert one["shot_rows"] != other["shot_rows"]
    assert sum(map(sum, one["confusion"])) == one["n"] == 12


def test_perplexity_is_that_of_the_whole_text(place):
    found = run(place, "perplexity")
    bits, floors = found["metrics"]["bits_per_byte"]["value"], found["floors"]
    assert 1 < bits < 12 and floors["gzip"]["bits_per_byte"]["value"] < 8
    lines = [sentence(i) for i in range(40)]
    short = run(place, "perplexity", overrides=("window=8", "stride=2"))
    assert short["metrics"]["bits_per_byte"]["value"] == pytest.approx(bits, rel=0.1)
    assert sum(len(line.encode()) for line in lines) > 1000


def test_a_corpus_is_scored_on_its_held_out_side(place, tmp_path):
    (tmp_path / "text").mkdir()
    for i in range(60):
        (tmp_path / "text" / f"{i}.txt").write_text(
            " ".join(sentence(100 * i + j) for j in range(9))
        )
    corpus = build([tmp_path / "text"], tmp_path / "corpus", progress=QUIET)
    found = run(place, "perplexity", data=tmp_path / "corpus")
    assert found["n"] == corpus.count("validation")
    assert not (home() / "evaluations").exists(), "a corpus is no evaluation file"


def test_leaked_items_are_scored_apart(place, tmp_path):
    (tmp_path / "text").mkdir()
    for i in range(60):
        leaked = sentence(i) if i < 5 else ""
        (tmp_path / "text" / f"{i}.txt").write_text(
            f"{sentence(1000 + i)} {leaked} {sentence(2000 + i)}" * 3
        )
    build([tmp_path / "text"], tmp_path / "corpus", progress=QUIET)
    heard = Heard()
    found = run(place, "last_word", heard, corpus=tmp_path / "corpus")
    leaked = found["leakage"]["items"]
    assert 3 <= leaked <= 5 and found["leakage"]["checked"]["corpus"]["items"] == leaked
    assert found["without_leakage"]["n"] == 40 - leaked
    assert any("stand in the corpus" in line for line in heard.lines)
    assert any(line.startswith("  without the") for line in heard.lines)


def test_the_training_part_is_looked_at_too(place, tmp_path):
    rows = [{"text": f"{sentence(i)} A", "label": "ham"} for i in range(6)]
    (tmp_path / "train.jsonl").write_text("\n".join(map(json.dumps, rows)))
    found = run(place, "pair", overrides=(f"train={tmp_path / 'train.jsonl'}",))
    assert found["leakage"]["checked"]["training_part"]["items"] == 6
    assert found["without_leakage"]["n"] == 34
    assert found["groups"]["label"]["spam"]["n"] == 10


def test_evaluated_files_are_held_out(place):
    heard = Heard()
    run(place, "pair", heard)
    assert (home() / "evaluations" / "rows.jsonl").resolve() == (place / "rows.jsonl").resolve()
    assert sum("held out of corpora" in line for line in heard.lines) == 1
    run(place, "pair", again := Heard())
    assert not any("held out" in line for line in again.lines)


def test_they_are_left_alone_on_request(place):
    run(place, "pair", held_out=False)
    assert not home().exists()


def test_a_classifier_is_told_the_texts(place, tmp_path):
    from hornbook.models.classifier import ClassifierConfig
    from hornbook.models.folder import load_model
    from hornbook.nn.pooling import LastConfig

    body = load_model(place / "model").config
    config = ClassifierConfig(
        vocab=body.vocab, width=body.width, context=body.context, embedding=body.embedding,
        stack=body.stack, causal=True, pooling=LastConfig(), bias=True,
        labels=("ham", "spam"),
    )  # fmt: skip
    model = config.build(seed=0)
    assert isinstance(model, ClassifierNetwork)
    save_model(model, tmp_path / "c", tokenizer_folder=place / "t")
    settings = EvaluateConfig(tasks=(str(place / "classify.yaml"),), device="cpu")
    (found,) = evaluate(tmp_path / "c", settings, QUIET)
    assert found["metrics"].keys() == METRICS["classify"] and found["first_prompt"] is None
    with pytest.raises(UsageError, match="kind classify"):
        evaluate(tmp_path / "c", EvaluateConfig(tasks=(str(place / "pair.yaml"),)), QUIET)
    with pytest.raises(UsageError, match="no shots"):
        evaluate(tmp_path / "c", settings.model_copy(update={"shots": 1}), QUIET)
    with pytest.raises(UsageError, match="'ham', and the task does not"):
        odd = ("labels={spam: ' s', eggs: ' e'}", "answer='{{ \"spam\" }}'")
        evaluate(tmp_path / "c", settings.model_copy(update={"overrides": odd}), QUIET)


def test_few_items_and_long_ones_are_warned_of(place, tmp_path):
    """Where prompts are cut one is larger than any buffer, elsewhere longer than the context."""
    for kind in TASKS:
        times = 5000 if kind in ("classify", "generate") else 60
        rows = [{"text": sentence(i) * (1 if i else times), "label": "ham"} for i in range(5)]
        (tmp_path / "few.jsonl").write_text("\n".join(map(json.dumps, rows)))
        found = run(place, kind, heard := Heard(), data=tmp_path / "few.jsonl")
        assert found["n"] == 5
        assert any("tests 5 items; so few tell little" in line for line in heard.lines)
        if kind in ("classify", "generate"):
            assert found["cut"] == 1 and any("1 prompts were cut" in line for line in heard.lines)


def test_one_text_has_a_score_without_an_interval(place, tmp_path):
    (tmp_path / "one.txt").write_text("red green")
    found = run(place, "perplexity", data=tmp_path / "one.txt")
    assert found["metrics"]["bits_per_byte"]["low"] is None
    assert math.isfinite(found["metrics"]["bits_per_byte"]["value"])


@pytest.mark.parametrize(
    ("values", "error", "message"),
    [
        ({"tasks": ("lambda",)}, UsageError, "Did you mean 'lambada'"),
        ({"tasks": ("lambada", "blimp"), "data": "x"}, UsageError, "one --task"),
        ({"shots": 99}, UsageError, "99 shots are asked for"),
        ({"data": "nowhere.jsonl"}, UsageError, "nowhere.jsonl does not exist"),
        ({"overrides": ("prompt={{ txt }}",)}, UsageError, "no Jinja|not a YAML|txt"),
        ({"overrides": ("prompt='{{ txt }}'",)}, UsageError, "'txt'. Did you mean 'text'"),
        ({"overrides": ("answer='{{ text }}'",)}, UsageError, "has no words"),
        ({"corpus": "nowhere"}, HornbookError, "not a corpus"),
    ],
)
def test_mistakes_are_found_before_any_work(place, monkeypatch, values, error, message):
    monkeypatch.setattr(
        "hornbook.workflows.measure.evaluate.open_to_score", lambda *a: pytest.fail("opened")
    )
    with pytest.raises(error, match=message):
        run(place, "classify", **values)


def test_a_row_that_no_tokenizer_can_read_is_left_out_and_named(place, tmp_path):
    rows = [json.dumps({"text": sentence(i), "label": "ham"}) for i in range(5)]
    rows[2] = '{"text": "half \\ud83d", "label": "ham"}'
    data = tmp_path / "odd.jsonl"
    data.write_text("\n".join(rows))
    said = []
    progress = Progress(True)
    progress.say = lambda *lines: said.extend(lines)
    found = run(place, "choice", progress, data=data)
    assert found["n"] == 4 and found["left_out"]["not_unicode"] == 1
    assert any("odd.jsonl, line 3: not Unicode" in line for line in said)


def test_only_the_ending_is_scored(place):
    """The same ending after each beginning: its likelihood is what the model gives it there."""
    from hornbook.evaluate.evaluated_model import EvaluatedModel
    from hornbook.generate.likelihoods import encode_pair
    from hornbook.workflows.open.model import open_model

    run(place, "contexts", out=place / "scored")
    first = json.loads((place / "scored" / "samples_contexts.jsonl").read_text().split("\n")[0])
    model, tokenizer = open_model(place / "model")
    text, label = first["doc"]["text"], first["doc"]["label"]
    pairs = [encode_pair(tokenizer, f"{a}{text}", f" is {label}") for a in ("a red ", "a ")]
    wanted = [one.logprob for one in EvaluatedModel(model, tokenizer).likelihoods(pairs)]
    assert first["logprobs"] == pytest.approx(wanted, abs=1e-3)
    right, other = wanted[first["answer"]], wanted[1 - first["answer"]]
    assert first["right"] == (right > other)


def test_scores_are_the_result_and_all_else_is_not(place):
    """Without --json the figures are on stdout; with it, the object alone is."""
    asked = ["evaluate", place / "model", "--task", place / "choice.yaml", "--device", "cpu"]
    code, out, err = hornbook(*asked)
    assert code == 0 and out.startswith("choice: 40 items\n  accuracy") and "accuracy" not in err
    code, out, err = hornbook(*asked, "--json")
    assert code == 0 and json.loads(out)["n"] == 40 and "  accuracy" in err
