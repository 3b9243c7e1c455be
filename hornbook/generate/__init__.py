"""Generation: logits to ids, ids to text, one token after another.

Sees a model only as `decode.Decoder`: sequences that ids go into and logits come out of. Knows
nothing of training or HTTP. Only `single_token` and `beam`, with which `translate` searches, import
torch.
"""
