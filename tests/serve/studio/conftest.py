"""A studio on a real port, with a work folder in which a run was finished."""

import contextlib
import json
from pathlib import Path

import pytest
import typer

from hornbook.cli import app
from hornbook.cli.command_forms import command_forms
from hornbook.core.yaml_text import write_yaml
from hornbook.serve.config import ServeConfig
from hornbook.serve.shelf import Shelf
from hornbook.serve.state import ServerState
from hornbook.serve.studio.app import create_studio
from hornbook.serve.studio.config import StudioConfig
from tests import web
from tests.serve.conftest import listening

KEY = "the-key-of-this-studio"
FORMS = command_forms(typer.main.get_command(app))
HOSTILE = "<script>document.title='taken'</script><img src=x onerror=alert(1)>\"'&"


def write_run(folder: Path, steps=40, rows=None, finished=True, text="春眠"):
    """The files of a run, as training writes them."""
    folder.mkdir(parents=True)
    recipe = {"kind": "text", "loop": {"steps": steps}, "choices": [["depth", 2, text]]}
    (folder / "recipe.yaml").write_text(write_yaml(recipe))
    with (folder / "metrics.jsonl").open("w") as log:
        for step in range(1, (rows or steps) + 1):
            row = {"step": step, "kind": "train", "tokens": 128 * step, "loss": 5 - step / steps}
            log.write(json.dumps({**row, "gradient_norm": 1.0, "elapsed_s": step / 10}) + "\n")
            if step % (steps // 4) == 0:
                row = {"step": step, "kind": "validation", "tokens": 128 * step}
                row |= {"bits_per_byte": 3 - step / steps, "elapsed_s": step / 10}
                log.write(json.dumps(row) + "\n")
    sample = {"step": steps // 2, "kind": "sample", "tokens": 1, "prompt": text, "text": text}
    (folder / "samples.jsonl").write_text(json.dumps(sample) + "\n")
    (folder / "floors").mkdir()
    (folder / "floors" / "floors.json").write_text(json.dumps({"gzip": 2.5, "ngram": 2.2}))
    if finished:
        result = {"kind": "text", "steps": steps, "seconds": steps / 10, "peak_bytes": 10**9}
        result |= {"bits_per_byte": {"value": 2.0, "low": 1.9, "high": 2.1}}
        (folder / "result.json").write_text(json.dumps(result))
        (folder / "report.html").write_text(f"<script>{'1'}</script><p>{text}</p>")


FORETOLD = {
    "kind": "text", "steps": 1200, "passes": 2.5, "prepared_s": 20.0, "training_s": 400.0,
    "ending_s": 30.0, "peak_bytes": 2_000_000_000, "disk_bytes": 50_000_000, "targets": "tokens",
    "score": {"measure": "bits_per_byte", "value": 1.7, "low": 1.5, "high": 1.9},
    "choices": [
        {"name": "depth", "value": 4, "reason": HOSTILE, "key": "plan.depth"},
        {"name": "steps", "value": 9, "reason": "as asked for", "key": None},
    ],
}  # fmt: skip


def write_forecast(folder: Path, name, said=None):
    """A forecast that ended, as its process leaves it."""
    place = folder / ".studio" / f"{name}.forecast"
    place.mkdir(parents=True)
    printed = json.dumps(FORETOLD) if said is None else said
    (place / "log.txt").write_text("Rehearsing ...\n")
    (place / "answer.json").write_text(printed)
    command = ["quickstart", "--set=plan.depth=4", "--dry-run", "--json"]
    facts = {"out": place.name, "command": command, "pid": 1}
    (place / "job.json").write_text(json.dumps(facts | {"started": "2026-01-01T00:00:00+00:00"}))


class OpenStudio:
    """What tests ask a studio by, as a browser that has shown the key."""

    def __init__(self, url, folder, cookies):
        self.url, self.folder, self.cookies = url, folder, cookies

    def get(self, path, **options):
        headers = {"Accept": "text/html", **options.pop("headers", {})}
        return web.get(
            self.url + path, cookies=self.cookies, headers=headers, timeout=30, **options
        )

    def post(self, path, values, **options):
        return web.post(self.url + path, data=values, cookies=self.cookies, timeout=60, **options)

    def put(self, path, body):
        return web.put(self.url + path, content=body, cookies=self.cookies, timeout=30)


@contextlib.contextmanager
def open_studio(folder, key=KEY, port=0, **values):
    """One of a work folder, until the end of the block."""
    config = ServeConfig(key=key)
    state = ServerState(config, Shelf({}, config))
    studio = StudioConfig(folder=folder, commands=FORMS, **values)
    with listening(create_studio(state, studio), port=port) as url:
        found = web.get(f"{url}/enter", params={"key": key})
        assert found.status_code == 303
        yield OpenStudio(url, folder, dict(found.cookies))


@pytest.fixture(scope="session")
def studio(tmp_path_factory):
    folder = tmp_path_factory.mktemp("studio") / "work"
    write_run(folder / "tablet")
    write_run(folder / "deep" / "letters", rows=20, finished=False, text=HOSTILE)
    with open_studio(folder, upload_bytes=1000, upload_files=3) as found:
        yield found
