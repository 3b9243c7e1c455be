"""What the keys of a GGUF file say of a decoder of attentions and gated MLPs or mixtures of them;
imports no torch.

From these facts both our config is made (`architectures`) and what the kernels read (`decoder`).
What llama.cpp computes without a key, as the scale of Gemma's scores, is taken for granted here as
it is there.
"""

import math
from collections.abc import Callable, Collection
from typing import NamedTuple

import pydantic

from hornbook.core.errors import HornbookError
from hornbook.core.gguf import GGUFFile
from hornbook.kernels.quantised import DeltaSizes
from hornbook.models.fields import Fields
from hornbook.models.gguf.scaling import read_turning
from hornbook.models.gguf.sizes import close_fields, open_fields, read_sizes
from hornbook.models.sizes import DecoderSizes
from hornbook.nn.frequencies import RotaryConfig

WINDOW, PATTERN = "attention.sliding_window", "attention.sliding_window_pattern"
CAP, LOGIT_CAP = "attn_logit_softcapping", "final_logit_softcapping"
_EPSILON = "attention.layer_norm_rms_epsilon"
_WIDE = {"gemma2": 46, "gemma3": 62}
"""Blocks of the models whose scores llama.cpp scales by the width for a head, not by the head."""


class MixtureFacts(NamedTuple):
    """experts of `hidden` channels, of which a token meets `chosen`; their weights come to 1."""

    experts: int
    chosen: int
    hidden: int


class RecallFacts(NamedTuple):
    """The gated delta rule in all blocks but those of `attention`. sizes: as a file has it, where
    heads of values that share a key may stand apart."""

    sizes: DeltaSizes
    attention: Collection[int]


class DecoderFacts(NamedTuple):
    """epsilon: of all norms. biased: queries, keys and values have a bias. window: of tokens that
    are seen in all blocks but those of `whole`. near: the positions of blocks with a window, None
    for those of the others. still: blocks without positions. scale: of scores, None for
    1 / sqrt(head); cap, logit_cap: of scores and logits. embedding, residual: what token vectors,
    and what layers add, are multiplied by; logits are divided by `logits`. mixture: in the place of
    each MLP. recall: in the place of some attentions, the others have gates.
    """

    sizes: DecoderSizes
    rotary: RotaryConfig
    epsilon: float
    biased: bool = False
    window: int | None = None
    whole: Collection[int] = ()
    near: RotaryConfig | None = None
    still: Collection[int] = ()
    scale: float | None = None
    cap: float | None = None
    logit_cap: float | None = None
    embedding: float = 1.0
    residual: float = 1.0
    logits: float = 1.0
    mixture: MixtureFacts | None = None
    recall: RecallFacts | None = None


Read = Callable[[Fields, str, int, GGUFFile], DecoderFacts]


def read_facts(file: GGUFFile, name: str) -> DecoderFacts:
    """Of an architecture in `FACTS`. Raises HornbookError naming file, key and value for what we
    would compute otherwise."""
    fields, vocab = open_fields(file, name)
    try:
        found = FACTS[name](fields, name, vocab, file)
    except pydantic.ValidationError as error:
        raise HornbookError(f"{file.path}: {error.errors()[0]['msg']}.") from None
    close_fields(fields, name, vocab, found.sizes.depth, len(file.tensors))
    return found


def read_plain(
    fields: Fields, name: str, vocab: int, file: GGUFFile, partly: bool = False
) -> DecoderFacts:
    """What all have. The tensors that are there say whether it has biases; partly: whether a part
    of each head may turn."""
    sizes = read_sizes(fields, name, vocab, file.tensors)
    if sizes.head % 2:
        fields.refuse(f"{name}.attention.key_length", sizes.head, "It must be even, to be turned.")
    return DecoderFacts(
        sizes,
        rotary=read_turning(file, fields, name, sizes, partly),
        epsilon=fields.number(f"{name}.{_EPSILON}"),
        biased="blk.0.attn_q.bias" in file.tensors,
    )


