"""What claims say, in two languages."""

from hornbook.core.language import spoken

Twice = tuple[str, str]
"""In English and in Chinese."""


def spoken_of(texts: Twice) -> str:
    """The one in the language that is spoken."""
    return texts[spoken() == "zh"]
