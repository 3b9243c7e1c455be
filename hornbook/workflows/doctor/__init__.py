"""`hornbook doctor`: what would go wrong in silence, looked for before the long work starts."""
