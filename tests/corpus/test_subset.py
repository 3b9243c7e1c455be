"""A part of a corpus's training text has its size to the byte; what is held out stays."""

import pytest

from hornbook.core.progress import Progress
from hornbook.corpus.build import build
from hornbook.corpus.subset import CorpusSubset


def corpus_of(folder, texts):
    (folder / "texts").mkdir()
    for number, text in enumerate(texts):
        (folder / "texts" / f"{number:03}.txt").write_text(text)
    return build([folder / "texts"], folder / "corpus", progress=Progress(quiet=True))


def many(count):
    return [f"Chapter {i}: the wind of day {i * 7} blew.\n" * (2 + i % 9) for i in range(count)]


@pytest.mark.parametrize("texts", [many(60), ["\n\n".join(many(200))]], ids=["many", "one book"])
@pytest.mark.parametrize("share", [0.5, 0.03])
def test_its_size_is_kept_to_the_byte(tmp_path, texts, share):
    whole = corpus_of(tmp_path, texts)
    most = int(share * whole.mixture_bytes)
    part = CorpusSubset(whole, most, 0)
    found = list(part.texts("train"))
    assert sum(len(text.encode()) for text in found) == most == part.mixture_bytes
    assert [document.text for document in part.mixture()] == found
    assert part.bytes("train") == most
    assert part.count("train") == len(found)
    everything = list(whole.texts("train"))
    assert sum(text in everything for text in found) >= len(found) - 1
    assert all(any(other.startswith(text) for other in everything) for text in found)


def test_what_is_held_out_stays(tmp_path):
    whole = corpus_of(tmp_path, many(60))
    part = CorpusSubset(whole, whole.mixture_bytes // 3, 0)
    assert list(part.texts("validation")) == list(whole.texts("validation"))
    assert part.bytes("validation") == whole.bytes("validation")


def test_parts_are_told_apart_and_know_what_they_are_of(tmp_path):
    whole = corpus_of(tmp_path, many(60))
    parts = [
        CorpusSubset(whole, size, seed) for size, seed in ((900, 0), (901, 0), (900, 1), (900, 0))
    ]
    prints = [part.fingerprint for part in parts]
    assert len({whole.fingerprint, *prints}) == 4
    assert prints[0] == prints[3]
    assert {part.built for part in parts} == {whole.fingerprint}


def test_a_character_is_left_out_rather_than_broken(tmp_path):
    whole = corpus_of(tmp_path, [text.replace("wind", "vént→") for text in many(60)])
    for most in range(500, 540):
        size = sum(len(text.encode()) for text in CorpusSubset(whole, most, 0).texts("train"))
        assert most - 3 <= size <= most
