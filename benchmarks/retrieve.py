"""Search by words and vectors beside `bm25s`, `tantivy` with its own analyser and SQLite's FTS5.

Speed: passages of texts of many kinds (HORNBOOK_DATA) become an index on each side, then claims of
SciFact are asked. With an encoder they are asked by both as well, over random vectors, of which a
scan takes as long as of others, and from a cold start. Quality, on each side: nDCG@10 of SciFact's
test claims, and how many questions of XQuAD and CMRC 2018 have their paragraph among the first
five. Ours is what `hornbook index` and `search` do, with the passages cut, hashed and stored.
Nothing here is chosen on test questions.
Run: python -m benchmarks.retrieve [--passages N] [--encoder NAME] [--only NAME ...]
"""

import argparse
import gzip
import json
import math
import os
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import Stemmer
import tantivy

from benchmarks.common import report
from hornbook.core.progress import Progress
from hornbook.core.stats import bootstrap_ratio
from hornbook.read.documents import Document
from hornbook.read.sources import read_file
from hornbook.retrieve.index import DocumentIndex
from hornbook.retrieve.search import BY, WEIGHT, By
from hornbook.retrieve.store import Store
from hornbook.retrieve.vectors import (
    ENCODER,
    FOLDER,
    add_vectors,
    without_vectors,
    write_map,
)
from hornbook.retrieve.writer import FoundFile, IndexWriter
from hornbook.workflows.documents.embedding import embed_index
from hornbook.workflows.documents.encoders import open_encoder, question_encoder, settle_encoder

Find = Callable[[str, int], list[int]]
"""The numbers of the texts that fit a question, the best first."""
_PASSAGE = 1000
"""Characters of a passage of the collection that is timed."""


class Collection(NamedTuple):
    """Texts with titles, questions, and for each the numbers of the texts that answer it."""

    texts: list[str]
    titles: list[str]
    questions: list[str]
    answers: list[set[int]]


class Side(NamedTuple):
    """A way of searching. close: lets go of its files."""

    find: Find
    close: Callable[[], None]
    seconds: dict[str, float]


