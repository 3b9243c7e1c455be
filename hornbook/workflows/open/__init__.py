"""Open MODEL, whatever it is: to generate, to classify, to look at its weights."""
