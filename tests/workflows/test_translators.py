"""Pairs to a translator that others open; stopped and resumed to the same bits."""

import itertools
import json

import pytest
import transformers
from safetensors.numpy import load_file

from hornbook.cli.translate import command
from hornbook.core.errors import UsageError
from hornbook.workflows.open.load import load
from hornbook.workflows.projects.pairs.project import Pairs
from hornbook.workflows.projects.pairs.report import _outputs
from hornbook.workflows.runs.run import run as train
from tests.in_process import hornbook
from tests.tiny import QUIET, slow

pytest.importorskip("sacrebleu")
WORDS = {
    "eins": "one",
    "zwei": "two",
    "drei": "three",
    "rot": "red",
    "Hund": "dog",
    "Haus": "house",
}
PLAN = {
    "vocab": 300, "width": 32, "depth": 1, "heads": 2, "hidden": 32, "context": 24, "tokens": 300,
    "dropout": 0.1,
}  # fmt: skip


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Every order of three words, in another language."""
    folder = tmp_path_factory.mktemp("pairs")
    rows = [
        f"{' '.join(words)}\t{' '.join(WORDS[word] for word in words)}\n"
        for words in itertools.permutations(WORDS, 3)
    ]
    splits = {"train": [*rows[::2], "\tnothing\n"], "validation": rows[1:30:2], "test": rows[31::2]}
    for name, split in splits.items():
        (folder / f"{name}.tsv").write_text("".join(split))
    return [folder / f"{name}.tsv" for name in splits]


def made(files, run, family="transformer", **values):
    values = {"family": family, "steps": 24, "plan": PLAN, "dtype": "float32", **values}
    project = Pairs(*files)
    return train(project, run, project.request(values), progress=QUIET)


@pytest.fixture(scope="module")
def straight(files, tmp_path_factory):
    run = tmp_path_factory.mktemp("straight") / "run"
    return run, made(files, run)


def test_the_result_says_what_was_measured(straight):
    run, result = straight
    assert result["bleu"]["low"] <= result["bleu"]["value"] <= result["bleu"]["high"]
    assert "tok:13a" in result["bleu"]["signature"]
    assert result["pairs"]["train"] == {"in": 61, "kept": 60, "empty side": 1}
    assert sum(part["sentences"] for part in result["bleu_by_length"]) == 45
    forecast = result["forecast"]
    assert forecast["measure"] == "nats_per_token" and forecast["steps"] == 24
    report = (run / "report.html").read_text()
    assert f"{result['bleu']['value']:.1f}" in report and "eins" in report
    outputs = [json.loads(line) for line in (run / "outputs.jsonl").read_text().splitlines()]
    assert len(outputs) == 45 and outputs[0].keys() == {"source", "text", "target"}


def test_transformers_opens_it_and_translates_the_same(straight):
    run, _ = straight
    texts = ["eins rot Hund", "Haus zwei drei"]
    ours = load(run).translations(texts, beam=4, max_tokens=10)
    their_tokenizer = transformers.AutoTokenizer.from_pretrained(run / "model")
    theirs = transformers.AutoModelForSeq2SeqLM.from_pretrained(run / "model")
    rows = theirs.generate(
        **their_tokenizer(texts, padding=True, return_tensors="pt", return_token_type_ids=False),
        num_beams=4, max_new_tokens=10, max_length=None,
    )  # fmt: skip
    decoded = their_tokenizer.batch_decode(rows, skip_special_tokens=True)
    assert [translation.text for translation in ours] == [text.strip() for text in decoded]


def test_the_vector_before_targets_is_zero(straight):
    weights = load_file(straight[0] / "model" / "model.safetensors")["model.shared.weight"]
    assert not weights[-1].any()
    assert weights[:-1].any(1).all()


@pytest.mark.parametrize("family", ["lstm-attention", *slow("lstm")])
def test_recurrent_translators(files, tmp_path, family):
    result = made(files, tmp_path / "run", family, steps=4)
    opened = load(tmp_path / "run")
    found = sum(weight.numel() for weight in opened.model.parameters())
    assert found == result["parameters"]["all"]
    assert len(opened.translate(["eins zwei", ""], beam=2)) == 2


def test_what_cannot_be_trained_is_refused_before_work(files, tmp_path):
    with pytest.raises(UsageError, match=r"'lstm-atention'.*Did you mean 'lstm-attention'"):
        made(files, tmp_path / "r", "lstm-atention")
    with pytest.raises(UsageError, match="either --minutes or --steps"):
        made(files, tmp_path / "r", minutes=3)
    with pytest.raises(UsageError, match=r"has \d+ tokens; raise the context"):
        made(files, tmp_path / "s", plan={**PLAN, "context": 4})
    assert not list(tmp_path.rglob("recipe.yaml"))


@pytest.mark.slow
def test_ctranslate2_converts_and_translates_the_same(straight, tmp_path):
    ctranslate2 = pytest.importorskip("ctranslate2")
    converters = pytest.importorskip("ctranslate2.converters")
    run, _ = straight
    converters.TransformersConverter(str(run / "model")).convert(str(tmp_path / "ct2"))
    theirs = ctranslate2.Translator(str(tmp_path / "ct2"), compute_type="float32", intra_threads=1)
    opened, texts = load(run), ["eins rot Hund", "Haus zwei drei", "rot"]
    their_tokenizer = transformers.AutoTokenizer.from_pretrained(run / "model")
    tokens = [
        their_tokenizer.convert_ids_to_tokens(their_tokenizer(text).input_ids) for text in texts
    ]
    found = theirs.translate_batch(tokens, beam_size=1, max_decoding_length=10)
    for text, row in zip(texts, found, strict=True):
        (ours,) = opened.translations([text], beam=1, max_tokens=10)
        ids = their_tokenizer.convert_tokens_to_ids(row.hypotheses[0])
        assert ids == [i for i in ours.token_ids if i != opened.tokenizer.eos_id]


def test_the_command_prints_a_line_for_each_sentence(straight, tmp_path, capsys):
    run, _ = straight
    file = tmp_path / "sentences.txt"
    file.write_text("eins rot Hund\n\nzwei drei Haus\n")
    command(run, file=file, beam=2)
    lines = capsys.readouterr().out.split("\n")
    assert len(lines) == 4 and lines[1] == lines[3] == ""
    command(run, text=["eins rot Hund"], beam=2, json=True)
    found = json.loads(capsys.readouterr().out)
    assert [row["text"] for row in found["translations"]] == lines[:1]
    assert found["translations"][0]["source"] == "eins rot Hund"
    with pytest.raises(UsageError, match="not both"):
        command(run, text=["eins"], file=file)
    with pytest.raises(UsageError, match="search: beams = 0"):
        command(run, text=["eins"], beam=0)


ODD = ["eins\u2028zwei", "zwei\x85drei", "drei\x0c\x1crot", "", "Haus"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.txt", "\ufeff" + "\r\n".join(ODD) + "\n"),
        ("a.csv", "source,n\n" + "".join(f'"{text}",1\n' for text in ODD)),
        ("a.jsonl", "".join(json.dumps({"text": text}, ensure_ascii=False) + "\n" for text in ODD)),
    ],
)
def test_a_sentence_a_line_or_row(straight, tmp_path, name, text):
    (tmp_path / name).write_text(text, encoding="utf-8", newline="")
    code, out, err = hornbook(
        "translate", straight[0], "--file", tmp_path / name, "--beam", 1, "--json"
    )
    assert code == 0, err
    assert [row["source"] for row in json.loads(out)["translations"]] == ODD


def test_what_no_model_can_read_is_left_out_and_named(straight, tmp_path):
    rows = ['{"text": "eins"}', '{"text": "\\ud83d"}', '{"text": "zwei"}']
    (tmp_path / "a.jsonl").write_text("\n".join(rows))
    code, out, err = hornbook(
        "translate", straight[0], "--file", tmp_path / "a.jsonl", "--beam", 1, "--json"
    )
    assert code == 0 and "a.jsonl, line 2: not Unicode (half a surrogate pair" in err
    assert [row["source"] for row in json.loads(out)["translations"]] == ["eins", "zwei"]


def test_the_report_shows_whole_sentences(tmp_path):
    rows = [{"source": text, "output": text} for text in ODD]
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (tmp_path / "outputs.jsonl").write_text(lines, encoding="utf-8")
    assert _outputs(tmp_path / "outputs.jsonl") == rows
