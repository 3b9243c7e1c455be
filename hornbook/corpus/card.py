"""The data card as text: measured facts only."""

from collections.abc import Iterable, Sequence
from typing import Any

from hornbook.read.documents import CONTROLS, LEFT_OUT, PAGES_WITHOUT_TEXT, REPEATED_LINES, REPLACED


def card_text(card: dict[str, Any]) -> str:
    """Markdown of a card's facts."""
    sections = (
        _summary(card),
        _sources(card),
        _kept(card),
        _languages(card),
        _rules(card),
        _duplicates(card),
        _decontamination(card),
        _personal(card),
        _text(card),
        _split(card),
        _samples(card),
        _checksums(card),
        _quarantine(card),
    )
    return "\n\n".join("\n".join(section) for section in sections if section) + "\n"


def _summary(card: dict[str, Any]) -> list[str]:
    documents, size = card["documents"], card["bytes"]
    lines = [
        "# Data card",
        "",
        f"{documents['in']:,} records in, {documents['kept']:,} documents kept, "
        f"{sum(documents['dropped'].values()):,} dropped.",
        f"{size['in']:,} bytes in, {size['kept']:,} kept.",
    ]
    if "tokens" in card:
        tokens, tokenizer = card["tokens"], card["tokenizer"]
        lines.append(
            f"{tokens['in']:,} tokens in, {tokens['kept']:,} kept, by {tokenizer['name']} "
            f"({tokenizer['vocabulary']:,} tokens)."
        )
    return lines + [f"Warning: {warning}" for warning in card["warnings"]]


def _sources(card: dict[str, Any]) -> list[str]:
    formats = ((s["format"], _number(s["files"]), _number(s["bytes"])) for s in card["sources"])
    unit = "tokens" if "tokens" in card else "bytes"
    rows = (
        (
            _cell(source["name"]),
            _cell(source["licence"]) or "not stated",
            f"{source['documents']['in']:,}",
            f"{source['documents']['kept']:,}",
            *(f"{source[unit][what]:,}" for what in ("in", "kept", "mixture")),
            f"{source['copies']:.2f}",
        )
        for source in card["mixture"]
    )
    names = ("source", "licence", "documents in", "kept", f"{unit} in", "kept", "in one pass")
    return [
        "## Sources",
        "",
        *_table(("format", "files", "bytes"), formats),
        "",
        *_table((*names, "copies"), rows),
    ]


def _kept(card: dict[str, Any]) -> list[str]:
    units = [unit for unit in ("documents", "bytes", "tokens") if unit in card]
    reasons = {reason: None for unit in units for reason in card[unit]["dropped"]}
    rows = [
        ("in", *(f"{card[unit]['in']:,}" for unit in units)),
        ("kept", *(f"{card[unit]['kept']:,}" for unit in units)),
    ]
    rows += [
        (f"dropped: {reason}", *(_number(card[unit]["dropped"].get(reason)) for unit in units))
        for reason in reasons
    ]
    return ["## Kept and dropped", "", *_table(("", *units), rows)]


def _languages(card: dict[str, Any]) -> list[str]:
    counted = "tokens" in card
    rows = (
        (
            row["language"] or "unknown",
            f"{row['read']:,}",
            f"{row['kept']:,}",
            f"{row['bytes']:,}",
            *([f"{row['bytes'] / max(1, row['tokens']):.2f}"] if counted else []),
        )
        for row in card["languages"]
    )
    names = ("language", "read", "kept", "kept bytes", *(["bytes a token"] if counted else []))
    return ["## Languages", "", *_table(names, rows)]


def _rules(card: dict[str, Any]) -> list[str]:
    if not card["rules"]:
        return []
    rows = ((k, f"{found['judged']:,}", f"{found['hits']:,}") for k, found in card["rules"].items())
    return ["## Rules", "", *_table(("rule", "judged", "hit"), rows)]


def _duplicates(card: dict[str, Any]) -> list[str]:
    found = card["duplicates"]
    lines = [
        "## Duplicates",
        "",
        f"Dropped: {found['exact']:,} with the same text, {found['url']:,} of the same address, "
        f"{found['near']:,} near duplicates. {found['paragraphs']:,} paragraphs taken out.",
    ]
    if not found["groups"]:
        return lines
    rows = (
        (f"{group['size']:,}", _cell(group["first"]), f"{group['similarity']:.2f}")
        for group in found["groups"]
    )
    return [*lines, "", *_table(("near duplicates", "first", "least similarity to it"), rows)]


def _decontamination(card: dict[str, Any]) -> list[str]:
    if "decontamination" not in card:
        return []
    found = card["decontamination"]
    rows = (
        (_cell(f["file"]), f"{f['items']:,}", f"{f['too_short']:,}", f"{f['found']:,}")
        for f in found["files"]
    )
    names = ("evaluation file", "items", "too short to look for", "documents with one")
    dropped = f"{found['documents']:,} documents held evaluation data and were dropped."
    return ["## Evaluation data", "", dropped, "", *_table(names, rows)]


