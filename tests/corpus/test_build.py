"""Stages of a corpus: books that balance, the same bytes after any crash, verdicts with reasons."""

import functools
import json
import random
import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hornbook.core.errors import HornbookError, UsageError
from hornbook.core.pool import Local
from hornbook.core.progress import Progress
from hornbook.corpus import build as module
from hornbook.corpus import document_files, ingest, pipeline
from hornbook.corpus.build import build
from hornbook.corpus.groups import key_of
from hornbook.corpus.recipe import CorpusRecipe, ParagraphConfig, SourceConfig, recipe_of
from hornbook.corpus.trace import trace_document
from tests.tiny import QUIET, contents

NOUNS = [
    "river",
    "boat",
    "morning",
    "teacher",
    "letter",
    "child",
    "bird",
    "page",
    "stone",
    "garden",
    "winter",
    "road",
]
GERMAN = "Der Vertrag wird schriftlich geschlossen und gilt für beide Seiten bis zum Ende. "


def prose(draw, sentences):
    return " ".join(
        f"The {draw.choice(NOUNS)} of the {draw.choice(NOUNS)} was with the {draw.choice(NOUNS)} "
        f"that day, and it was to have been number {draw.randrange(10**6)}."
        for _ in range(sentences)
    )


def swapped(text, count):
    words = text.split()
    for i in range(5, 5 + 9 * count, 9):
        words[i] = "another"
    return " ".join(words)


