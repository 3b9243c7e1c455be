"""The one rule on how long a sequence can become; imports no torch."""

from hornbook.core.errors import HornbookError


def require_room(needed: int, room: int) -> None:
    """Raises HornbookError where a sequence of `needed` tokens has room for `room` only."""
    if needed > room:
        raise HornbookError(f"The context holds {room} tokens; {needed} are needed.")


def no_room_for(room: int) -> HornbookError:
    """The error where this machine has no memory for sequences of `room` tokens."""
    return HornbookError(
        f"There is no memory here to remember {room:,} tokens; ask for fewer (--max-tokens)."
    )
