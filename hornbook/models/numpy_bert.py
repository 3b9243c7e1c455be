"""Vectors of a few short texts by an encoder of BERT's kind, in numpy: a question needs no torch.

To load torch takes longer than to compute the vector of a question (docs/log.md). Matrices are
multiplied by our kernels, as half floats, where these are there: numpy's library puts a matrix into
another order anew for each product, which for so few tokens takes longer than the product. Any
model that is not exactly what is computed here is none for this: its own code opens it, or says
what is wrong.
"""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np

from hornbook.core.errors import HornbookError
from hornbook.core.files import read_json
from hornbook.kernels import library, pointers
from hornbook.kernels.codes import HALVES, Codes
from hornbook.kernels.quantised import matrix_of, tiles
from hornbook.kernels.structures import GROUP, TILE
from hornbook.models.place import CONFIG, WEIGHTS

_PREFIXES = ("", "bert.")
_MATRICES = {
    "query": "attention.self.query",
    "key": "attention.self.key",
    "value": "attention.self.value",
    "output": "attention.output.dense",
    "into": "intermediate.dense",
    "out": "output.dense",
}
_NORMS = {"mixed": "attention.output.LayerNorm", "done": "output.LayerNorm"}
_ERF = (0.254829592, -0.284496736, 1.421413741, -1.453152027, 1.061405429)
"""Abramowitz & Stegun, 7.1.26: off by 1.5e-7 at most."""


class _Norm(NamedTuple):
    """weight, bias: (D,)."""

    weight: np.ndarray
    bias: np.ndarray


class _Matrix:
    """x (T, in) to (T, out)."""

    def __init__(self, weight: np.ndarray, bias: np.ndarray) -> None:
        """weight: (out, in), of halves or floats. bias: (out,)."""
        self._weight, self._bias, self._kernels = weight, bias, library()
        (outputs, inputs), most = weight.shape, np.abs(weight).max(initial=0.0)
        whole = outputs % TILE == 0 and inputs % GROUP == 0
        if self._kernels is None or not whole or most > np.finfo(np.float16).max:
            self._weight, self._kernels = weight.astype(np.float32, copy=False), None
            return
        halves = weight.astype(np.float16, copy=False).view(np.uint16)
        self._tiles = tiles(matrix_of(Codes(HALVES, halves)), bias)
        self._weight = self._tiles.blocks
        self._matrix = pointers.matrix(self._tiles)

    def __call__(self, x: np.ndarray) -> np.ndarray:
        if self._kernels is not None:
            return self._kernels.product(self._matrix, np.ascontiguousarray(x), threads=1)
        found: np.ndarray = x @ self._weight.T
        found += self._bias
        return found


