"""What the decoder presets are built from; imports no torch."""

from hornbook.core.config import Config


class DecoderSizes(Config):
    """What every decoder preset asks for.

    vocab, width, depth, context: tokens, channels, blocks, tokens. heads query heads of `head`
    channels share kv_heads key/value heads. hidden: channels between the matrices of an MLP.
    tied: the head is the token embedding transposed.
    """

    vocab: int
    width: int
    depth: int
    context: int
    heads: int
    kv_heads: int
    head: int
    hidden: int
    tied: bool