def _personal(card: dict[str, Any]) -> list[str]:
    recall = card.get("pii_recall", {})
    if not card["pii"] and not recall:
        return []
    rows = (
        (kind, _number(card["pii"].get(kind, 0)), _recall(recall.get(kind)))
        for kind in dict.fromkeys([*card["pii"], *recall])
    )
    names = ("kind", "found", "recall on planted identities")
    return ["## Personal data replaced", "", *_table(names, rows)]


def _recall(found: dict[str, Any] | None) -> str:
    if found is None:
        return ""
    share = found["found"] / found["planted"]
    return f"{share:.1%} of {found['planted']:,} ({found['low']:.1%} to {found['high']:.1%})"


_NOTED = {
    REPLACED: ("character could not be decoded", "characters could not be decoded"),
    CONTROLS: ("control character was taken out", "control characters were taken out"),
    PAGES_WITHOUT_TEXT: ("page holds no text", "pages hold no text (scans need OCR first)"),
    REPEATED_LINES: (
        "line of a header or footer was left out, as an earlier page has it",
        "lines of headers and footers were left out, as earlier pages have them",
    ),
    LEFT_OUT: ("part is no text and was left out", "parts are no text and were left out"),
}


def _text(card: dict[str, Any]) -> list[str]:
    scripts = ", ".join(f"{name} {share:.1%}" for name, share in card["scripts"].items())
    lines = [
        "## Text",
        "",
        f"{card['characters']:,} characters. Letters by script: {scripts}.",
        "",
    ]
    if card["fields"]:
        named = ", ".join(f"`{name}` ({n:,} documents)" for name, n in card["fields"].items())
        lines += [f"Text taken from the field {named}.", ""]
    for name, (one, many) in _NOTED.items():
        if noted := card["noted"].get(name):
            count = noted["count"]
            what = one if count == 1 else many
            among = noted["documents"]
            lines += [f"{count:,} {what}, in {among:,} document{'s' * (among > 1)}.", ""]
    rows = ((f"{b['from']:,} to {b['to']:,}", f"{b['documents']:,}") for b in card["lengths"])
    return [*lines, *_table(("characters", "documents"), rows)]


def _split(card: dict[str, Any]) -> list[str]:
    rows = [(side, f"{n['documents']:,}", f"{n['bytes']:,}") for side, n in card["split"].items()]
    once = card["one_pass"]
    rows.append(("train, one pass", f"{once['documents']:,}", f"{once['bytes']:,}"))
    return ["## Split", "", _how(card), "", *_table(("side", "documents", "bytes"), rows)]


def _how(card: dict[str, Any]) -> str:
    if card["section"] is None:
        near = "" if card["near_mode"] == "ignore" else " and near copies"
        return f"Whole documents, by content hash: copies{near} always fall on one side."
    return (
        f"Documents are cut into sections of about {card['section']:,} characters, split by "
        "content hash, because whole documents could not be split fairly. Held-out sections have "
        "neighbours in the training text."
    )


def _samples(card: dict[str, Any]) -> list[str]:
    lines = ["## Samples"]
    for reason, samples in {"kept": card["samples"]["kept"], **card["samples"]["dropped"]}.items():
        title = "kept" if reason == "kept" else f"dropped: {reason}"
        lines += ["", f"### {title[0].upper()}{title[1:]}"]
        for sample in samples:
            what = "" if sample.get("detail") is None else f" ({sample['detail']:.4g})"
            like = f", like {sample['duplicate_of']}" if sample.get("duplicate_of") else ""
            lines += ["", f"`{sample['id']}`{what}{like}", "", f"> {_line(sample['text'])}"]
    return lines


def _checksums(card: dict[str, Any]) -> list[str]:
    return ["## Checksums", "", *_table(("file", "BLAKE2b, 128 bits"), card["checksums"].items())]


def _quarantine(card: dict[str, Any]) -> list[str]:
    if not card["quarantine"]:
        return []
    rows = (
        (_cell(q["file"]), _number(q["line"]), q["reason"], _cell(q["detail"]))
        for q in card["quarantine"]
    )
    title = "## Quarantine (first records of each reason)"
    return [title, "", *_table(("file", "line", "reason", "detail"), rows)]


def _table(names: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [f"| {' | '.join(names)} |", "|" + "---|" * len(names)]
    return lines + [f"| {' | '.join(row)} |" for row in rows]


def _number(value: int | None) -> str:
    return "" if value is None else f"{value:,}"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _line(text: str) -> str:
    """A sample as one line that Markdown leaves alone."""
    return " ".join(text.split()).replace("<", "&lt;")
