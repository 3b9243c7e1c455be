"""An adapter on disk: a folder that the library `peft` opens, and what it was made for beside it.

Names are those of the Hugging Face family that a model is written as. One of their matrices may be
several of ours (GPT-2's queries, keys and values): then its factors are ours in blocks. Knows
names and files; knows nothing of training.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from hornbook.adapt import lora
from hornbook.adapt.lora import LoRALinear
from hornbook.core.claims import Claim
from hornbook.core.errors import HornbookError, UsageError
from hornbook.core.files import hash_json, read_json, write_json, write_text
from hornbook.core.folders import atomic_folder
from hornbook.models.causal_lm import CausalLM
from hornbook.models.classifier import ClassifierNetwork
from hornbook.models.convert import to_hf
from hornbook.models.convert.family import TensorRule
from hornbook.models.folder import MODEL, weights_fingerprint
from hornbook.models.model import Model
from hornbook.models.place import resolve
from hornbook.models.seq2seq import Seq2Seq
from hornbook.models.tensors import read_tensors, write_tensors
from hornbook.tokenize.tokenizer import read_files

CONFIG, WEIGHTS, BASE = "adapter_config.json", "adapter_model.safetensors", "hornbook.json"
_PREFIX = "base_model.model."
_PLAIN: Mapping[str, tuple[Any, ...]] = {
    "peft_type": ("LORA",),
    "bias": ("none", None),
    "use_dora": (False, None),
    "use_rslora": (False, None),
    "layers_to_transform": (None,),
    "layer_replication": (None,),
    "megatron_config": (None,),
    "trainable_token_indices": (None,),
    "target_parameters": (None, []),
    "alora_invocation_tokens": (None,),
}
"""Keys of their config that change what is computed, with the values that we compute."""


class Base(NamedTuple):
    """What an adapter belongs to: fingerprints of the weights and of the tokenizer; where it lay.

    tokenizer: None for a model without one.
    """

    weights: str
    tokenizer: str | None
    place: str


def base_of(path: Path) -> Base:
    """The base that the model at `path` is; raises UsageError where there is none."""
    folder = resolve(path)
    try:
        tokenizer = hash_json(read_files(folder)[0])
    except HornbookError:
        tokenizer = None
    return Base(weights_fingerprint(folder), tokenizer, str(folder.absolute()))


def base_of_adapter(folder: Path) -> Base:
    """The base that an adapter of ours was made for. Raises HornbookError where it says nothing."""
    try:
        return Base(**read_json(folder / BASE))
    except TypeError:
        raise HornbookError(f"{folder / BASE} does not say what the adapter is for.") from None


def is_adapter(folder: Path) -> bool:
    """Whether a folder holds an adapter."""
    return (folder / CONFIG).is_file()


def save_adapter(
    model: Model, folder: Path, base: Base, card: str | None = None, claim: Claim = MODEL
) -> None:
    """Write the LoRA layers of `model`, and the head and pooling of a classifier, as `peft` does.

    Raises HornbookError for a model without LoRA layers, or whose layers differ in strength.
    """
    inserted = dict(lora.layers(model))
    if not inserted:
        raise HornbookError("The model has no LoRA layers to save.")
    strengths = {layer.alpha / layer.rank for layer in inserted.values()}
    ranks = {layer.rank for layer in inserted.values()}
    if len(strengths) > 1 or len(ranks) > 1:
        raise HornbookError("LoRA layers of several ranks or strengths are not saved together.")
    (rank,), (strength,) = ranks, strengths
    tensors: dict[str, Tensor] = {}
    wide: dict[str, int] = {}
    transposed = False
    for rule in _linear_rules(model):
        parts = [inserted[name] for name in _modules(rule) if name in inserted]
        if not parts:
            continue
        assert len(parts) == len(rule.ours), "LoRA goes around all parts of one of their maps"
        module = rule.theirs.removesuffix(".weight")
        transposed = rule.transposed
        tensors[f"{_PREFIX}{module}.lora_A.weight"] = torch.cat([p.down.detach() for p in parts])
        tensors[f"{_PREFIX}{module}.lora_B.weight"] = torch.block_diag(
            *(p.up.detach() for p in parts)
        )
        if len(parts) > 1:
            wide[_suffix(module)] = rank * len(parts)
    saved = _head_rules(model)
    for rule in saved:
        tensors[_PREFIX + rule.theirs] = rule.pack(lora.own_parameters(model))
    modules = sorted({rule.theirs.rpartition(".")[0] for rule in saved})
    names = {n.removeprefix(_PREFIX).partition(".lora_")[0] for n in tensors if ".lora_" in n}
    values = {
        "peft_type": "LORA",
        "task_type": _task(model),
        "base_model_name_or_path": base.place,
        "r": rank,
        "lora_alpha": strength * rank,
        "lora_dropout": next(iter(inserted.values())).dropout.dropped / 256,
        "target_modules": sorted({_suffix(name) for name in names}),
        "modules_to_save": modules or None,
        "rank_pattern": wide,
        "alpha_pattern": {name: strength * r for name, r in wide.items()},
        "fan_in_fan_out": transposed,
        "bias": "none",
        "inference_mode": True,
        "init_lora_weights": True,
    }
    with atomic_folder(folder, claim) as aside:
        write_json(aside / CONFIG, values)
        write_tensors(aside / WEIGHTS, {n: t.cpu().contiguous() for n, t in tensors.items()})
        write_json(aside / BASE, base._asdict())
        if card is not None:
            write_text(aside / "README.md", card)


def load_adapter(model: Model, folder: Path, base: Base | None = None) -> None:
    """Put the adapter of `folder` into `model`, which stays as it is if anything is wrong.

    base: what `model` is, to be compared with what the adapter was made for; None, or an adapter
    that says nothing of it, is not compared. Raises UsageError for a folder without an adapter and
    for another base or tokenizer, HornbookError naming file, key or tensor for what is broken or
    computed otherwise than here.
    """
    if not is_adapter(folder):
        raise UsageError(f"{folder} holds no adapter: {CONFIG} is missing.")
    if base is not None and (folder / BASE).is_file():
        _check_base(folder, base)
    values = _read_config(folder / CONFIG)
    stored = read_tensors(folder / WEIGHTS)
    found = {name.removeprefix(_PREFIX): tensor.float() for name, tensor in stored.items()}
    maps: list[tuple[TensorRule, Tensor, Tensor, float]] = []
    for rule in _linear_rules(model):
        module = rule.theirs.removesuffix(".weight")
        down, up = (found.pop(f"{module}.lora_{x}.weight", None) for x in "AB")
        if down is None or up is None:
            continue
        _check_shapes(folder, model, rule, down, up)
        maps.append((rule, down, up, _strength(values, module, len(down))))
    heads = [(rule, found.pop(rule.theirs)) for rule in _head_rules(model) if rule.theirs in found]
    for name in found:
        raise HornbookError(f"{folder / WEIGHTS}: {name} has no place in this model.")
    if not maps:
        raise HornbookError(f"{folder / WEIGHTS} holds no LoRA layer of this model.")
    parameters = lora.own_parameters(model)
    for rule, tensor in heads:
        if rule.shape(parameters) != tuple(tensor.shape):
            raise HornbookError(
                f"{folder / WEIGHTS}: {rule.theirs} has shape {tuple(tensor.shape)}, but the "
                f"model's is {rule.shape(parameters)}."
            )
    for rule, tensor in heads:
        rule.unpack(tensor, parameters)
    for rule, down, up, strength in maps:
        _insert(model, rule, down, up, strength, float(values.get("lora_dropout") or 0.0))


def _insert(
    model: Model, rule: TensorRule, down: Tensor, up: Tensor, strength: float, dropout: float
) -> None:
    """Put their factors, (R, in) and (out, R), around our parts of their map."""
    names = _modules(rule)
    sizes = [_linear(model, name).out_features for name in names]
    for at, (name, rows) in enumerate(zip(names, up.split(sizes), strict=True)):
        a, b = _own_block(down, up, sizes, at) or (down, rows)
        layer = lora.wrap(model, name, len(a), strength * len(a), dropout)
        with torch.no_grad():
            layer.down.copy_(a)
            layer.up.copy_(b)


def _own_block(down: Tensor, up: Tensor, sizes: list[int], at: int) -> tuple[Tensor, Tensor] | None:
    """The factors of part `at` where theirs are blocks, as we write them; None where not."""
    rank, rest = divmod(len(down), len(sizes))
    if len(sizes) == 1 or rest:
        return None
    blocks = [rows.split(rank, 1)[i] for i, rows in enumerate(up.split(sizes))]
    if not torch.equal(torch.block_diag(*blocks), up):
        return None
    return down.split(rank)[at], blocks[at]


def _linear_rules(model: Model) -> list[TensorRule]:
    """The rules of the matrices of the stacks' linear maps."""
    stacks = tuple(f"{name}." for name in model.config.stacks())
    parameters = lora.own_parameters(model)
    return [
        rule
        for rule in to_hf(model.config)[0].table(model.config, parameters)
        if rule.ours[0].startswith(stacks)
        and rule.theirs.endswith(".weight")
        and all(isinstance(model.get_submodule(m), nn.Linear | LoRALinear) for m in _modules(rule))
    ]


