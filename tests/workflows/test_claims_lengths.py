"""Translators of claims: pairs that are made, and real ones by their file names."""

import gzip

from hornbook.datasets.pairs import read_pairs
from hornbook.workflows.claims import lengths
from hornbook.workflows.claims.lab import Lab
from tests.tiny import QUIET


def pairs_of(lab):
    return {part: list(read_pairs([file])) for part, file in lengths._files(lab).items()}


def test_made_pairs_are_rows_and_the_same_backwards(tmp_path, monkeypatch):
    monkeypatch.setitem(lengths._MOST, "train", 3_000)
    found = pairs_of(Lab(tmp_path, None, 1, QUIET))
    for pairs in found.values():
        assert all(one.source.split() == one.target.split()[::-1] for one in pairs)
    sizes = {len(one.source.split()) for one in found["test"]}
    assert min(sizes) == 2 and max(sizes) == 16
    train = {one.source for one in found["train"] if len(one.source.split()) > 3}
    assert not train & {one.source for one in found["test"]}, "no text is on both sides"


def test_real_pairs_are_found_by_their_names(tmp_path):
    folder = tmp_path / "data" / "mt_multi30k"
    folder.mkdir(parents=True)
    for part, name in lengths._FILES.items():
        for side in ("de", "en"):
            (folder / f"{name}.{side}.gz").write_bytes(gzip.compress(f"{part} {side}\n".encode()))
    found = pairs_of(Lab(tmp_path / "lab", tmp_path / "data", 1, QUIET))
    assert found == {part: [(f"{part} de", f"{part} en")] for part in lengths._FILES}
