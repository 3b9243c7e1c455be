"""The sizes that a GGUF file's metadata gives of a decoder; imports no torch.

Keys are those of llama.cpp. One that is not known here is refused: it may change what is computed.
"""

from collections.abc import Collection

from hornbook.core.errors import HornbookError
from hornbook.core.gguf import GGUFFile
from hornbook.models.fields import Fields
from hornbook.models.sizes import DecoderSizes
from hornbook.tokenize.gguf import TOKENS

ARCHITECTURE = "general.architecture"
BERT = "bert"
"""The architecture of encoders."""
EMBEDDING, HEAD = "token_embd.weight", "output.weight"
HEADS = "attention.head_count"
OF_IMAGES = ("v.*", "mm.*")
"""Tensors of a part that sees images, which some programs write into the same file."""
_WITHOUT_EFFECT = ("vision.*", "mm.*", "pooling_type", "tensor_data_layout")
_PLAIN = {"attention.causal": True, "expert_count": 0, "expert_used_count": 0}
"""Keys that say what is so without them."""


def open_fields(file: GGUFFile, name: str) -> tuple[Fields, int]:
    """The keys of architecture `name`, and how many tokens have a vector.

    Raises HornbookError where the vectors are missing, or more or fewer than the tokens.
    """
    shape = file.tensors[EMBEDDING].shape if EMBEDDING in file.tensors else ()
    if len(shape) != 2:
        raise HornbookError(f"{file.path}: the tensor {EMBEDDING} is missing or no matrix.")
    tokens = file.values.get(TOKENS)
    if isinstance(tokens, list) and len(tokens) != shape[0]:
        raise HornbookError(f"{file.path} has {len(tokens)} tokens, but embeddings for {shape[0]}.")
    own = {key: value for key, value in file.values.items() if key.startswith(f"{name}.")}
    return Fields(own, str(file.path)), shape[0]


def close_fields(fields: Fields, name: str, vocab: int, depth: int, tensors: int) -> None:
    """Refuse keys that are left, and more blocks than there can be."""
    fields.ignore(*(f"{name}.{key}" for key in _WITHOUT_EFFECT))
    for key, value in _PLAIN.items():
        fields.only(f"{name}.{key}", value)
    fields.only(f"{name}.vocab_size", vocab)
    fields.finish()
    if depth > tensors:
        fields.refuse(f"{name}.block_count", depth, "There are fewer tensors.")


def read_sizes(fields: Fields, name: str, vocab: int, tensors: Collection[str]) -> DecoderSizes:
    """What every architecture says; it is tied where the head is not there."""
    width, heads = fields.size(f"{name}.embedding_length"), fields.size(f"{name}.{HEADS}")
    head = fields.size(f"{name}.attention.key_length", width // heads)
    fields.only(f"{name}.attention.value_length", head)
    kv_heads = fields.size(f"{name}.{HEADS}_kv", heads)
    if heads % kv_heads:
        fields.refuse(f"{name}.{HEADS}_kv", kv_heads, f"It must divide the {heads} heads.")
    return DecoderSizes(
        vocab=vocab,
        width=width,
        depth=fields.depth(f"{name}.block_count"),
        context=fields.size(f"{name}.context_length"),
        heads=heads,
        kv_heads=kv_heads,
        head=head,
        hidden=fields.size(f"{name}.feed_forward_length"),
        tied=HEAD not in tensors,
    )
