"""An encoder tuned on questions and the passages that answer them."""