@pytest.fixture(scope="module")
def rows():
    draw = random.Random(0)
    found = [{"id": i, "client": i // 4, "text": prose(draw, 12)} for i in range(60)]
    found.append({"id": "exact", "client": 90, "text": found[3]["text"].replace(" ", "  ")})
    found.append({"id": "near", "client": 91, "text": swapped(found[5]["text"], 3)})
    found.append({"id": "german", "client": 92, "text": GERMAN * 12})
    found.append({"id": "short", "client": 93, "text": "Too short. It was a stub of the text."})
    found.append({"id": "blank", "client": 94, "text": " \n "})
    mail = prose(draw, 12) + " Write to jane.doe@mail.example.com or Jane.Doe@mail.example.com."
    found.append({"id": "mail", "client": 95, "text": mail})
    return found


@pytest.fixture
def source(rows, tmp_path):
    path = tmp_path / "text.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows) + "{broken\n")
    return path


def reasons(folder):
    lines = [p.read_text().splitlines() for p in sorted((folder / "dropped").glob("*.jsonl"))]
    return {row["source"] + row["id"]: row for part in lines for row in map(json.loads, part)}


def test_every_document_has_a_verdict_and_the_books_balance(source, tmp_path):
    recipe = CorpusRecipe(languages=("en",), rules={"gopher_word_count": {}}, near_mode="drop")
    corpus = build([source], tmp_path / "c", recipe, QUIET)
    documents, size = corpus.facts["documents"], corpus.facts["bytes"]
    assert documents["in"] == 67 and documents["kept"] == 61
    assert documents["in"] == documents["kept"] + sum(documents["dropped"].values())
    assert size["in"] == size["kept"] + sum(size["dropped"].values())
    counted = {"duplicate": 1, "near duplicate": 1, "language": 1, "empty": 1}
    assert documents["dropped"].items() >= counted.items()
    found = sorted(reasons(corpus.folder).values(), key=lambda row: row["reason"])
    exact, near = (row for row in found if "duplicate" in row["reason"])
    assert (exact["duplicate_of"], exact["detail"]) == (f"{source}:3", 1.0)
    assert near["duplicate_of"] == f"{source}:5" and 0.6 <= near["detail"] < 1
    (short,) = (row for row in found if row["reason"].startswith("too few"))
    assert short["detail"] == 9  # words
    assert corpus.facts["rules"]["gopher_word_count"]["hits"] >= 1
    assert {row["language"] for row in corpus.facts["languages"]} >= {"en", "de"}


def test_a_crash_anywhere_and_the_same_command_give_the_same_bytes(source, tmp_path, monkeypatch):
    recipe = recipe_of(None, ["near_mode=drop", "languages=[en]"])
    straight = build([source], tmp_path / "straight", recipe, QUIET)
    for place, step in (
        (pipeline, "read_all"),
        (pipeline, "tag_part"),
        (pipeline, "find_near"),
        (module, "select_part"),
        (module, "card_text"),
    ):
        with monkeypatch.context() as broken, pytest.raises(KeyboardInterrupt):

            def fail(*_):
                raise KeyboardInterrupt

            broken.setattr(place, step, fail)
            build([source], tmp_path / "c", recipe, QUIET)
        assert not (tmp_path / "c").exists()
    stopped = build([source], tmp_path / "c", recipe, QUIET)
    assert contents(stopped.folder) == contents(straight.folder)
    assert stopped.fingerprint == straight.fingerprint


def test_a_stage_is_reused_when_only_later_settings_change(source, tmp_path, monkeypatch):
    build([source], tmp_path / "c", CorpusRecipe(), QUIET)

    def fail(*_):
        raise AssertionError("this stage was there already")

    monkeypatch.setattr(pipeline, "read_all", fail)
    monkeypatch.setattr(pipeline, "tag_part", fail)
    changed = build([source], tmp_path / "c", CorpusRecipe(near_mode="drop"), QUIET)
    assert changed.facts["documents"]["dropped"]["near duplicate"] == 1


def test_a_file_that_a_rule_reads_decides_as_its_thresholds_do(source, tmp_path):
    words = tmp_path / "words.txt"
    recipe = CorpusRecipe(rules={"toxic_words": {"words": str(words), "most": 0.0}})
    words.write_text("stub\n")
    kept = build([source], tmp_path / "c", recipe, QUIET).facts["documents"]["kept"]
    words.write_text("river\nstub\n")
    assert build([source], tmp_path / "c", recipe, QUIET).facts["documents"]["kept"] < kept


def test_parts_in_processes_are_what_they_are_alone(source, tmp_path, monkeypatch):
    small = functools.partial(document_files.DocumentWriter, group_bytes=5_000, part_bytes=10_000)
    monkeypatch.setattr(ingest, "DocumentWriter", small)
    (tmp_path / "e.json").write_text(json.dumps([prose(random.Random(0), 3)]))
    recipe = CorpusRecipe(
        near_mode="drop",
        pii=("email",),
        paragraphs=ParagraphConfig(least_bytes=20),
        rules={"gopher_word_count": {}, "gopher_stop_words": {}},
        against=(str(tmp_path / "e.json"),),
        sources={"all": SourceConfig(match=("*",), rules={"gopher_word_count": {"least": 10}})},
    )
    many = build([source], tmp_path / "c", recipe, QUIET, runner=Local(2))
    assert len(document_files.parts(many.folder)) > 2
    key = tmp_path / ".c.stages" / "pseudonyms.key"
    (tmp_path / ".alone.stages").mkdir()
    shutil.copy(key, tmp_path / ".alone.stages")
    alone = build([source], tmp_path / "alone", recipe, QUIET)
    assert contents(alone.folder) == contents(many.folder)


@pytest.mark.parametrize("mode", ["together", "drop"])
def test_near_copies_never_straddle_the_split(tmp_path, mode):
    draw = random.Random(1)
    source = tmp_path / "t.jsonl"
    texts = [prose(draw, 12) for _ in range(80)]
    pairs = [
        {"pair": i, "text": version}
        for i, text in enumerate(texts)
        for version in (text, swapped(text, 2))
    ]
    source.write_text("".join(json.dumps(row) + "\n" for row in pairs))
    recipe = CorpusRecipe(near_mode=mode, validation_share=0.1)
    corpus = build([source], tmp_path / "c", recipe, QUIET)
    sides = [{d.metadata["pair"] for d in corpus.documents(s)} for s in ("train", "validation")]
    assert all(sides) and not sides[0] & sides[1]
    assert corpus.facts["documents"]["kept"] == (160 if mode == "together" else 80)


def test_a_clients_documents_stay_on_one_side(source, tmp_path):
    recipe = CorpusRecipe(group="client", validation_share=0.1)
    corpus = build([source], tmp_path / "c", recipe, QUIET)
    sides = [{d.metadata["client"] for d in corpus.documents(s)} for s in ("train", "validation")]
    assert all(sides) and not sides[0] & sides[1]


SEVENS = {
    "a.jsonl": '{"client": 7, "text": "%s"}\n{"client": 7.0, "text": "%s"}\n',
    "b.jsonl": '{"client": "7", "text": "%s"}\n{"client": "007", "text": "%s"}\n',
    "c.csv": 'client,text\n7,"%s"\n 7 ,"%s"\n',
    "d.csv": 'client;text\n7.0;"%s"\n;"%s"\n',
}


def test_the_same_client_is_the_same_in_every_format(source, tmp_path):
    draw = random.Random(5)
    folder = tmp_path / "in"
    folder.mkdir()
    for name, form in SEVENS.items():
        (folder / name).write_text(form % (prose(draw, 12), prose(draw, 12)))
    rows = {"client": [7.0, None], "text": [prose(draw, 12), prose(draw, 12)]}
    pq.write_table(pa.table(rows), folder / "e.parquet")
    rows = [{"client": i, "text": prose(draw, 12)} for i in range(100, 190)]
    (folder / "f.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    said = []
    progress = Progress(quiet=True)
    progress.say = lambda *lines: said.extend(lines)
    recipe = CorpusRecipe(group="client", validation_share=0.1)
    corpus = build([folder], tmp_path / "c", recipe, progress)
    sides = [
        {key_of(d.metadata.get("client")) for d in corpus.documents(s)} - {""}
        for s in ("train", "validation")
    ]
    assert all(sides) and not sides[0] & sides[1] and {"7", "007"} <= sides[0] | sides[1]
    assert any("2 of 100 documents have nothing in 'client'" in line for line in said)


@pytest.mark.parametrize(
    ("group", "sentence"),
    [
        ("klient", "no document has a value .* Did you mean 'client'"),
        ("nothing", "no document has a value .* The commonest: client"),
        ("tags", "has a list there"),
        ("who", "has an object there; it holds who.name"),
    ],
)
def test_a_field_that_tells_no_groups_is_refused(source, tmp_path, group, sentence):
    rows = [json.loads(line) for line in source.read_text().splitlines()[:60]]
    inner = {"tags": ["a", "b"], "who": {"name": "x"}}
    source.write_text("".join(json.dumps({**row, "metadata": inner}) + "\n" for row in rows))
    with pytest.raises(UsageError, match=sentence):
        build([source], tmp_path / "c", CorpusRecipe(group=group), QUIET)
    assert not (tmp_path / "c").exists()


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (7, "7", True), (7.0, " 7 ", True), ("7.0", 7, True), ("007", 7, False), ("7.5", 7.5, True),
        (True, "true", True), (True, 1, False), ("", None, True), (float("nan"), None, True),
        ("2024-05-06", "2024-05-06 00:00:00", True), (0, None, False), (-3, "-3", True),
        ("2024-05-06T07:00:00Z", "2024-05-06 09:00:00+02:00", True), (10**20, 1e20, True),
    ],
)  # fmt: skip
def test_which_values_are_the_same(one, other, same):
    assert (key_of(one) == key_of(other)) == same


def test_groups_that_cannot_be_split_are_not_cut(source, tmp_path):
    rows = [{**json.loads(line), "client": 1} for line in source.read_text().splitlines()[:60]]
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(HornbookError, match="groups of 'client' are too few"):
        build([source], tmp_path / "c", CorpusRecipe(group="client"), QUIET)
    assert not (tmp_path / "c").exists()


def test_personal_data_in_metadata_is_replaced_as_well(tmp_path):
    draw = random.Random(2)
    box = tmp_path / "box.mbox"
    box.write_text(
        "".join(
            f"From x Mon Jan  1 10:0{i}:00 2024\nFrom: Jane <jane.doe@mail.example.com>\n"
            f"Subject: {i}\n\n{prose(draw, 12)} {i}\n\n"
            for i in range(9)
        )
    )
    corpus = build([box], tmp_path / "c", CorpusRecipe(pii=("email",)), QUIET)
    senders = {document.metadata["from"] for document in corpus.documents()}
    assert len(senders) == 1 and "jane.doe" not in senders.pop()
    assert corpus.facts["pii"] == {"email": 9}


def test_personal_data_is_replaced_the_same_way_everywhere(source, tmp_path):
    corpus = build([source], tmp_path / "c", CorpusRecipe(pii=("email",)), QUIET)
    (text,) = (text for text in corpus.texts() if "Write to" in text)
    assert "jane" not in text.lower()
    one, other = text.split("Write to ")[1].rstrip(".").split(" or ")
    assert one == other
    assert corpus.facts["pii"] == {"email": 2}


def test_trace_follows_a_document(source, tmp_path):
    corpus = build([source], tmp_path / "c", CorpusRecipe(near_mode="drop"), QUIET)
    kept = trace_document(corpus.folder, f"{source}:0")
    assert kept["kept"] and kept["side"] in ("train", "validation") and kept["row"] == 0
    dropped = trace_document(corpus.folder, f"{source}:60")
    assert (dropped["reason"], dropped["duplicate_of"]) == ("duplicate", f"{source}:3")
    with pytest.raises(UsageError, match="never saw a document"):
        trace_document(corpus.folder, "nothing")


def test_strict_stops_at_the_first_broken_record(source, tmp_path):
    with pytest.raises(HornbookError, match=r"text\.jsonl, line 67"):
        build([source], tmp_path / "c", CorpusRecipe(strict=True), QUIET)
    assert [path.name for path in tmp_path.iterdir()] == ["text.jsonl"]


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["rules.gopher_word_cont={}"], "gopher_word_cont.*Did you mean 'gopher_word_count'"),
        (["rules.gopher_word_count.leest=3"], "unknown key 'leest'. Did you mean 'least'"),
        (["near_mode=dorp"], "Unknown near_mode 'dorp'. Did you mean 'drop'"),
        (["pii=[emial]"], "'emial'. Did you mean 'email'"),
        (["near.least=2"], "near.least = 2"),
        ([f"seed={2**63}"], f"seed = {2**63}"),
    ],
)
def test_a_recipe_is_refused_before_work(overrides, message):
    with pytest.raises(UsageError, match=message):
        recipe_of(None, overrides)
    with pytest.raises(UsageError, match="Did you mean 'web'"):
        recipe_of("wbe")


def test_the_built_in_recipes_are_whole():
    assert len(recipe_of("web").rules) > 15
