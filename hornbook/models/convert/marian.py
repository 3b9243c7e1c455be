"""`marian`: the encoder-decoder Transformer (Vaswani et al. 2017) as Marian trains it.

Both sides and the head share their token vectors. Position vectors are computed, whatever a file
stores of them.
"""

from typing import Any

from hornbook.models.convert.family import ACTIVATIONS, Family, TensorRule, activation_name, both
from hornbook.models.fields import Fields
from hornbook.models.seq2seq import Seq2SeqConfig
from hornbook.models.translators import PairSizes, SideSizes, transformer
from hornbook.nn.attention import AttentionConfig
from hornbook.nn.mlp import MLPConfig
from hornbook.nn.residual import PostNormConfig
from hornbook.nn.stack import StackConfig


def read(fields: Fields) -> Seq2SeqConfig:
    """Marian's keys; what they leave out is what `transformers` assumes."""
    vocab, width = fields.size("vocab_size", 58101), fields.size("d_model", 1024)
    fields.only("decoder_vocab_size", vocab)
    fields.only("is_encoder_decoder", True)
    for key in ("share_encoder_decoder_embeddings", "tie_word_embeddings"):
        fields.only(key, True)
    fields.only("static_position_embeddings", True)
    for key in ("normalize_before", "normalize_embedding", "add_final_layer_norm"):
        fields.only(key, False)
    for key in ("add_bias_logits", "is_decoder"):
        fields.only(key, False)
    # Training only, sizes said twice, and search, which generation_config.json rules.
    fields.ignore("*_layerdrop", "init_std", "gradient_checkpointing", "num_hidden_layers")
    fields.ignore("num_beams", "bad_words_ids")
    sizes = PairSizes(
        vocab=vocab,
        width=width,
        context=fields.size("max_position_embeddings", 1024),
        encoder=_read_side(fields, "encoder", width),
        decoder=_read_side(fields, "decoder", width),
        start=fields.token("decoder_start_token_id", vocab, 58100),
        dropout=fields.share("dropout", 0.1),
    )
    activation = fields.choice("activation_function", "gelu", ACTIVATIONS)
    return transformer(sizes, activation, fields.flag("scale_embedding", False))


def _read_side(fields: Fields, side: str, width: int) -> SideSizes:
    heads = fields.heads(f"{side}_attention_heads", "d_model", width, 16)
    return SideSizes(
        depth=fields.depth(f"{side}_layers", 12),
        heads=heads,
        hidden=fields.size(f"{side}_ffn_dim", 4096),
    )


def write(config: Seq2SeqConfig) -> dict[str, Any] | None:
    """Our config in Marian's keys, or None when it is wired otherwise."""
    encoder, decoder = _parts(config.encoder), _parts(config.decoder)
    if encoder is None or decoder is None:
        return None
    return {
        "is_encoder_decoder": True,
        "vocab_size": config.vocab,
        "d_model": config.width,
        "max_position_embeddings": config.context,
        "encoder_layers": config.encoder.depth,
        "encoder_attention_heads": encoder[0].heads,
        "encoder_ffn_dim": encoder[1].hidden,
        "decoder_layers": config.decoder.depth,
        "decoder_attention_heads": decoder[0].heads,
        "decoder_ffn_dim": decoder[1].hidden,
        "activation_function": activation_name(encoder[1].activation),
        "scale_embedding": config.embedding.scaled,
        "static_position_embeddings": True,
        "dropout": config.embedding.dropout,
        "share_encoder_decoder_embeddings": True,
        "tie_word_embeddings": True,
        "decoder_start_token_id": config.start,
        "forced_eos_token_id": None,
    }


def _parts(stack: StackConfig) -> tuple[AttentionConfig, MLPConfig] | None:
    """The first and last layer of each block, if they are those of one of Marian's sides."""
    layers = [layer.layer for layer in stack.pattern[0] if isinstance(layer, PostNormConfig)]
    match layers:
        case [AttentionConfig() as attention, *_, MLPConfig() as mlp]:
            return attention, mlp
    return None


_PROJECTIONS = (("q_proj", "query"), ("k_proj", "key"), ("v_proj", "value"), ("out_proj", "output"))


def _attention(theirs: str, ours: str) -> tuple[TensorRule, ...]:
    inner = [both(f"{theirs}.{name}", f"{ours}.layer.{own}") for name, own in _PROJECTIONS]
    return (*sum(inner, ()), *both(f"{theirs}_layer_norm", f"{ours}.norm"))


def _side(name: str, mixers: tuple[str, ...]) -> tuple[TensorRule, ...]:
    """The rules of a stack whose blocks hold attentions, by their names, and an MLP."""
    theirs, ours = f"model.{name}.layers.{{block}}", f"{name}.layers"
    places = [f"{ours}.{{{i}}}" for i in range(len(mixers) + 1)]
    return (
        *sum((_attention(f"{theirs}.{m}", p) for m, p in zip(mixers, places, strict=False)), ()),
        *both(f"{theirs}.fc1", f"{places[-1]}.layer.up"),
        *both(f"{theirs}.fc2", f"{places[-1]}.layer.down"),
        *both(f"{theirs}.final_layer_norm", f"{places[-1]}.norm"),
    )


_SHARED = "model.shared.weight"
RULES = (
    TensorRule(_SHARED, ("embedding.token.weight",)),
    *_side("encoder", ("self_attn",)),
    *_side("decoder", ("self_attn", "encoder_attn")),
    TensorRule("final_logits_bias", ("head.bias",), row=True),
)

FAMILY = Family(
    model_type="marian",
    architecture="MarianMTModel",
    config=Seq2SeqConfig,
    read=read,
    write=write,
    rules=RULES,
    base="model.",
    head=("lm_head.weight", "final_logits_bias"),
    copies={
        "lm_head.weight": _SHARED,
        "model.encoder.embed_tokens.weight": _SHARED,
        "model.decoder.embed_tokens.weight": _SHARED,
    },
    obsolete=("*.embed_positions.weight",),
)
