"""The READMEs: their commands are the program's own, the same in both languages, and they work.

The commands are run in order, as a reader would, on small data and in a few seconds each, and what
they print as JSON is held against its schema.
"""

import gzip
import os
import random
import re
import shlex
from functools import cache
from pathlib import Path

import pytest
import typer

from hornbook.cli import app
from hornbook.core.progress import Progress
from hornbook.corpus.corpus import Corpus
from hornbook.models.encoder_presets import BertSizes, bert
from hornbook.models.folder import save_model
from hornbook.tokenize.train import train_tokenizer
from tests.in_process import hornbook
from tests.read.samples import page, pdf, record
from tests.tables import jsonl

ROOT = Path(__file__).parents[2]
READMES = ("README.md", "README.zh.md")
LINES = {
    name: [
        line.split("  #")[0].strip()
        for line in (ROOT / name).read_text(encoding="utf-8").splitlines()
        if re.match(r" {4}\w", line)
    ]
    for name in READMES
}
COMMANDS = {
    name: [line for line in lines if line.startswith("hornbook ")] for name, lines in LINES.items()
}


@cache
def program():
    return typer.main.get_command(app)


@pytest.mark.parametrize("line", [line for lines in COMMANDS.values() for line in lines])
def test_it_parses(line):
    """Parsed as the program would, and not run: an unknown word or option raises."""
    command, words = program(), shlex.split(line)[1:]
    while "commands" in vars(command):
        command, words = command.commands[words[0]], words[1:]
    assert command.make_context(line, words).params


def shape(line):
    """A command without the words that differ between languages: texts and names of files."""
    words = shlex.split(line)
    return [word if word.isascii() and " " not in word else "…" for word in words]


def test_both_languages_have_the_same_commands():
    english, chinese = (LINES[name] for name in READMES)
    assert len(COMMANDS["README.md"]) > 30
    assert len(english) == len(chinese)
    for one, other in zip(map(shape, english), map(shape, chinese), strict=True):
        assert len(one) == len(other)
        assert all(a == b or "…" in (a, b) or "wenji" in b for a, b in zip(one, other, strict=True))


def test_all_else_is_a_target_of_make():
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M)
    for line in LINES["README.md"]:
        program, word, *_ = line.split()
        assert program == "hornbook" or (program == "make" and word in targets), line


def python_blocks(name):
    return re.findall(
        r"^```python\n(.*?)^```", (ROOT / name).read_text(encoding="utf-8"), re.M | re.S
    )


def test_both_languages_have_the_same_python():
    assert python_blocks("README.md") == python_blocks("README.zh.md") != []


WORDS = [f"{a}{b}{c}" for a in "bdgklmnprst" for b in "aeiou" for c in ("", "n", "s", "t")]
KNOWN = ["the", "of", "and", "to", "that", "with", "be", "have"]


def prose(seed, sentences):
    """English to look at: no two sentences are alike, and rules of style have nothing to say."""
    draw = random.Random(seed)
    return " ".join(
        " ".join(draw.choices(KNOWN + WORDS, k=draw.randint(8, 14))).capitalize() + "."
        for _ in range(sentences)
    )