def scale_of(name: str, sizes: DecoderSizes) -> float:
    """Of the scores, as llama.cpp has it for Gemma."""
    wide = sizes.depth == _WIDE[name]
    return float((sizes.width // sizes.heads if wide else sizes.head) ** -0.5)


def _read_qwen3moe(fields: Fields, name: str, vocab: int, file: GGUFFile) -> DecoderFacts:
    found = read_plain(fields, name, vocab, file)
    experts, chosen = (fields.size(f"{name}.expert_{each}") for each in ("count", "used_count"))
    if chosen > experts:
        fields.refuse(f"{name}.expert_used_count", chosen, f"There are {experts} experts.")
    hidden = fields.size(f"{name}.expert_feed_forward_length", found.sizes.hidden)
    return found._replace(mixture=MixtureFacts(experts, chosen, hidden))


def _read_phi3(fields: Fields, name: str, vocab: int, file: GGUFFile) -> DecoderFacts:
    window = fields.taken(f"{name}.{WINDOW}").get(f"{name}.{WINDOW}") or None  # 0 is none
    return read_plain(fields, name, vocab, file, partly=True)._replace(window=window)


def _read_gemma2(fields: Fields, name: str, vocab: int, file: GGUFFile) -> DecoderFacts:
    found = read_plain(fields, name, vocab, file)
    return found._replace(
        window=fields.size(f"{name}.{WINDOW}", 4096),
        whole=_whole(fields, name, found.sizes.depth, every=2),
        scale=scale_of(name, found.sizes),
        cap=fields.number(f"{name}.{CAP}", 50.0),
        logit_cap=fields.number(f"{name}.{LOGIT_CAP}", 30.0),
        embedding=math.sqrt(found.sizes.width),
    )


def _read_gemma3(fields: Fields, name: str, vocab: int, file: GGUFFile) -> DecoderFacts:
    for key, other in (("freq_base", "global.freq_base"), ("freq_base_swa", "local.freq_base")):
        for value in fields.taken(f"{name}.rope.{other}").values():  # as Ollama writes it
            fields.assume(f"{name}.rope.{key}", value)
    found = read_plain(fields, name, vocab, file)
    key, cap = f"{name}.{WINDOW}", f"{name}.{LOGIT_CAP}"
    window = fields.taken(key).get(key)
    whole = _whole(fields, name, found.sizes.depth, every=6)
    return found._replace(
        window=window or found.sizes.context,
        whole=whole if window else range(found.sizes.depth),
        near=RotaryConfig(theta=fields.number(f"{name}.rope.freq_base_swa", 10_000.0)),
        scale=scale_of(name, found.sizes),
        logit_cap=fields.number(cap) if fields.has(cap) else None,
        embedding=math.sqrt(found.sizes.width),
    )


def _read_olmo2(fields: Fields, name: str, vocab: int, file: GGUFFile) -> DecoderFacts:
    fields.only(f"{name}.{WINDOW}", 0)
    return read_plain(fields, name, vocab, file)


def _read_smollm3(fields: Fields, name: str, vocab: int, file: GGUFFile) -> DecoderFacts:
    found = read_plain(fields, name, vocab, file)
    return found._replace(still=range(3, found.sizes.depth, 4))


def _read_granite(fields: Fields, name: str, vocab: int, file: GGUFFile) -> DecoderFacts:
    fields.only(f"{name}.rope.scaling.finetuned", True)  # false: no positions at all
    found = read_plain(fields, name, vocab, file)
    return found._replace(
        scale=fields.number(f"{name}.attention.scale", found.sizes.head**-0.5),
        embedding=fields.number(f"{name}.embedding_scale", 1.0),
        residual=fields.number(f"{name}.residual_scale", 1.0),
        logits=fields.number(f"{name}.logit_scale", 1.0),
    )


def _without_guesses(
    fields: Fields, name: str, sizes: DecoderSizes, file: GGUFFile
) -> DecoderSizes:
    """Sizes without the last blocks, which only guess further tokens, and whose tensors go."""
    key = f"{name}.nextn_predict_layers"
    further = fields.taken(key).get(key, 0)
    if type(further) is not int or not 0 <= further < sizes.depth:
        fields.refuse(key, further, f"It must be fewer than the {sizes.depth} blocks.")
    depth = sizes.depth - further
    for block in range(depth, sizes.depth):
        for tensor in [each for each in file.tensors if each.startswith(f"blk.{block}.")]:
            del file.tensors[tensor]
    return sizes.model_copy(update={"depth": depth})


def _read_qwen35(fields: Fields, name: str, vocab: int, file: GGUFFile) -> DecoderFacts:
    """Attention stands in every so many blocks. Positions of text are one number, of images three:
    which pairs of channels belong to which is said by what is left out here."""
    fields.ignore(f"{name}.rope.dimension_sections")
    fields.only(f"{name}.rope.scaling.type", "none")
    sizes = _without_guesses(fields, name, read_sizes(fields, name, vocab, file.tensors), file)
    epsilon = fields.number(f"{name}.{_EPSILON}")
    heads, inner = fields.size(f"{name}.ssm.time_step_rank"), fields.size(f"{name}.ssm.inner_size")
    if inner % heads:
        fields.refuse(f"{name}.ssm.inner_size", inner, f"It must divide into {heads} heads.")
    groups = fields.size(f"{name}.ssm.group_count")
    if heads % groups:
        fields.refuse(f"{name}.ssm.group_count", groups, f"It must divide {heads} heads.")
    rule = DeltaSizes(
        heads=heads,
        head=inner // heads,
        key_heads=groups,
        key=fields.size(f"{name}.ssm.state_size"),
        taps=fields.size(f"{name}.ssm.conv_kernel"),
        epsilon=epsilon,
        spread=heads > groups,
    )
    every = fields.size(f"{name}.full_attention_interval", 4)
    turning = fields.size(f"{name}.rope.dimension_count", sizes.head)
    theta = fields.number(f"{name}.rope.freq_base", 10_000.0)
    return DecoderFacts(
        sizes,
        rotary=RotaryConfig(theta=theta, channels=turning if turning != sizes.head else None),
        epsilon=epsilon,
        recall=RecallFacts(rule, range(every - 1, sizes.depth, every)),
    )


def _whole(fields: Fields, name: str, depth: int, every: int) -> tuple[int, ...]:
    """The blocks that see all tokens. every: the last of so many, where the file does not say."""
    key = f"{name}.{PATTERN}"
    found = fields.taken(key).get(key, every)
    if isinstance(found, list) and len(found) == depth:
        return tuple(i for i, near in enumerate(found) if not near)
    if isinstance(found, bool) or not isinstance(found, int) or found < 1:
        fields.refuse(key, found, f"It must be a number, or {depth} truth values.")
    return tuple(i for i in range(depth) if i % found == found - 1)


FACTS: dict[str, Read] = {
    **dict.fromkeys(("llama", "qwen2", "qwen3"), read_plain),
    "qwen3moe": _read_qwen3moe,
    "qwen35": _read_qwen35,
    "phi3": _read_phi3,
    "gemma2": _read_gemma2,
    "gemma3": _read_gemma3,
    "olmo2": _read_olmo2,
    "smollm3": _read_smollm3,
    "granite": _read_granite,
}
"""By `general.architecture`."""
