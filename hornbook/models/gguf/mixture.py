"""Which type each tensor of a GGUF file gets: the mixtures that users know as Q4_K_M and the like.

A mixture has one type for most matrices and more bits for those whose errors cost most: values of
attention, the way out of the MLP, the head; in all blocks or in some. They are those of llama.cpp,
so that a name means the same everywhere. Knows names and shapes; knows nothing of weights.
"""

from collections.abc import Callable
from typing import NamedTuple

from hornbook.models.gguf.sizes import EMBEDDING, HEAD


class MatrixPlace(NamedTuple):
    """Where a matrix stands. block: its block's number, of `depth`. shared: how many heads of
    queries share one of keys. weighed: whether the importance of columns is known."""

    block: int
    depth: int
    shared: int
    weighed: bool


Where = Callable[[MatrixPlace], bool]


class Raised(NamedTuple):
    """Matrices by the end of their name that are stored as `kind`, in the blocks of `where`."""

    part: str
    kind: str
    where: Where = lambda _: True


class FileType(NamedTuple):
    """number: llama.cpp's. kind: of most matrices. head: of the head, None as the others. raised:
    the first that fits decides."""

    number: int
    kind: str
    head: str | None = None
    raised: tuple[Raised, ...] = ()


class ModelShape(NamedTuple):
    """What the mixture depends on. depth: blocks. tied: it has no head of its own. shared, weighed:
    as of `MatrixPlace`."""

    depth: int
    shared: int
    tied: bool
    weighed: bool


def stored_as(name: str, shape: tuple[int, ...], type_: FileType, model: ModelShape) -> str:
    """The type of a tensor in a file of a type; where a row is no multiple of its block, the
    nearest one that is, in the end F16. Norms, biases and what is added stay float32. Queries, keys
    and values in one matrix are stored as values are.
    """
    part = name.split(".")[-2].removesuffix("_exps").replace("attn_qkv", "attn_v")
    if len(shape) == 1 or part in _FLOATS:
        return "F32"
    if is_float(type_.kind):
        return type_.kind
    return _fitting(_wanted(name, part, type_, model), shape[-1])


def takes_importance(type_: FileType) -> bool:
    """Whether the importance of columns changes what is stored."""
    return not is_float(type_.kind) and type_.kind not in ("Q8_0", "TQ1_0", "TQ2_0")


def is_float(kind: str) -> bool:
    """Whether a type is a number of its own for each weight."""
    return kind in ("F64", "F32", "F16", "BF16")


def fits(kind: str, columns: int) -> bool:
    """Whether the blocks of a type divide a row."""
    return is_float(kind) or columns % (32 if kind in _SHORT else 256) == 0


def _wanted(name: str, part: str, type_: FileType, model: ModelShape) -> str:
    """The type that the mixture has for a matrix, whatever its shape."""
    if name == (EMBEDDING if model.tied else HEAD):
        return type_.head or type_.kind
    block = int(name.split(".")[1]) if name.startswith("blk.") else 0
    place = MatrixPlace(block, model.depth, model.shared, model.weighed)
    for raised in type_.raised:
        if part == raised.part and raised.where(place):
            return raised.kind
    return type_.kind


def _fitting(kind: str, columns: int) -> str:
    """The type itself, or one of as many bits or more whose blocks divide a row."""
    if fits(kind, columns):
        return kind
    kind = _SHORTER.get(kind, kind)
    return kind if fits(kind, columns) else "F16"


def _outer(place: MatrixPlace) -> bool:
    """The first and the last eighth of blocks, and each third one between."""
    eighth = place.depth // 8
    between = (place.block - eighth) % 3 == 2
    return place.block < eighth or place.block >= 7 * place.depth // 8 or between


def _first(count: int) -> Where:
    return lambda place: place.block < count


def _first_part(parts: int) -> Where:
    return lambda place: place.block < place.depth // parts


def _shared(place: MatrixPlace) -> bool:
    """Values that four heads and more share: few weights, and many read them."""
    return place.shared >= 4


