"""The data card as text: measured facts only.

Knows the facts' names; measures nothing.
"""

from typing import Any


def card_text(card: dict[str, Any]) -> str:
    """Markdown of a card's facts."""
    documents, size = card["documents"], card["bytes"]
    lines = [
        "# Data card",
        "",
        f"{documents['in']:,} records in, {documents['kept']:,} documents kept, "
        f"{sum(documents['dropped'].values()):,} dropped.",
        f"{size['in']:,} bytes in, {size['kept']:,} kept.",
        "",
        "## Sources",
        "",
        "| format | files | bytes |",
        "|---|---|---|",
        *(
            f"| {s['format']} | {_number(s['files'])} | {_number(s['bytes'])} |"
            for s in card["sources"]
        ),
        "",
        "## Kept and dropped",
        "",
        "| | documents | bytes |",
        "|---|---|---|",
        f"| in | {documents['in']:,} | {size['in']:,} |",
        f"| kept | {documents['kept']:,} | {size['kept']:,} |",
        *(
            f"| dropped: {reason} | {count:,} | {size['dropped'][reason]:,} |"
            for reason, count in documents["dropped"].items()
        ),
        "",
        *_judged(card),
        "## Text",
        "",
        f"{card['characters']:,} characters. Letters by script: "
        + ", ".join(f"{name} {share:.1%}" for name, share in card["scripts"].items())
        + ".",
        "",
        *(_fields(card["fields"])),
        "| characters | documents |",
        "|---|---|",
        *(f"| {b['from']:,} to {b['to']:,} | {b['documents']:,} |" for b in card["lengths"]),
        "",
        "## Split",
        "",
        _how(card),
        "",
        "| side | documents | bytes |",
        "|---|---|---|",
        *(f"| {side} | {n['documents']:,} | {n['bytes']:,} |" for side, n in card["split"].items()),
    ]
    lines += ["", "## Checksums", "", "| file | BLAKE2b, 128 bits |", "|---|---|"]
    lines += [f"| {name} | {digest} |" for name, digest in card["checksums"].items()]
    if card["quarantine"]:
        lines += [
            "",
            "## Quarantine (first records of each reason)",
            "",
            "| file | line | reason | detail |",
        ]
        lines += ["|---|---|---|---|"]
        lines += [
            f"| {_cell(q['file'])} | {_number(q['line'])} | {q['reason']} | {_cell(q['detail'])} |"
            for q in card["quarantine"]
        ]
    return "\n".join(lines) + "\n"


def _judged(card: dict[str, Any]) -> list[str]:
    """Languages, what each rule hit, personal data."""
    lines = [
        "## Languages",
        "",
        "| language | read | kept by language and rules |",
        "|---|---|---|",
    ]
    lines += [
        f"| {row['language'] or 'unknown'} | {row['read']:,} | {row['kept_by_tags']:,} |"
        for row in card["languages"]
    ]
    if card["rules"]:
        lines += ["", "## Rules", "", "| rule | judged | hit |", "|---|---|---|"]
        lines += [
            f"| {kind} | {found['judged']:,} | {found['hits']:,} |"
            for kind, found in card["rules"].items()
        ]
    if card["pii"]:
        lines += ["", "## Personal data replaced", "", "| kind | found |", "|---|---|"]
        lines += [f"| {kind} | {count:,} |" for kind, count in card["pii"].items()]
    return [*lines, ""]


def _fields(fields: dict[str, int]) -> list[str]:
    if not fields:
        return []
    named = ", ".join(f"`{name}` ({count:,} documents)" for name, count in fields.items())
    return [f"Text taken from the field {named}.", ""]


def _how(card: dict[str, Any]) -> str:
    if card["section"] is None:
        near = "" if card["near_mode"] == "ignore" else " and near copies"
        return f"Whole documents, by content hash: copies{near} always fall on one side."
    return (
        f"Documents are cut into sections of about {card['section']:,} characters, split by "
        "content hash, because whole documents could not be split fairly. Held-out sections have "
        "neighbours in the training text."
    )


def _number(value: int | None) -> str:
    return "" if value is None else f"{value:,}"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
