"""Open MODEL, whatever it is, and use it: `load` gives what it is, ready to work."""