def _head_rules(model: Model) -> list[TensorRule]:
    """The rules of a classifier's own parameters: new ones, which go with the adapter."""
    if not isinstance(model, ClassifierNetwork):
        return []
    table = to_hf(model.config)[0].table(model.config, lora.own_parameters(model))
    return [rule for rule in table if rule.ours[0].startswith(("head.", "pooling."))]


def _modules(rule: TensorRule) -> list[str]:
    return [name.rpartition(".")[0] for name in rule.ours]


def _linear(model: Model, name: str) -> nn.Linear:
    module = model.get_submodule(name)
    assert isinstance(module, nn.Linear)
    return module


def _suffix(module: str) -> str:
    """What a module is called in every block: what stands behind the block's number."""
    return re.split(r"\.[0-9]+\.", module)[-1]


def _task(model: Model) -> str | None:
    """Their name of what the model does; None where they have none, as for filling in words."""
    kinds = {ClassifierNetwork: "SEQ_CLS", Seq2Seq: "SEQ_2_SEQ_LM", CausalLM: "CAUSAL_LM"}
    return next((name for kind, name in kinds.items() if isinstance(model, kind)), None)


def _check_base(folder: Path, base: Base) -> None:
    made_for = base_of_adapter(folder)
    if made_for.tokenizer != base.tokenizer:
        raise UsageError(
            f"{folder} was trained with another tokenizer than that of {base.place}; its base "
            f"was {made_for.place}."
        )
    if made_for.weights != base.weights:
        raise UsageError(
            f"{folder} was trained on other weights than those of {base.place}; its base was "
            f"{made_for.place}."
        )