def main() -> None:
    """Print the JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--passages", type=int, default=80_000)
    parser.add_argument("--encoder", help="a model; the quality of vectors and of both as well")
    parser.add_argument("--only", nargs="*", default=["speed", "scifact", "en", "zh", "de", "cmrc"])
    asked = parser.parse_args()
    data = Path(os.environ["HORNBOOK_DATA"])
    makers: dict[str, Callable[[Collection, Path], Side]] = {
        "ours": ours, "bm25s": by_bm25s, "tantivy": by_tantivy, "fts5": by_fts5,
    }  # fmt: skip
    found: dict[str, dict[str, Any]] = {name: {} for name in makers}
    for what in asked.only:
        collection = web(data, asked.passages) if what == "speed" else collections(data, what)
        for name, make in makers.items():
            with tempfile.TemporaryDirectory() as folder:
                side = make(collection, Path(folder))
                found[name][what] = measured(what, side, collection)
                side.close()
        if asked.encoder:
            more = speed_of_both if what == "speed" else with_vectors
            found["ours"][what] |= more(what, collection, asked.encoder)
    mine = found.pop("ours")
    ratio = None
    if "speed" in mine:
        ratio = found["bm25s"]["speed"]["p50_ms"] / mine["speed"]["p50_ms"]
    report(mine, found, ratio, passages=asked.passages, load=os.getloadavg())


def measured(what: str, side: Side, collection: Collection) -> dict[str, Any]:
    """Times, and the quality where answers are known."""
    times, scores = asked_all(what, side, collection)
    return times | ({} if what == "speed" else {score_of(what).__name__: mean_of(scores)})


def mean_of(scores: Sequence[float]) -> float:
    """As it is printed."""
    return round(statistics.mean(scores), 4)


def score_of(what: str) -> Callable[[Sequence[int], set[int]], float]:
    """How a collection is judged."""
    return ndcg if what == "scifact" else hit_at_5


def asked_all(what: str, side: Side, collection: Collection) -> tuple[dict[str, Any], list[float]]:
    """Times, and the score of each question."""
    spent = []
    found = []
    for question in collection.questions:
        started = time.perf_counter()
        found.append(side.find(question, 10))
        spent.append(time.perf_counter() - started)
    times = {f"{name}_s": round(seconds, 2) for name, seconds in side.seconds.items()}
    times |= {
        "p50_ms": round(1e3 * statistics.median(spent), 2),
        "p95_ms": round(1e3 * statistics.quantiles(spent, n=20)[-1], 2),
    }
    pairs = zip(found, collection.answers, strict=True)
    return times, [score_of(what)(*pair) for pair in pairs if what != "speed"]


def ndcg(found: Sequence[int], right: set[int]) -> float:
    """nDCG@10 of one question whose answers are all of one worth."""
    gain = sum(1 / math.log2(i + 2) for i, number in enumerate(found[:10]) if number in right)
    return gain / sum(1 / math.log2(i + 2) for i in range(min(10, len(right))))


def hit_at_5(found: Sequence[int], right: set[int]) -> float:
    """Whether an answer is among the first five."""
    return float(bool(right & set(found[:5])))


def ours(collection: Collection, folder: Path) -> Side:
    """What `hornbook index` does after reading."""
    started = time.perf_counter()
    numbers = fill(collection, folder)
    stored = time.perf_counter()
    with IndexWriter(folder) as writer:
        writer.catch_up()
    ended = time.perf_counter()
    index = DocumentIndex.open(folder)
    return Side(
        finder(index, numbers, "words"),
        index.close,
        {"store": stored - started, "words": ended - stored},
    )


def fill(collection: Collection, folder: Path) -> dict[int, int]:
    """Store the texts; the number of each by that of its document."""
    with IndexWriter(folder) as writer:
        file = FoundFile("/nowhere/texts", "/nowhere/else", 1, "", "", "")
        number = writer.begin(file)
        for title, text in zip(collection.titles, collection.texts, strict=True):
            writer.take(number, Document("", text, "", metadata={"title": title}))
        writer.end(number, file)
        rows = writer.store.execute("SELECT id FROM documents ORDER BY id").fetchall()
        return {row[0]: i for i, row in enumerate(rows)}


def finder(index: DocumentIndex, numbers: dict[int, int], by: By) -> Find:
    """Texts by their best passage; two passages a text are looked at, on average."""

    def find(question: str, count: int) -> list[int]:
        hits = index.search(question, 2 * count, by=by)
        places = [
            place for hit in hits for place in (hit.document, *(c.document for c in hit.copies))
        ]
        return list(dict.fromkeys(numbers[place] for place in places))

    return find


def with_vectors(what: str, collection: Collection, encoder: str) -> dict[str, Any]:
    """The quality of vectors, and of both, and what both gain over words."""
    folder = Path(tempfile.mkdtemp())
    numbers = fill(collection, folder)
    with IndexWriter(folder) as writer:
        settle_encoder(writer.store, encoder)
        writer.catch_up()
    started = time.perf_counter()
    embed_index(folder, Progress(quiet=True))
    seconds = {"embed": time.perf_counter() - started}
    found: dict[str, Any] = {}
    with DocumentIndex.open(folder, question_encoder(folder)) as index:
        scores: dict[By, list[float]] = {}
        for by in BY:
            side = Side(finder(index, numbers, by), index.close, seconds)
            times, scores[by] = asked_all(what, side, collection)
            found[by] = times | {score_of(what).__name__: mean_of(scores[by])}
        gained = [both - words for both, words in zip(scores["both"], scores["words"], strict=True)]
        found["gain"] = bootstrap_ratio(gained, [1.0] * len(gained), 0)._asdict()
        found["vector_weight"] = index.store.setting(WEIGHT)
    shutil.rmtree(folder)
    return found


def speed_of_both(what: str, collection: Collection, encoder: str) -> dict[str, Any]:
    """Times of words and vectors together, and of `hornbook search` from a cold start."""
    folder = Path(tempfile.mkdtemp())
    numbers = fill(collection, folder)
    draw = np.random.default_rng(0)
    with IndexWriter(folder) as writer:
        settle_encoder(writer.store, encoder)
        writer.catch_up()
    store = Store.create(folder)
    passages = without_vectors(store, 0, 10**9)
    encode = open_encoder(store.setting(ENCODER))
    for start in range(0, len(passages), 4096):
        some = passages[start : start + 4096]
        rows = draw.standard_normal((len(some), encode.width)).astype(np.float32)
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        store.execute("BEGIN")
        add_vectors(store, some, rows)
        store.execute("COMMIT")
    write_map(store, folder / FOLDER)
    store.close()
    with DocumentIndex.open(folder, question_encoder(folder)) as index:
        find = finder(index, numbers, "both")
        find(collection.questions[0], 10)
        times, _ = asked_all(what, Side(find, index.close, {}), collection)
    cold = {by: cold_s(folder, collection.questions[0], by) for by in ("words", "both")}
    shutil.rmtree(folder)
    return {"both": times, "vectors": len(passages), "cold_s": cold}


def cold_s(folder: Path, question: str, by: str) -> float:
    """Seconds of a `hornbook search`, the least of some: others use the machine."""
    command = [sys.executable, "-m", "hornbook", "search", str(folder), question, "--by", by]
    spent = []
    for _ in range(3):
        started = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        spent.append(time.perf_counter() - started)
    return round(min(spent), 3)


def by_bm25s(collection: Collection, folder: Path) -> Side:
    """As its README does: its own tokeniser, an English stemmer and stop words."""
    import bm25s  # of the extra `bench`, which the data tests do without

    stemmer = Stemmer.Stemmer("english")
    started = time.perf_counter()
    tokens = bm25s.tokenize(
        _whole(collection), stopwords="en", stemmer=stemmer, show_progress=False
    )
    index = bm25s.BM25()
    index.index(tokens, show_progress=False)
    seconds = {"words": time.perf_counter() - started}

    def find(question: str, count: int) -> list[int]:
        asked = bm25s.tokenize(question, stopwords="en", stemmer=stemmer, show_progress=False)
        found, _ = index.retrieve(asked, k=count, show_progress=False)
        return [int(number) for number in found[0]]

    return Side(find, lambda: None, seconds)


def by_tantivy(collection: Collection, folder: Path) -> Side:
    """With its analyser for English."""
    builder = tantivy.SchemaBuilder()
    builder.add_text_field("text", tokenizer_name="en_stem")
    builder.add_unsigned_field("number", stored=True)
    started = time.perf_counter()
    index = tantivy.Index(builder.build(), path=str(folder))
    writer = index.writer()
    for i, text in enumerate(_whole(collection)):
        writer.add_document(tantivy.Document(text=[text], number=[i]))
    writer.commit()
    writer.wait_merging_threads()
    seconds = {"words": time.perf_counter() - started}
    index.reload()
    searcher = index.searcher()

    def find(question: str, count: int) -> list[int]:
        query, _ = index.parse_query_lenient(question, ["text"])
        hits = searcher.search(query, count).hits
        return [searcher.doc(address)["number"][0] for _, address in hits]

    return Side(find, lambda: None, seconds)


def by_fts5(collection: Collection, folder: Path) -> Side:
    """With Porter's stemmer, ranked by its BM25."""
    started = time.perf_counter()
    connection = sqlite3.connect(folder / "fts.sqlite")
    connection.execute("CREATE VIRTUAL TABLE texts USING fts5(text, tokenize='porter unicode61')")
    rows = enumerate(_whole(collection), 1)
    connection.executemany("INSERT INTO texts (rowid, text) VALUES (?, ?)", rows)
    connection.commit()
    seconds = {"words": time.perf_counter() - started}
    ask = "SELECT rowid FROM texts WHERE texts MATCH ? ORDER BY bm25(texts) LIMIT ?"

    def find(question: str, count: int) -> list[int]:
        words = [word for word in question.split() if any(map(str.isalnum, word))]
        if not words:
            return []
        query = " OR ".join('"' + word.replace('"', "") + '"' for word in words)
        return [row[0] - 1 for row in connection.execute(ask, (query, count))]

    return Side(find, connection.close, seconds)