_FLOATS = ("position_embd", "token_types", "ffn_gate_inp", "ssm_conv1d")
"""Matrices that are small, and added or told apart by little."""
_SHORT = ("Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "IQ4_NL")
"""Types with blocks of 32; those of the others are of 256."""
_SHORTER = {
    "Q2_K": "IQ4_NL",
    "Q3_K": "IQ4_NL",
    "IQ4_XS": "IQ4_NL",
    "Q4_K": "Q5_0",
    "Q5_K": "Q5_1",
    "Q6_K": "Q8_0",
    "TQ1_0": "Q4_0",
    "TQ2_0": "Q4_0",
}
_MEDIUM = (Raised("attn_v", "Q6_K", _outer), Raised("ffn_down", "Q6_K", _outer))
_IQ4 = (
    Raised("attn_v", "Q5_K", _shared),
    Raised("ffn_down", "Q5_K", lambda place: place.block < place.depth // 8 and not place.weighed),
)

FILE_TYPES: dict[str, FileType] = {
    "f32": FileType(0, "F32"),
    "f16": FileType(1, "F16"),
    "bf16": FileType(32, "BF16"),
    "q8_0": FileType(7, "Q8_0"),
    "q6_k": FileType(18, "Q6_K"),
    "q5_k_m": FileType(17, "Q5_K", "Q6_K", _MEDIUM),
    "q5_k_s": FileType(16, "Q5_K", "Q6_K"),
    "q5_1": FileType(9, "Q5_1", "Q8_0"),
    "q5_0": FileType(8, "Q5_0", "Q8_0"),
    "q4_k_m": FileType(15, "Q4_K", "Q6_K", _MEDIUM),
    "q4_k_s": FileType(14, "Q4_K", "Q6_K", (
        Raised("attn_v", "Q5_K", _first(4)),
        Raised("ffn_down", "Q5_K", _first_part(8)),
    )),
    "iq4_nl": FileType(25, "IQ4_NL", "Q6_K", _IQ4),
    "iq4_xs": FileType(30, "IQ4_XS", "Q6_K", _IQ4),
    "q4_1": FileType(3, "Q4_1", "Q8_0"),
    "q4_0": FileType(2, "Q4_0", "Q8_0"),
    "q3_k_l": FileType(13, "Q3_K", "Q6_K", (
        Raised("attn_v", "Q5_K"),
        Raised("ffn_down", "Q5_K"),
        Raised("attn_output", "Q5_K"),
    )),
    "q3_k_m": FileType(12, "Q3_K", "Q6_K", (
        Raised("attn_v", "Q5_K", _first(2)),
        Raised("attn_v", "Q4_K"),
        Raised("ffn_down", "Q5_K", _first_part(16)),
        Raised("ffn_down", "Q4_K"),
        Raised("attn_output", "Q4_K"),
    )),
    "q3_k_s": FileType(11, "Q3_K", "Q6_K"),
    "q2_k": FileType(10, "Q2_K", "Q6_K", (
        Raised("attn_v", "Q4_K", _shared),
        Raised("attn_v", "Q3_K"),
        Raised("ffn_down", "Q3_K"),
        Raised("attn_output", "Q3_K"),
    )),
    "q2_k_s": FileType(21, "Q2_K", "Q6_K", (
        Raised("attn_v", "Q4_K", _shared),
        Raised("ffn_down", "Q4_K", _first_part(8)),
    )),
    "tq2_0": FileType(37, "TQ2_0", "Q6_K", (Raised("token_embd", "Q4_K"),)),
    "tq1_0": FileType(36, "TQ1_0", "Q6_K", (Raised("token_embd", "Q4_K"),)),
}  # fmt: skip
"""By the name that users give, the fewest bits last."""
SHORT_NAMES = {"q5_k": "q5_k_m", "q4_k": "q4_k_m", "q3_k": "q3_k_m"}
"""What is meant by a name without a size."""
