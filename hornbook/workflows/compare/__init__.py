"""Which way is worth its cost: rungs on the same texts and minutes, and text against text."""
