"""How long a sequence can become: the one rule; imports no torch."""

from hornbook.core.errors import HornbookError


def require_capacity(needed: int, capacity: int) -> None:
    """Raises HornbookError where a sequence of `needed` tokens does not fit into `capacity`."""
    if needed > capacity:
        raise HornbookError(f"The context holds {capacity} tokens; {needed} are needed.")


def no_memory_for(capacity: int) -> HornbookError:
    """The error where this machine has no memory for sequences of `capacity` tokens."""
    return HornbookError(
        f"There is no memory here to remember {capacity:,} tokens; ask for fewer (--max-tokens)."
    )