def write_world(folder, home):
    """All files that the README names, of about the size that a few seconds are enough for."""
    for i, place in enumerate((home / "letters", home / "books", *(folder / n for n in SIDES))):
        place.mkdir(parents=True)
        for k in range(12):
            seeds = range(1000 * (12 * i + k), 1000 * (12 * i + k) + 15)
            sections = (f"{WORDS[s % len(WORDS)]} {s}\n\n{prose(s, 8)}\n\n" for s in seeds)
            (place / f"{k}.txt").write_text("".join(sections))
    pages = (record(page(prose(k, 30))) for k in range(20))
    (folder / "crawl.warc.gz").write_bytes(b"".join(map(gzip.compress, pages)))
    mail = "From a@b Mon May  6 07:08:09 2024\nFrom: a@b.org\nSubject: x\n\n"
    (folder / "mail.mbox").write_text(mail + prose(1, 20) + "\n")
    rows = [f'{{"text": "{prose(k, 40)}", "client": "c{k % 9}"}}' for k in range(60)]
    (folder / "cases.jsonl").write_text("\n".join(rows))
    (folder / "exam.jsonl").write_text(f'{{"text": "{prose(999, 5)}"}}\n')
    for part, count in (("train", 300), ("val", 20), ("test", 20)):
        lines = [prose(f"{part}{k}", 1) for k in range(count)]
        (folder / f"{part}.de").write_text("\n".join(lines) + "\n")
        (folder / f"{part}.en").write_text("\n".join(reversed(lines)) + "\n")
    asked = [f'{{"instruction": "{prose(k, 1)}", "output": "{prose(-k, 1)}"}}' for k in range(60)]
    (folder / "rows.json").write_text(f"[{', '.join(asked)}]")
    labelled = [f"{'win money' if k % 2 else 'see you'} {prose(k, 1)},l{k % 2}" for k in range(120)]
    (folder / "mail.csv").write_text("text,label\n" + "\n".join(labelled))
    (folder / "report.txt").write_text(prose(5, 2))
    write_contracts(home / "contracts", folder)
    (folder / "texts.txt").write_text("\n".join(prose(k, 1) for k in range(20)))
    write_pictures(folder / "pictures")
    words = train_tokenizer([prose(1, 30)], 300, folder / "words", Progress(quiet=True))
    sizes = BertSizes(vocab=words.vocab_size, width=16, depth=1, context=64, heads=2, hidden=16)
    save_model(bert(sizes).build(), folder / "MiniLM", tokenizer_folder=folder / "words")


def write_contracts(place, folder):
    """Contracts, questions that they answer, and one of them as a PDF."""
    place.mkdir()
    said = [f"The tenant of house {k} may end the lease after {k} months. {prose(k, 6)}"
            for k in range(2, 42)]  # fmt: skip
    for k, text in enumerate(said):
        (place / f"{k}.txt").write_text(f"{text} The notice period is long.")
    (folder / "contract.pdf").write_bytes(pdf(said[:3]))
    asked = ({"question": f"When may the tenant of house {k} end the lease?", "passage": text}
             for k, text in enumerate(said, 2))  # fmt: skip
    (folder / "questions.jsonl").write_text(jsonl(asked))


def write_pictures(folder):
    images = pytest.importorskip("PIL.Image")
    for k in range(60):
        place = folder / ("train", "test")[k % 5 == 0] / ("dark", "light")[k % 2]
        place.mkdir(parents=True, exist_ok=True)
        images.new("L", (16, 16), 40 + 150 * (k % 2) + k % 30).save(place / f"{k}.png")


SIDES = ("statutes", "books")
STAND_INS = {
    "smollm2-135m-instruct": "runs/letters/instruct",
    "all-minilm-l6-v2": "MiniLM",
    "--limit 500": "--limit 5",
    "--vocab-size 8192": "--vocab-size 512",
}
"""What would have to be fetched, or takes long."""
MINUTES = {"quickstart": 1, "compare": 1.5, "finetune": 0.5}


def small(line):
    """The command with what is here in place of what is large."""
    minutes = MINUTES.get(line.split()[1], 0.3)
    line = re.sub(r"--minutes \d+", f"--minutes {minutes}", line)
    for large, stand_in in STAND_INS.items():
        line = line.replace(large, stand_in)
    words = [re.sub("^~", os.environ["HOME"], word) for word in shlex.split(line)[1:]]
    words += ["--length", "32", "--tokens", "4"] if words[0] == "bench" else []
    return words if words[0] == "chat" else [*words, "--json"]


@pytest.mark.slow
def test_they_work(tmp_path, monkeypatch):
    pytest.importorskip("sacrebleu")
    world = tmp_path / "world"
    world.mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(world)
    write_world(world, tmp_path / "home")
    for line in COMMANDS["README.md"]:
        if line.startswith(("hornbook pull", "hornbook serve", "hornbook studio")) or (
            "--task lambada" in line and not os.environ.get("HORNBOOK_DATA")
        ):
            continue
        if line.startswith("hornbook biography"):  # of a sentence that is in the text
            sentence = next(Corpus.open(Path("corpus")).texts("train")).split("\n\n")[1][:80]
            line = line.replace(shlex.split(line)[3], sentence)
        code, _, err = hornbook(*small(line), text="q\n")
        assert code == 0, f"{line}\n{err}"
    for block in python_blocks("README.md"):
        for large, stand_in in {**STAND_INS, "minutes=30": "minutes=0.3"}.items():
            block = block.replace(large, stand_in)
        exec(block, {})
