"""Training by many processes, as a launcher such as `torchrun` starts them.

The first of them leads: it lives the life of a run as if it were alone, and says what all do next.
The others follow its orders. Models, objectives and kinds of run know nothing of it: a plan is put
around them.
"""
