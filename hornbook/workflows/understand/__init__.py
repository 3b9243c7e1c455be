"""What a user asks of a run to understand it."""
