"""From token ids to batches: shards on disk, packing, conversations.

Knows ids; knows nothing of models.
"""
