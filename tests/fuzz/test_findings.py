"""What a hunt has found stays mended: every kept mutant opens or is refused. In the fast set."""

import json

import pytest

from tests.fuzz.hunt import FINDINGS, Child, format_of, prepared

KEPT = {path: json.loads(path.read_text()) for path in sorted(FINDINGS.glob("*.json"))}


def alike(fact):
    """Formats of a module that are prepared and used by the same functions share a process."""
    form = format_of(fact["module"], fact["format"])
    prepare = getattr(form.prepare, "func", form.prepare)
    return fact["module"], prepare.__name__, form.use.__name__


@pytest.mark.parametrize("kind", sorted(set(map(alike, KEPT.values()))), ids="-".join)
def test_a_finding_stays_mended(kind, tmp_path):
    facts = {path: fact for path, fact in KEPT.items() if alike(fact) == kind}
    module, name = kind[0], next(iter(facts.values()))["format"]
    child = Child(module, name, prepared(format_of(module, name), tmp_path), seed=0)
    try:
        for path, fact in facts.items():
            asked = {"file": fact["file"], "from": str(path.with_suffix(".bytes").absolute())}
            found = child.ask(asked, seconds=60)
            assert found["verdict"] in ("opened", "refused"), (path.name, found)
    finally:
        child.end()
