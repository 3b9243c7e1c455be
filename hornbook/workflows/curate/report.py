"""The data card of a corpus as a page: what went in, what came out, and why they differ.

The same facts give the same page.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from hornbook.workflows.report import words
from hornbook.workflows.report.charts import level
from hornbook.workflows.report.page import Section, render

_SECTIONS: tuple[Section, ...] = (
    ("account", "In and out", "输入与保留"),
    ("sources", "Sources and licences", "来源与许可"),
    ("mixture", "Mixture", "混合比例"),
    ("languages", "Languages", "语言"),
    ("text", "Text", "文本"),
    ("rules", "Quality rules", "质量规则"),
    ("duplicates", "Duplicates", "重复"),
    ("personal", "Personal data", "个人信息"),
    ("decontamination", "Decontamination", "评测数据去污染"),
    ("split", "Split", "划分"),
    ("samples", "Samples", "样本"),
    ("quarantine", "Quarantine", "隔离区"),
    ("checksums", "Checksums", "校验和"),
)
_SHOWN = 12
"""Languages that are not folded away."""


def card_page(card: Mapping[str, Any]) -> str:
    """The HTML page of a data card's facts, those of `card.json`.

    Facts that a corpus may lack, and their sections, are left out where they are missing.
    """
    facts = {
        "account": _account(card),
        "sources": True,
        "named": card.get("mixture"),
        "mixture": _mixture(card),
        "languages": _languages(card),
        "text": _text(card),
        "rules": _rules(card),
        "duplicates": card.get("duplicates"),
        "personal": _personal(card),
        "decontamination": card.get("decontamination"),
        "split": _split(card),
        "samples": _samples(card),
        "quarantine": card["quarantine"],
        "checksums": card["checksums"],
    }
    return render(
        "corpus.html.jinja",
        title="Data card · 数据卡",
        sections=[section for section in _SECTIONS if facts[section[0]]],
        facts=facts,
        card=card,
        shown=max(1, min(_SHOWN, sum(row["kept"] > 0 for row in card["languages"]))),
        size=_size,
        percent=_percent,
        level=level,
        personal_name=words.personal_name,
        reason_name=words.reason_name,
        source_name=words.source_name,
    )


def _account(card: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What came in, what was kept, and the reasons of the rest, the largest first."""
    documents, sizes, tokens = card["documents"], card["bytes"], card.get("tokens")
    reasons = [
        reason
        for reason in dict.fromkeys([*documents["dropped"], *sizes["dropped"]])
        if documents["dropped"].get(reason) or sizes["dropped"].get(reason)
    ]
    rows: list[dict[str, Any]] = [
        {
            "kind": kind,
            "documents": documents[kind],
            "bytes": sizes[kind],
            "tokens": tokens and tokens[kind],
        }
        for kind in ("in", "kept")
    ]
    rows += [
        {
            "kind": "dropped",
            "name": words.reason_name(reason),
            "code": reason,
            "documents": documents["dropped"].get(reason, 0),
            "bytes": sizes["dropped"].get(reason, 0),
            "tokens": tokens and tokens["dropped"].get(reason),
        }
        for reason in sorted(reasons, key=lambda reason: -sizes["dropped"].get(reason, 0))
    ]
    return _with_shares(rows, sizes["in"], "bytes")


def _mixture(card: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The sources with their shares of what one pass sees; [] where that is all of one source."""
    rows = [{**row, "seen": row["bytes"]["mixture"]} for row in card.get("mixture") or ()]
    if len(rows) == 1 and rows[0]["copies"] == 1:
        return []
    return _with_shares(rows, sum(row["seen"] for row in rows), "seen")


def _languages(card: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The languages with their shares of the kept bytes, the largest first."""
    rows = [
        {
            **row,
            "name": words.language_name(row["language"]),
            "density": row["bytes"] / row["tokens"] if row.get("tokens") else None,
        }
        for row in card["languages"]
    ]
    rows.sort(key=lambda row: (-row["bytes"], -row["read"]))
    return _with_shares(rows, sum(row["bytes"] for row in rows), "bytes")


def _text(card: Mapping[str, Any]) -> dict[str, Any]:
    """Scripts and lengths of the kept text."""
    lengths = [
        {
            "name": f"{b['from']:,}" + (f"–{b['to'] - 1:,}" if b["to"] - 1 > b["from"] else ""),
            "documents": b["documents"],
        }
        for b in card["lengths"]
    ]
    scripts = [
        {"name": words.script_name(name), "share": share} for name, share in card["scripts"].items()
    ]
    return {
        "scripts": scripts,
        "lengths": _with_shares(lengths, sum(row["documents"] for row in lengths), "documents"),
    }


def _rules(card: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Each rule with the share of the documents it judged that it hit."""
    return [
        {
            **found,
            "kind": kind,
            "name": words.rule_name(kind),
            "source": words.rule_source(kind),
            "share": _share(found["hits"], found["judged"]),
        }
        for kind, found in card["rules"].items()
    ]


def _personal(card: Mapping[str, Any]) -> dict[str, Any]:
    """What was replaced, by kind, and what share of planted identities was found."""
    recall = [
        {**row, "name": words.personal_name(kind), "share": _share(row["found"], row["planted"])}
        for kind, row in (card.get("pii_recall") or {}).items()
    ]
    return {"replaced": card["pii"], "recall": recall}


def _split(card: Mapping[str, Any]) -> list[dict[str, Any]]:
    names = {"train": ("training", "训练"), "validation": ("validation, held out", "验证（留出）")}
    rows = [{**side, "name": names.get(kind, (kind, kind))} for kind, side in card["split"].items()]
    return _with_shares(rows, sum(row["bytes"] for row in rows), "bytes")


def _samples(card: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The kept samples and those of each reason, without empty groups."""
    samples = card.get("samples") or {}
    groups = [{"reason": "", "rows": samples.get("kept", ())}]
    groups += [
        {"reason": reason, "rows": rows} for reason, rows in samples.get("dropped", {}).items()
    ]
    return [group for group in groups if group["rows"]]


def _with_shares(rows: Sequence[dict[str, Any]], whole: float, key: str) -> list[dict[str, Any]]:
    return [{**row, "share": _share(row[key], whole)} for row in rows]


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


def _percent(share: float) -> str:
    """Never 0 or 100 % for what is not."""
    if 0 < share < 0.001:
        return "<0.1 %"
    if 0.999 < share < 1:
        return ">99.9 %"
    return f"{share:.1%}".replace("%", " %")


def _size(count: float) -> str:
    """Bytes with three digits or so: 999 bytes, 1.23 kB, 45.6 MB."""
    if count < 1000:
        return f"{count:,.0f} B"
    for unit in ("kB", "MB", "GB", "TB"):
        count /= 1000
        if count < 999.5 or unit == "TB":
            break
    places = 2 if count < 10 else 1 if count < 100 else 0
    return f"{count:,.{places}f} {unit}"