def _whole(collection: Collection) -> list[str]:
    pairs = zip(collection.titles, collection.texts, strict=True)
    return [f"{title}\n{text}" if title else text for title, text in pairs]


def web(data: Path, count: int) -> Collection:
    """Passages of many kinds of text, as many as asked for; claims of SciFact as questions."""
    texts: list[str] = []
    for text in _pages(data):
        texts += [text[at : at + _PASSAGE] for at in range(0, len(text), _PASSAGE)]
        if len(texts) >= count:
            break
    claims = scifact(data, "train").questions[:400]
    return Collection(texts[:count], [""] * len(texts[:count]), claims, [set()] * len(claims))


_FILES = (
    "text_web_c4/*.jsonl.gz", "sentiment_imdb/*.jsonl.gz", "text_medical_medquad/*.jsonl.gz",
    "text_legal_dc/*.jsonl.gz", "news_bbc/*.jsonl.gz", "text_books_en/*.txt.gz",
    "text_legal_de/*.md.gz", "text_shakespeare/*.txt*", "text_arxiv/*.jsonl.gz",
)  # fmt: skip


def _pages(data: Path) -> Iterator[str]:
    """Web pages, reviews, answers, laws, news and books, none of them twice."""
    for path in (path for pattern in _FILES for path in sorted(data.glob(pattern))):
        for item in read_file(path):
            if isinstance(item, Document):
                yield item.text


