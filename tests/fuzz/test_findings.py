"""What a hunt has found stays mended: every kept mutant opens or is refused. In the fast set."""

import itertools
import json

import pytest

from tests.fuzz.hunt import FINDINGS, Child, format_of, prepared

KEPT = sorted(FINDINGS.glob("*.json"))
BY_FORMAT = {
    key: list(group)
    for key, group in itertools.groupby(KEPT, key=lambda path: path.name.rsplit("-", 1)[0])
}


@pytest.mark.parametrize("name", BY_FORMAT)
def test_a_finding_stays_mended(name, tmp_path):
    facts = [json.loads(path.read_text()) for path in BY_FORMAT[name]]
    module = facts[0]["module"]
    child = Child(module, name, prepared(format_of(module, name), tmp_path), seed=0)
    try:
        for path, fact in zip(BY_FORMAT[name], facts, strict=True):
            asked = {"file": fact["file"], "from": str(path.with_suffix(".bytes").absolute())}
            found = child.ask(asked, seconds=60)
            assert found["verdict"] in ("opened", "refused"), (path.name, found)
    finally:
        child.end()