def _read_config(path: Path) -> dict[str, Any]:
    values = read_json(path)
    if not isinstance(values, dict):
        raise HornbookError(f"{path} does not hold keys and values.")
    for key, allowed in _PLAIN.items():
        if values.get(key, allowed[0]) not in allowed:
            raise HornbookError(f"{path}: {key} = {values[key]!r} is not computed here.")
    return values


def _check_shapes(folder: Path, model: Model, rule: TensorRule, down: Tensor, up: Tensor) -> None:
    inserted = {name for name, _ in lora.layers(model)}
    if inserted & set(_modules(rule)):
        raise HornbookError(f"The model has a LoRA layer around {_modules(rule)[0]} already.")
    parts = [_linear(model, name) for name in _modules(rule)]
    wanted = (parts[0].in_features, sum(part.out_features for part in parts))
    if (down.shape[1], up.shape[0]) != wanted or down.shape[0] != up.shape[1]:
        raise HornbookError(
            f"{folder / WEIGHTS}: the factors of {rule.theirs} are {tuple(down.shape)} and "
            f"{tuple(up.shape)}, but the map leads from {wanted[0]} channels to {wanted[1]}."
        )


def _strength(values: Mapping[str, Any], module: str, rank: int) -> float:
    """alpha / R; a pattern's key is the end of a name, as in `peft`."""
    for key, alpha in (values.get("alpha_pattern") or {}).items():
        if module == key or module.endswith(f".{key}"):
            return float(alpha) / rank
    return float(values.get("lora_alpha", 8)) / rank
