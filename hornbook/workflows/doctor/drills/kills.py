"""Drills of kills: of a worker of the corpus, of the indexer, of the server and of a run."""

import contextlib
import http.client
import json
import multiprocessing
import os
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hornbook.core.isolation import python, start_beside
from hornbook.core.pool import Local
from hornbook.corpus.ingest import ReadTask, read_unit
from hornbook.workflows.doctor.diagnosis import Diagnosis, beside_the_point, faulty, sound
from hornbook.workflows.doctor.drills import drill
from hornbook.workflows.doctor.drills.material import QUIET, corpus, decoder, text_values, texts
from hornbook.workflows.doctor.killing import apart_after_resuming, killed
from hornbook.workflows.doctor.subject import Subject, open_subject
from hornbook.workflows.documents.indexing import IndexRequest, make_index
from hornbook.workflows.projects.text.project import Text

_REPORT = "Report it, with what was found."
_UNITS, _FILES = 4, 40
_STARTING_S = 60.0
Child = Any
"""A process, as `core.isolation` starts it."""
_LISTENING = re.compile(r"Listening on http://(\S+?)/v1")
_JSON = {"Content-Type": "application/json"}


@drill("corpus_worker", "A worker of the corpus that is killed")
def corpus_worker(subject: Subject) -> Diagnosis:
    """One of two processes that read files dies in the middle; its part is read anew."""
    files = sorted(texts(subject.work / "read", _UNITS * _FILES).iterdir())

    def tasks(out: Path) -> list[ReadTask]:
        out.mkdir()
        parts = (files[i::_UNITS] for i in range(_UNITS))
        return [ReadTask(list(f), f"part-{i}", out, None, False) for i, f in enumerate(parts)]

    books = []
    for number, found in enumerate(Local(2).map(read_unit, tasks(subject.work / "killed"))):
        books.append(found)
        if number == 0:
            worker = multiprocessing.active_children()[0].pid
            assert worker is not None
            os.kill(worker, signal.SIGKILL)
    if books != list(map(read_unit, tasks(subject.work / "left-alone"))):
        return faulty("what was read is not what an undisturbed run reads", _REPORT)
    return sound(f"its part was read anew; all {sum(b.stored for b in books)} texts are there")


@drill("indexer", "An indexer that is killed")
def indexer(subject: Subject) -> Diagnosis:
    """Killed while it reads, the next one goes on; every text is there once."""
    source, index = texts(subject.work / "documents", 400), subject.work / "index"
    command = python("hornbook", "index", str(source), "--out", str(index), "--encoder", "none")
    with (subject.work / "index.log").open("wb") as said, start_beside(command, said, {}) as child:
        began = time.monotonic()
        while child.poll() is None and not list(index.glob("*")):
            if time.monotonic() - began > _STARTING_S:
                break
            time.sleep(0.005)
        time.sleep(0.05)
        finished = child.poll() is not None
        child.kill()
    report = make_index(IndexRequest((str(source),), encoder="none"), index, QUIET)
    if report.documents != 400 or report.refused:
        return faulty(f"the index has {report.documents} of 400 texts afterwards", _REPORT)
    kept = report.unchanged
    how = "after it was done" if finished else f"{kept} texts were committed by then"
    return sound(f"the next run went on; all 400 texts are there once ({how})")


@drill("server", "A server that is killed")
def server(subject: Subject) -> Diagnosis:
    """Killed while it writes an answer, the next one answers at once; it keeps nothing."""
    model = decoder(subject.work / "served")
    asked = {"model": "served", "prompt": "the", "max_tokens": 400}
    with _serving(model, subject.work) as (child, address):
        if not address:
            return beside_the_point("the server could not be started; its parts may be missing")
        connection = http.client.HTTPConnection(address, timeout=30)
        asked["stream"] = True
        connection.request("POST", "/v1/completions", json.dumps(asked), _JSON)
        connection.getresponse().read(1)
        child.kill()
        connection.close()
    before = sorted(path.name for path in model.iterdir())
    with _serving(model, subject.work) as (_, address):
        connection = http.client.HTTPConnection(address, timeout=30)
        connection.request("POST", "/v1/completions", json.dumps({**asked, "stream": False}), _JSON)
        answered = connection.getresponse().status
        connection.close()
    if answered != 200 or before != sorted(path.name for path in model.iterdir()):
        return faulty(f"the next server answers with {answered}", _REPORT)
    return sound("the answer under way was lost; the next server answers, and nothing else is lost")


@contextlib.contextmanager
def _serving(model: Path, work: Path) -> Iterator[tuple[Child, str]]:
    """A server of a model, and its address; "" where it does not start."""
    command = python("hornbook", "serve", str(model), "--port", "0")
    log = work / "serve.log"
    with log.open("wb") as said, start_beside(command, said, {}) as child:
        try:
            yield child, _address(log, child)
        finally:
            child.kill()


def _address(log: Path, child: Child) -> str:
    began = time.monotonic()
    while child.poll() is None and time.monotonic() - began < _STARTING_S:
        if found := _LISTENING.search(log.read_text(encoding="utf-8", errors="replace")):
            return found[1]
        time.sleep(0.05)
    return ""


@drill("run", "A run that is killed")
def training(subject: Subject) -> Diagnosis:
    """Killed after a checkpoint; what goes on from there learns what it would have learned."""
    work = subject.work / "trained"
    project = Text(corpus(work))
    opened = open_subject(None, project, text_values(tokens=10_000), work, subject.clock, QUIET)
    found = killed(opened)
    if not found.saved:
        return faulty(f"no checkpoint was written: {found.said}", _REPORT)
    apart = apart_after_resuming(opened)
    if apart:
        return faulty(f"weights of the resumed run differ by {apart:.2g}", _REPORT)
    return sound("the steps since the checkpoint were computed anew; the weights are the same bits")
