"""Generation: logits to ids, ids to text, one token after another.

Sees a model only through `forward(tokens, state, valid)` and `new_state`. Knows nothing of training
or HTTP.
"""
