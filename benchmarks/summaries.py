"""Summaries without a decoder beside lead-3: `python -m benchmarks.summaries [--texts N]`.

The first texts of SciTLDR's test part and of the BBC's news (HORNBOOK_DATA) are summarised in three
sentences, as `hornbook summarize` does it with the pulled encoder that fits, and compared with what
people wrote or chose by ROUGE-1 (the best of several references). The gain over the first three
sentences has an interval from pairs. Nothing here is chosen on these texts.
"""

import argparse
import gzip
import json
import os
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from statistics import mean
from typing import Any

from benchmarks.common import report
from hornbook.core.progress import Progress
from hornbook.core.stats import bootstrap_ratio
from hornbook.evaluate.rouge import rouge
from hornbook.workflows.documents.summarize import SourceText, summarize_documents
from hornbook.workflows.use.summarize import SummarizeConfig

_SENTENCES = 3


def main() -> None:
    """Print the JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texts", type=int, default=200, help="of each set")
    asked = parser.parse_args()
    data = Path(os.environ["HORNBOOK_DATA"])
    found = {
        "scitldr": measured(islice(_abstracts(data), asked.texts)),
        "bbc": measured(islice(_news(data), asked.texts)),
    }
    report(ours=found, peers={}, ratio=None)


def measured(rows: Iterator[tuple[str, Sequence[str]]]) -> dict[str, Any]:
    """ROUGE-1 of both, and what ours gains."""
    ours, lead = list[float](), list[float]()
    for text, references in rows:
        config = SummarizeConfig(sentences=_SENTENCES, lead=_SENTENCES)
        source = SourceText(0, "", text)
        found = summarize_documents(None, [source], config, Progress(quiet=True))
        ours.append(max(rouge(found["extractive"], one)["rouge1"] for one in references))
        lead.append(max(rouge(found["lead"], one)["rouge1"] for one in references))
    gained = [one - other for one, other in zip(ours, lead, strict=True)]
    gain = bootstrap_ratio(gained, [1.0] * len(gained), 0)._asdict()
    return {
        "texts": len(ours), "ours": round(mean(ours), 4), "lead": round(mean(lead), 4),
        "gain": gain,
    }  # fmt: skip


def _abstracts(data: Path) -> Iterator[tuple[str, Sequence[str]]]:
    for row in _rows(data / "summ_scitldr" / "test.jsonl.gz"):
        yield " ".join(row["source"]), row["target"]


def _news(data: Path) -> Iterator[tuple[str, Sequence[str]]]:
    for number, row in enumerate(_rows(data / "news_bbc" / "bbc.jsonl.gz")):
        if number % 20 == 0:  # of all kinds
            yield row["text"], [row["summary"]]


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        yield from map(json.loads, lines)


if __name__ == "__main__":
    main()
