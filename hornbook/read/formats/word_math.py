"""Equations of Office (OMML) as a line of text: every character, with /, ^ and _ between."""

from collections.abc import Callable
from xml.etree.ElementTree import Element

Name = Callable[[str], str]
_GONE = ("w:del", "w:moveFrom", "w:rPr", "m:rPr", "m:ctrlPr")
_BETWEEN = {
    "m:f": (("m:num", ""), ("m:den", "/")),
    "m:sSup": (("m:e", ""), ("m:sup", "^")),
    "m:sSub": (("m:e", ""), ("m:sub", "_")),
    "m:sSubSup": (("m:e", ""), ("m:sub", "_"), ("m:sup", "^")),
    "m:sPre": (("m:sub", "_"), ("m:sup", "^"), ("m:e", " ")),
    "m:limLow": (("m:e", ""), ("m:lim", "_")),
    "m:limUpp": (("m:e", ""), ("m:lim", "^")),
}
"""An element's parts and what stands before each."""


def math_text(element: Element, name_of: Name) -> str:
    """The text of an equation, or of a part of one."""
    name = name_of(element.tag)
    if name in _GONE:
        return ""
    if name in ("m:t", "w:t"):
        return element.text or ""
    parts = {name_of(child.tag): child for child in element}
    if name in _BETWEEN:
        out = ""
        for part, sign in _BETWEEN[name]:
            if part in parts and (text := math_text(parts[part], name_of)):
                out += sign + (_grouped(text) if sign or name == "m:f" else text)
        return out
    texts = [(name_of(child.tag), math_text(child, name_of)) for child in element]
    if name == "m:rad":
        inner = dict(texts)
        return inner.get("m:deg", "") + "√" + _grouped(inner.get("m:e", ""))
    if name == "m:d":
        return _delimited(parts.get("m:dPr"), [t for n, t in texts if n == "m:e"])
    if name == "m:nary":
        return _nary(parts.get("m:naryPr"), dict(texts), name_of)
    separator = {"m:m": "; ", "m:mr": ", ", "m:eqArr": "; ", "m:oMathPara": "; "}.get(name, "")
    return separator.join(text for _, text in texts if text)


def _grouped(text: str) -> str:
    return text if len(text) < 2 or text.isalnum() else f"({text})"


def _setting(properties: Element | None, name: str, usual: str) -> str:
    """The value of a property, which may be an empty one; the usual one where it is not set."""
    for child in () if properties is None else properties:
        if child.tag.rpartition("}")[2] == name:
            return next((v for k, v in child.attrib.items() if k.endswith("}val")), "")
    return usual


def _delimited(properties: Element | None, parts: list[str]) -> str:
    begin, end = _setting(properties, "begChr", "("), _setting(properties, "endChr", ")")
    return begin + _setting(properties, "sepChr", "|").join(parts) + end


def _nary(properties: Element | None, parts: dict[str, str], name_of: Name) -> str:
    """A sum, product or integral with its bounds."""
    out = _setting(properties, "chr", "∫")
    for part, sign in (("m:sub", "_"), ("m:sup", "^")):
        if parts.get(part):
            out += sign + _grouped(parts[part])
    return f"{out} {parts.get('m:e', '')}"
