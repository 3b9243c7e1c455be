"""Where sentences end: in law, medicine, German, Chinese, and in the abstracts of SciFact."""

import gzip
import itertools
import json
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from hornbook.retrieve.passages import passages
from hornbook.retrieve.sentences import sentences

CASES = {
    "German law": (
        "de",
        "Der Anspruch folgt aus § 280 Abs. 1 S. 1 BGB i.V.m. Art. 2 GG. | Das OLG hat am 3. Mai "
        "2019 entschieden (vgl. BGH, Urt. v. 12.03.2015, Az. IX ZR 12/14, Rn. 15 f.). | Die "
        "Klägerin, z. B. als Mieterin, hat ggf. einen Anspruch. | Das gilt seit 1990. | Der 2. "
        "Senat sah das anders.",
    ),
    "German medicine": (
        "de",
        "Z. n. Appendektomie 2012, seitdem o. B. | Der Pat. erhält Ramipril 5 mg p.o. und ggf. "
        "Metoprolol. | RR 120/80 mmHg, Temp. 37,2 °C. | Entlassung am 14. Juli geplant.",
    ),
    "English law": (
        "en",
        "The Court held in Smith v. Jones, 123 U.S. 456 (1990), that Art. 5 applies. | See id. at "
        "12. | Pursuant to 42 U.S.C. § 1983, plaintiff J. R. Miller Jr. sued Acme Inc. and others. "
        "| He lost. | No. 12-345 was dismissed under Fed. R. Civ. P. 12(b)(6). | Acme appealed.",
    ),
    "English medicine": (
        "en",
        "Dr. Brown gave 2.5 mg i.v. b.i.d. for 3 days. | The pt. had a temp. of 38.5 °C. | Was E. "
        "coli found? | Yes! | It was vitamin C. | The rest is in Fig. 3. | mRNA levels fell (P < "
        "0.05 vs. controls). | We used the method of Lee et al. in 1990.",
    ),
    "quotes and brackets": (
        "en",
        '"Is it?" he asked. | "It is." | She left (see above.) | Then 12 men came. | The mark “ '
        "has no partner. | Text goes on. | And on…",
    ),
    "French": ("fr", "M. Dupont, cf. art. 12 al. 2 C. civ., a dit non. | Il est parti."),
    "Chinese": (
        "zh",
        "他说：“你好吗？”|我说：“很好。”|然后我们走了。|真的吗？！|是的……也许吧。|甲方应在2019年内付3.5万元；乙方同意。",
    ),
    "Japanese": ("ja", "「行こう。」と彼は言った。|雨が降る。"),
    "Hindi": ("hi", "यह एक वाक्य है। | दूसरा वाक्य।"),
    "Arabic": ("ar", "هل هذا صحيح؟ | نعم."),
    "lines": ("en", "# A heading\n|Text begins here.\n\n|A title without stop\n\n|- one\n|- two"),
    "rows": (
        "en",
        "The rents are:\n|Mill\t300 euros\n|Barn\t200 euros\n|They are due\nin May. | It ends.",
    ),
    "rows of Markdown": ("en", "# Rents\n|\\ Mill \\ 300 \\\n|\\ Barn \\ 200 \\"),
    "a line that a tab opens": ("en", "\tThe tenant pays the rent in\nadvance. | It is due."),
    "dots that lead": ("en", "Contents . . . . . . 12. | Nothing else."),
}


@pytest.mark.parametrize("name", CASES)
def test_cases(name):
    language, marked = CASES[name]
    wanted = [part.strip() for part in marked.split("|")]
    text = marked.replace("| ", "").replace("|", "").replace("\\", "|")
    wanted = [part.replace("\\", "|") for part in wanted]
    assert [text[span.start : span.end] for span in sentences(text, language)] == wanted


TEXTS = some.lists(
    some.sampled_from(
        [*'.!?。！？…"“”()[]\n\f', "\n\n", " ", "Dr", "z. B", "A", "word", "第", "# ", "- "]
    )
).map("".join)


@settings(max_examples=30, deadline=None)
@given(TEXTS, some.sampled_from(["en", "de", "zh", ""]))
def test_all_that_is_no_white_space_is_in_one_sentence_and_in_one_passage(text, language):
    for cut in (sentences, passages):
        spans = cut(text, language)
        assert all(span.start < span.end for span in spans)
        assert all(a.end <= b.start for a, b in itertools.pairwise(spans))
        joined = "".join(text[span.start : span.end] for span in spans)
        assert "".join(joined.split()) == "".join(text.split())
        assert all(text[s.start : s.end].strip() == text[s.start : s.end] for s in spans) or (
            cut is passages
        )


def test_passages_begin_with_headings_and_hold_whole_sentences():
    body = " ".join(f"Sentence number {i} says a little." for i in range(80))
    text = f"# One\n\n{body}\n\n# Two\n\n{body}\n\n§ 12 Liability\n{body}"
    found = [text[span.start : span.end] for span in passages(text, "en")]
    assert all(len(piece) <= 1200 for piece in found)
    assert all(piece.endswith("little.") for piece in found)
    starts = [piece for piece in found if not piece.startswith("Sentence")]
    assert [piece[:5] for piece in starts] == ["# One", "# Two", "§ 12 "]


def borders(marked):
    """Where one of the parts ends and another begins, both with words in them."""
    found, place = set(), 0
    for part, after in itertools.pairwise(marked):
        place += len(part)
        if any(map(str.isalnum, part)) and any(map(str.isalnum, after)):
            found.add(place)
        place += 1
    return found


@pytest.mark.data
def test_borders_of_abstracts():
    """F1 over 42,000 borders. Dots that lead the eye are no sentences; the data has each as one."""
    path = Path(os.environ["HORNBOOK_DATA"]) / "retrieval_scifact" / "corpus.jsonl.gz"
    right = ours = both = 0
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for row in map(json.loads, lines):
            wanted, text = borders(row["sentences"]), row["text"]
            found = {span.end for span in sentences(text, "en")[:-1]}
            right, ours, both = right + len(wanted), ours + len(found), both + len(wanted & found)
    assert right > 39_000
    assert 2 * both / (right + ours) >= 0.985