def collections(data: Path, name: str) -> Collection:
    """The test questions of a data set."""
    if name == "scifact":
        return scifact(data, "test")
    path = (
        "qa_cmrc2018/cmrc2018_dev.json.gz" if name == "cmrc" else f"qa_xquad/xquad.{name}.json.gz"
    )
    with gzip.open(data / path, "rt", encoding="utf-8") as stream:
        articles = json.load(stream)["data"]
    paragraphs = [paragraph for article in articles for paragraph in article["paragraphs"]]
    questions = [(row["question"], i) for i, p in enumerate(paragraphs) for row in p["qas"]]
    return Collection(
        [paragraph["context"] for paragraph in paragraphs],
        [""] * len(paragraphs),
        [question for question, _ in questions],
        [{i} for _, i in questions],
    )


def scifact(data: Path, split: str) -> Collection:
    """The abstracts of SciFact, and the claims of a split."""
    folder = data / "retrieval_scifact"
    with gzip.open(folder / "corpus.jsonl.gz", "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    places = {row["_id"]: i for i, row in enumerate(rows)}
    claims = map(
        json.loads, (folder / "queries.jsonl").read_text(encoding="utf-8").split("\n")[:-1]
    )
    asked = {row["_id"]: row["text"] for row in claims}
    right: dict[str, set[int]] = {}
    for line in (folder / "qrels" / f"{split}.tsv").read_text(encoding="utf-8").split("\n")[1:]:
        if line:
            claim, abstract, score = line.split("\t")
            if int(score) > 0:
                right.setdefault(claim, set()).add(places[abstract])
    return Collection(
        [row["text"] for row in rows],
        [row["title"] for row in rows],
        [asked[claim] for claim in right],
        list(right.values()),
    )


if __name__ == "__main__":
    main()
