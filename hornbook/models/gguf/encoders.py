"""Encoders of BERT's kind in the keys of a GGUF file, and back.

llama.cpp computes their activation as GELU; vectors of tokens become one by their mean, as here.
"""

from typing import Any

from hornbook.core.errors import HornbookError
from hornbook.core.gguf import GGUFFile
from hornbook.models.encoder import EncoderConfig
from hornbook.models.encoder_presets import BertSizes, bert
from hornbook.models.fields import Fields
from hornbook.models.gguf.sizes import BERT, HEADS, close_fields, open_fields

_TYPES = "token_types.weight"
_MEAN = 1
"""llama.cpp's number of a way of pooling."""
_SIZES = {
    "embedding_length": "hidden_size",
    "block_count": "num_hidden_layers",
    "context_length": "max_position_embeddings",
    HEADS: "num_attention_heads",
    "feed_forward_length": "intermediate_size",
}


def read_encoder(file: GGUFFile) -> EncoderConfig:
    """Raises HornbookError naming file, key and value for what we would compute otherwise."""
    fields, vocab = open_fields(file, BERT)
    sizes = {theirs: fields.size(f"{BERT}.{key}") for key, theirs in _SIZES.items()}
    width, heads = sizes["hidden_size"], sizes["num_attention_heads"]
    if width % heads:
        fields.refuse(f"{BERT}.{HEADS}", heads, f"It must divide the width of {width}.")
    fields.only(f"{BERT}.attention.causal", False)
    fields.only(f"{BERT}.pooling_type", _MEAN)
    epsilon = fields.number(f"{BERT}.attention.layer_norm_epsilon")
    close_fields(fields, BERT, vocab, sizes["num_hidden_layers"], len(file.tensors))
    return bert(
        BertSizes(
            vocab=vocab,
            width=width,
            depth=sizes["num_hidden_layers"],
            context=sizes["max_position_embeddings"],
            heads=heads,
            hidden=sizes["intermediate_size"],
            types=file.tensors[_TYPES].shape[0] if _TYPES in file.tensors else 0,
        ),
        epsilon,
    )


def write_encoder(values: dict[str, Any]) -> dict[str, Any]:
    """The keys for a `config.json` of `bert`. Raises HornbookError for another activation."""
    if values["hidden_act"] != "gelu":
        raise HornbookError(
            "GGUF has no key for what an encoder of this kind needs: "
            f"hidden_act = {values['hidden_act']}."
        )
    fields = Fields(values, "The encoder")
    return {
        **{key: fields.size(theirs) for key, theirs in _SIZES.items()},
        "attention.layer_norm_epsilon": fields.number("layer_norm_eps"),
        "attention.causal": False,
        "pooling_type": _MEAN,
    }