class NumpyBert:
    """heads: of attention. epsilon: of the norms. vocab, context, width: ids, positions, numbers of
    a vector. Each layer has a part for each name of the tables above."""

    def __init__(self, tensors: Any, prefix: str, facts: dict[str, Any], words: Any) -> None:
        self.heads = int(facts["num_attention_heads"])
        self.epsilon = float(facts.get("layer_norm_eps", 1e-12))
        self._words, self.vocab = words, int(words.get_shape()[0])

        def norm(name: str) -> _Norm:
            return _Norm(*(_floats(tensors, f"{prefix}{name}.{end}") for end in _ENDS))

        def matrix(name: str) -> _Matrix:
            weight = _numbers(tensors, f"{prefix}{name}.weight")
            return _Matrix(weight, _floats(tensors, f"{prefix}{name}.bias"))

        self._positions = _floats(tensors, f"{prefix}embeddings.position_embeddings.weight")
        self._type = _floats(tensors, f"{prefix}embeddings.token_type_embeddings.weight")[0]
        self._norm = norm("embeddings.LayerNorm")
        self.context, self.width = self._positions.shape
        layers = [f"encoder.layer.{i}" for i in range(int(facts["num_hidden_layers"]))]
        self._matrices = [{n: matrix(f"{at}.{p}") for n, p in _MATRICES.items()} for at in layers]
        self._norms = [{n: norm(f"{at}.{p}") for n, p in _NORMS.items()} for at in layers]

    @classmethod
    def open(cls, folder: Path) -> Self | None:
        """The encoder of a model folder; None where it is of another kind, or its files are not
        plain floats that can be read."""
        try:
            facts = read_json(folder / CONFIG)
            return cls._opened(folder, facts) if _is_bert(facts) else None
        except (HornbookError, OSError, KeyError, TypeError, ValueError, IndexError):
            return None

    @classmethod
    def _opened(cls, folder: Path, facts: dict[str, Any]) -> Self | None:
        from safetensors import SafetensorError, safe_open

        try:
            tensors = safe_open(folder / WEIGHTS, "numpy")
            names = set(tensors.keys())
            prefix = next(one for one in _PREFIXES if f"{one}{_WORDS}" in names)
            words = tensors.get_slice(f"{prefix}{_WORDS}")
            return cls(tensors, prefix, facts, words)
        except (SafetensorError, StopIteration):
            return None

    def vectors(self, sequences: Sequence[np.ndarray]) -> np.ndarray:
        """(N, D) float32: the mean of the features of each sequence of ids (T,), of length one.

        One thread computes: for so little, several wait for one another longer than they work.
        """
        with _libraries().limit(limits=1, user_api="blas"):
            return self._vectors(sequences)

    def _vectors(self, sequences: Sequence[np.ndarray]) -> np.ndarray:
        ends = np.cumsum([len(one) for one in sequences])
        spans = list(zip([0, *ends[:-1]], ends, strict=True))
        x = self._embedded(sequences)
        for layer, norms in zip(self._matrices, self._norms, strict=True):
            x = self._normed(x + self._attended(x, layer, spans), norms["mixed"])
            x = self._normed(x + layer["out"](_gelu(layer["into"](x))), norms["done"])
        means = np.stack([x[start:end].mean(0) for start, end in spans])
        lengths = np.linalg.norm(means, axis=1, keepdims=True)
        found: np.ndarray = means / np.maximum(lengths, 1e-12)
        return found

    def _embedded(self, sequences: Sequence[np.ndarray]) -> np.ndarray:
        """(T, D) of all tokens of all sequences. Rows of words are read from disk, few of many."""
        ids, places = np.unique(np.concatenate(sequences), return_inverse=True)
        rows = np.concatenate([self._words[int(i) : int(i) + 1] for i in ids]).astype(np.float32)
        positions = np.concatenate([self._positions[: len(one)] for one in sequences])
        return self._normed(rows[places] + positions + self._type, self._norm)

    def _attended(
        self, x: np.ndarray, layer: dict[str, _Matrix], spans: Sequence[tuple[int, int]]
    ) -> np.ndarray:
        q, k, v = (
            layer[name](x).reshape(len(x), self.heads, -1).swapaxes(0, 1)
            for name in ("query", "key", "value")
        )  # (H, T, C)
        mixed = np.empty((len(x), self.width), np.float32)
        scale = np.float32(q.shape[2] ** -0.5)
        for start, end in spans:
            scores = (q[:, start:end] * scale) @ k[:, start:end].swapaxes(1, 2)
            scores = np.exp(scores - scores.max(2, keepdims=True))
            scores /= scores.sum(2, keepdims=True)
            mixed[start:end] = (scores @ v[:, start:end]).swapaxes(0, 1).reshape(end - start, -1)
        return layer["output"](mixed)

    def _normed(self, x: np.ndarray, norm: _Norm) -> np.ndarray:
        x = x - x.mean(1, keepdims=True)
        spread = np.sqrt((x * x).mean(1, keepdims=True) + np.float32(self.epsilon))
        found: np.ndarray = x / spread * norm.weight + norm.bias
        return found


_ENDS = ("weight", "bias")
_WORDS = "embeddings.word_embeddings.weight"


def _is_bert(facts: dict[str, Any]) -> bool:
    """Whether a config.json describes what is computed here."""
    return (
        facts.get("model_type") == "bert"
        and facts.get("hidden_act", "gelu") == "gelu"
        and facts.get("position_embedding_type", "absolute") == "absolute"
        and (facts.get("architectures") or ["BertModel"])[0] in ("BertModel", "BertForMaskedLM")
    )


@cache
def _libraries() -> Any:
    """Those that numpy computes with; to look for them takes as long as a layer."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def _numbers(tensors: Any, name: str) -> np.ndarray:
    """A tensor. Raises ValueError for what is not finite."""
    found: np.ndarray = tensors.get_tensor(name)
    if not np.isfinite(found.sum(dtype=np.float32)):
        raise ValueError(name)
    return found


def _floats(tensors: Any, name: str) -> np.ndarray:
    """A tensor as float32."""
    return _numbers(tensors, name).astype(np.float32, copy=False)


def _gelu(x: np.ndarray) -> np.ndarray:
    """x Φ(x), by the error function."""
    y = np.abs(x) * np.float32(2**-0.5)
    t = 1 / (1 + np.float32(0.3275911) * y)
    tail = np.zeros_like(x)  # of Φ, beyond |x|; in place, as new memory takes as long as a sum
    for factor in reversed(_ERF):
        tail += np.float32(factor)
        tail *= t
    np.exp(np.negative(np.square(y, out=y), out=y), out=y)
    tail *= y
    tail /= 2
    np.subtract(1, tail, out=tail, where=x >= 0)
    tail *= x
    return tail
