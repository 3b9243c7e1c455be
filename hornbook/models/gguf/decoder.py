"""A GGUF file straight into what our kernels read, without torch and without float32 on the way.

Token vectors stay in the file, which is mapped.
"""

from collections.abc import Iterator
from functools import partial

import numpy as np

from hornbook.core.gguf import GGUFFile
from hornbook.core.machine import return_freed_memory
from hornbook.kernels.quantised import (
    BlockWeights,
    DecoderWeights,
    Looks,
    Tiles,
    Turning,
    tiles,
)
from hornbook.models.gguf import quantised
from hornbook.models.gguf.rotary import interleaved, to_halves
from hornbook.models.gguf.scaling import DIVISORS
from hornbook.models.gguf.sizes import (
    ARCHITECTURE,
    EMBEDDING,
    HEAD,
    ROTARY,
    Rotary,
    close_fields,
    open_fields,
    read_rotary,
)

_INPUTS = ("attn_q", "attn_k", "attn_v")
_MATRICES = (*_INPUTS, "attn_output", "ffn_gate", "ffn_up", "ffn_down")


def read_decoder(file: GGUFFile) -> DecoderWeights | None:
    """The decoder of a file whose matrices the kernels take; None for one of another kind.

    Raises HornbookError naming file and key for what we would compute otherwise.
    """
    name = file.values.get(ARCHITECTURE)
    if name not in ROTARY:
        return None
    fields, vocab = open_fields(file, name)
    rotary = read_rotary(fields, name, vocab, file)
    close_fields(fields, name, vocab, rotary.sizes.depth, len(file.tensors))
    if not _is_plain(file, name, rotary) or rotary.rotary.switches_at():
        return None
    sizes = rotary.sizes
    heads = interleaved(name, sizes.heads, sizes.kv_heads)
    logits = quantised.matrix(file, EMBEDDING if sizes.tied else HEAD)
    found = DecoderWeights(
        vocab=vocab,
        context=sizes.context,
        width=sizes.width,
        heads=sizes.heads,
        kv_heads=sizes.kv_heads,
        head=sizes.head,
        turnings=[Turning(rotary.rotary.frequencies(sizes.head), rotary.rotary.amplitude)],
        epsilon=rotary.epsilon,
        head_epsilon=rotary.epsilon if name == "qwen3" else 0.0,
        embed=quantised.row_reader(file, EMBEDDING),
        blocks=[_block(file, f"blk.{i}", heads, sizes.head) for i in range(sizes.depth)],
        last_norm=quantised.floats(file, "output_norm.weight"),
        logits=tiles(logits),
    )
    return_freed_memory()
    return found if found.fits() else None


def _is_plain(file: GGUFFile, name: str, rotary: Rotary) -> bool:
    """Whether the tensors are those of such a decoder, all there, its matrices in forms of the
    kernels.

    What is not is left to `load_packed`, which says what is wrong if something is.
    """
    expected = dict(_shapes(name, rotary))
    matrices = [each for each, shape in expected.items() if len(shape) == 2]
    shapes = {each: place.shape for each, place in file.tensors.items() if each != DIVISORS}
    return shapes == expected and all(quantised.is_quantised(file, each) for each in matrices)


def _shapes(name: str, rotary: Rotary) -> Iterator[tuple[str, tuple[int, ...]]]:
    sizes = rotary.sizes
    width, queries, keys = sizes.width, sizes.heads * sizes.head, sizes.kv_heads * sizes.head
    yield EMBEDDING, (sizes.vocab, width)
    yield "output_norm.weight", (width,)
    if not sizes.tied:
        yield HEAD, (sizes.vocab, width)
    rows = (queries, keys, keys, width, sizes.hidden, sizes.hidden, width)
    columns = (width, width, width, queries, width, width, sizes.hidden)
    biased: tuple[str, ...] = ()
    if rotary.biased or name == "qwen2":
        biased = _INPUTS if name == "qwen2" else (*_INPUTS, "attn_output")
    for i in range(sizes.depth):
        for part, out, into in zip(_MATRICES, rows, columns, strict=True):
            yield f"blk.{i}.{part}.weight", (out, into)
            if part in biased:
                yield f"blk.{i}.{part}.bias", (out,)
        for part in ("attn_norm", "ffn_norm"):
            yield f"blk.{i}.{part}.weight", (width,)
        if name == "qwen3":
            for part in ("attn_q_norm", "attn_k_norm"):
                yield f"blk.{i}.{part}.weight", (sizes.head,)


def _block(file: GGUFFile, block: str, heads: dict[str, int], head: int) -> BlockWeights:
    def norm(part: str) -> np.ndarray:
        return quantised.floats(file, f"{block}.{part}.weight")

    def made(part: str) -> Tiles:
        own = heads.get(part)
        order = None if own is None else partial(to_halves, heads=own)
        matrix = quantised.matrix(file, f"{block}.{part}.weight", order=order)
        name = f"{block}.{part}.bias"
        if name not in file.tensors:
            return tiles(matrix)
        bias = quantised.floats(file, name)
        return tiles(matrix, bias if own is None else to_halves(bias, own))

    normed = f"{block}.attn_q_norm.weight" in file.tensors
    return BlockWeights(
        attention_norm=norm("attn_norm"),
        attention_after=None,
        query_norm=norm("attn_q_norm") if normed else None,
        key_norm=norm("attn_k_norm") if normed else None,
        mlp_norm=norm("ffn_norm"),
        mlp_after=None,
        query=made("attn_q"),
        key=made("attn_k"),
        value=made("attn_v"),
        output=made("attn_output"),
        gate=made("ffn_gate"),
        up=made("ffn_up"),
        down=made("ffn_down"),
        looks=Looks(scale=head**-0.5),
    )
