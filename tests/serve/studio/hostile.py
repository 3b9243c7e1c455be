"""A work folder in which everything that is shown says script tags."""

import json
import shutil

from hornbook.corpus.build import build
from hornbook.corpus.recipe import CorpusRecipe
from tests.serve.studio.conftest import HOSTILE
from tests.tiny import QUIET

RULE = "gopher_word_count"
RECIPE = CorpusRecipe(rules={RULE: {"least": 40}})
NAME = "<img src=x onerror=alert(1)>"
"""What fits into the name of a file."""
PAGES = (
    "/models", "/model?origin=folder&name=network", "/corpora", "/corpus?id=corpus",
    "/corpus/documents?id=corpus", "/corpus/documents?id=corpus&reason=too few or too many words",
    f"/corpus/review?id=corpus&rule={RULE}", "/compare", "/comparison?id=comparison",
    "/comparison?id=failed", "/understand/explain", "/understand/biography",
    "/understand/memorization", "/understand/claims", "/understood?id=understood/explain-1",
    "/understood?id=understood/memorization-1", "/command?id=commands/filter-1",
    "/command?id=commands/doctor-1",
)  # fmt: skip
"""On which all of it is shown."""
_ROW = {"score": 0.5, "low": 0.4, "high": 0.6, "seconds": 1.0, "latency_ms": 1.0, "model_bytes": 9}
_BEHIND = {"accuracy": {"value": 0.0, "low": 0.0, "high": 0.1}, "p": 0.5}
_OVERLAP = {"characters": 9, "covered": 3, "longest": 3, "text": HOSTILE}
_PLACES = [{"document": HOSTILE, "page": None, "offset": 0}]


def write_job(work, out, command, answered, said=HOSTILE):
    """The files of a command that ended."""
    place = work / ".studio" / out.replace("/", ".")
    place.mkdir(parents=True)
    facts = {"out": out, "command": command, "pid": 1, "started": "2026-01-01T00:00:00+00:00"}
    (place / "job.json").write_text(json.dumps(facts))
    (place / "log.txt").write_text(said)
    (place / "answer.json").write_text(json.dumps(answered))


def write_corpus(folder, out):
    """A corpus of eight texts that were kept and four that a rule dropped, a copy, a broken one."""
    folder.mkdir()
    for i in range(12):
        text = f"Letter {i} of a long morning {HOSTILE}. " * (8 + i) if i % 3 else f"{HOSTILE} {i}"
        (folder / f"{NAME} {i}.txt").write_text(text)
    shutil.copy(folder / f"{NAME} 1.txt", folder / "copy.txt")
    (folder / "broken.json").write_text("{")
    build([folder], out, RECIPE, QUIET)


def write_hostile(work, beside):
    """All of it; beside: a folder for what it is made of."""
    beside.mkdir(parents=True, exist_ok=True)
    model = work / "network"
    model.mkdir(parents=True)
    (model / "config.json").write_text(json.dumps({"model_type": HOSTILE}))
    (model / "README.md").write_text(HOSTILE)
    parity = {"max_logit_difference": 0.1, "same_greedy": True, "bits_per_byte_change": 0.0}
    certificate = {"from": HOSTILE, "type": HOSTILE, "parity": parity}
    certificate |= {"bytes": {"before": 1, "after": 1}, "tolerance": {"met": False}}
    (model / "parity.json").write_text(json.dumps(certificate))
    write_corpus(beside / "text", work / "corpus")
    comparison = work / "comparison"
    comparison.mkdir()
    rows = [{**_ROW, "name": HOSTILE, "behind_best": _BEHIND, "remark": HOSTILE}]
    result = {
        "task": "classify", "rows": [*rows, {"name": HOSTILE, "error": HOSTILE}], "labels": ["x"],
        "judged": 10, "smallest_difference": 0.1, "notes": [HOSTILE], "curve": [],
        "verdict": {"choose": HOSTILE, "best": "x", "reason": HOSTILE},
    }  # fmt: skip
    result["curve"] = [{**_ROW, "name": HOSTILE, "texts": 10}]
    (comparison / "result.json").write_text(json.dumps(result))
    claims = work / "claims"
    claims.mkdir()
    one = {"name": HOSTILE, "verdict": HOSTILE, "sentence": HOSTILE, "zh": {"sentence": HOSTILE}}
    tried = {"claims": [one | {"value": 0.1, "low": 0.0, "high": 0.2}, {}]}
    (claims / "result.json").write_text(json.dumps(tried))
    (claims / "report.html").write_text("<p>Claims.</p>")
    for out, command in (
        ("pull-x", ["pull"]), ("failed", ["compare"]), ("corpus-x", ["corpus", "build"]),
        ("understood/explain-1", ["explain"]), ("understood/biography-1", ["biography"]),
    ):  # fmt: skip
        write_job(work, out, command, {"error": HOSTILE})
    write_job(work, "exports/x", ["export"], {})
    rows = [{"text": HOSTILE, "score": 0.5, HOSTILE: [HOSTILE, {HOSTILE: None}], "yes": True}] * 3
    facts = {
        "rows": rows,
        "name": HOSTILE,
        HOSTILE: {HOSTILE: {"deep": rows}},
        "list": [HOSTILE, 1],
    }
    write_job(work, "commands/filter-1", ["filter", HOSTILE, "--json"], facts)
    write_job(work, "commands/doctor-1", ["doctor", HOSTILE], {"error": HOSTILE})
    remembered = {"run": HOSTILE, "overlap": {**_OVERLAP, "places": _PLACES}, "canaries": None}
    remembered["membership"] = {"value": 0.5, "low": 0.4, "high": 0.6}
    write_job(work, "understood/memorization-1", ["memorization"], remembered)
    check = {"name": HOSTILE, "title": HOSTILE, "found": HOSTILE, "advice": HOSTILE}
    checks = [check | {"status": status} for status in ("ok", "warning", "fault", HOSTILE)]
    for out in ("doctor", "doctor-folder-network"):
        write_job(work, out, ["doctor"], {"checks": checks})
