"""Why a model says what it says: where text stood in its corpus."""
