"""How languages are written, as far as rules must know: in letters or not, with which marks."""

# fmt: off
ALPHABETIC = frozenset({
    "en", "de", "fr", "es", "it", "pt", "nl", "sv", "da", "no", "nb", "nn", "is", "fi", "et", "lv",
    "lt", "pl", "cs", "sk", "sl", "hr", "bs", "sr", "hu", "ro", "bg", "ru", "uk", "be", "mk", "el",
    "tr", "ca", "gl", "eu", "ga", "cy", "af", "sq", "id", "ms", "vi", "sw", "eo",
})
# fmt: on
"""Written in letters, with spaces between words, sentences ended by . ! or ?"""

SYLLABIC = frozenset({"zh", "ja", "th", "lo", "km", "my", "bo", "dz"})
"""Written without spaces: what counts as a word is a character or a cluster, about a syllable."""

CHARACTERS_A_WORD = 2
"""Of a word of these, roughly."""

TERMINATED = ALPHABETIC | {"zh", "ja", "ko"}
"""End their sentences with a mark."""

SENTENCE_ENDS = (".", "!", "?", "。", "！", "？", "．")
QUOTE_ENDS = ('"', "”", "“", "»", "«", "」", "』")
"""What ends a quotation in one language or another."""

ELLIPSES = ("...", "…")
