"""Text of others on its way to a terminal: what would steer the terminal is shown, not obeyed.

File names, cells, tensors' names and what a model writes can hold escape sequences that move the
cursor, rename the window or hide text, line breaks that fake a message of ours, and marks that turn
the direction of writing (CVE-2021-42574).
"""

import re

_STEERING = re.compile(
    "[\x00-\x1f\x7f-\x9f"  # C0, DEL and C1 control characters; U+0085 is one of them
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # direction of writing
    "\u2028\u2029"  # line and paragraph separators
    "\ud800-\udfff]"  # halves of pairs: no terminal can show them
)


def visible(text: str, keep: str = "") -> str:
    """`text` with every steering character as its escape (`\\u001b`), those of `keep` as they are.

    The escapes are those of JSON, so that a printed object stays the same object.
    """
    return _STEERING.sub(lambda found: _shown(found[0], keep), text)


def _shown(character: str, keep: str) -> str:
    return character if character in keep else f"\\u{ord(character):04x}"
