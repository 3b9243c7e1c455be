"""A decoder tuned on what a larger one expects: a tuning of `answers` that has a teacher."""
