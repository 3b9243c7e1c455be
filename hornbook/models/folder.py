"""A model on disk: a Hugging Face folder, written whole or not at all, and read back; or GGUF.

Knows the files of such a folder; what is in config.json and how tensors are named is `convert`'s.
"""

import math
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from hornbook.core.claims import Claim
from hornbook.core.errors import HornbookError
from hornbook.core.files import (
    hash_file,
    hash_json,
    read_json,
    require_space,
    write_json,
    write_text,
)
from hornbook.core.folders import atomic_folder
from hornbook.core.gguf import GGUFFile, is_gguf, parts_of
from hornbook.models.classifier import ClassifierConfig
from hornbook.models.convert import from_hf, to_hf
from hornbook.models.convert.family import Family, TensorRule
from hornbook.models.gguf.config import read_config as read_gguf_config
from hornbook.models.gguf.read import GGUFTensors
from hornbook.models.model import Model, ModelConfig
from hornbook.models.place import CONFIG, WEIGHTS, resolve
from hornbook.models.seq2seq import Seq2SeqConfig
from hornbook.models.tensors import TensorFiles, weight_files, write_tensors
from hornbook.tokenize.sequences import SequenceTokenizer, open_tokenizer
from hornbook.tokenize.settings import CONFIG as TOKENIZER_CONFIG
from hornbook.tokenize.tokenizer import TOKENIZER
from hornbook.tokenize.unigram import open_writer

_TOKENIZER_EXTRAS = ("special_tokens_map.json", "chat_template.jinja", "vocab.txt")
MODEL = Claim("a program that saves models")
"""Who writes a model folder where nobody says it."""


def load_config(folder: Path) -> ModelConfig:
    """The config of a model, without its weights."""
    return _read_config(resolve(folder))[1]


def weights_fingerprint(folder: Path) -> str:
    """What decides a model's weights: the bytes of its files."""
    folder = resolve(folder)
    files = parts_of(folder) if is_gguf(folder) else weight_files(folder)
    return hash_json([hash_file(file) for file in files])


def load_model(
    folder: Path, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32
) -> Model:
    """The model that `resolve` finds, its weights as `dtype` on `device`.

    The file is mapped and copied tensor by tensor, so the weights are in memory once. Raises
    UsageError when there is no model, and HornbookError naming file, key or tensor when the
    folder or file is broken or holds what we cannot compute exactly.
    """
    folder = resolve(folder)
    family, config = _read_config(folder)
    if (folder / TOKENIZER).is_file():
        _check_tokenizer(folder, config)
    files = GGUFTensors(GGUFFile(folder)) if is_gguf(folder) else TensorFiles(folder)
    check_size(config, files)
    model = config.outline()
    assert not list(model.buffers()), "a model is its parameters: a buffer would stay unfilled"
    places, copies = match(family, model, files)  # before memory is taken for untrue sizes
    model.to(dtype).to_empty(device=device)
    model.tie()  # moving from meta made two of one
    parameters = dict(model.named_parameters())
    for name, rule in places.items():
        rule.unpack(files.read(name), parameters)
    for copy, of in copies.items():
        _check_same(files, copy, of)
    return model


def save_model(
    model: Model,
    folder: Path,
    *,
    claim: Claim = MODEL,
    tokenizer_folder: Path | None = None,
    card: str | None = None,
    generation: Mapping[str, Any] | None = None,
    beside: Mapping[str, Any] | None = None,
) -> None:
    """Write a folder that `transformers` opens; an older model in its place stays until then.

    claim: who writes it. card: the text of README.md. generation: what generation_config.json
    says besides token ids. beside: further JSON files by name, such as how images are prepared.
    Raises what `write_model` raises, and UsageError when `folder` is not the claim's to replace.
    """
    to_hf(model.config)
    size = sum(weight.numel() * weight.element_size() for weight in model.parameters())
    require_space(folder, size, "The model")
    with atomic_folder(folder, claim) as aside:
        write_model(model, aside, tokenizer_folder, generation)
        for name, content in (beside or {}).items():
            (aside / name).parent.mkdir(exist_ok=True)
            write_json(aside / name, content)
        if card is not None:
            write_text(aside / "README.md", card)


def write_model(
    model: Model,
    folder: Path,
    tokenizer_folder: Path | None = None,
    generation: Mapping[str, Any] | None = None,
) -> None:
    """Write config, weights and tokenizer into a folder that is made whole by the caller.

    Raises HornbookError when no `model_type` computes what the model does, when the tokenizer has
    more tokens than the model, or when the disk is full.
    """
    family, values = to_hf(model.config)
    ids, stops = _token_ids(tokenizer_folder, model.config)
    parameters = dict(model.named_parameters())
    kind = str(next(iter(parameters.values())).dtype).removeprefix("torch.")
    # `torch_dtype`, not `dtype`: every version of `transformers` reads it.
    write_json(folder / CONFIG, {**ids, **values, "torch_dtype": kind})
    start = {key: values[key] for key in values if key == "decoder_start_token_id"}
    write_json(folder / "generation_config.json", {**stops, **start, **(generation or {})})
    rules = family.table(model.config, parameters)
    write_tensors(folder / WEIGHTS, {rule.theirs: rule.pack(parameters) for rule in rules})
    if tokenizer_folder is not None:
        _copy_tokenizer(tokenizer_folder, folder, model.config.context)


def _token_ids(
    tokenizer_folder: Path | None, config: ModelConfig
) -> tuple[dict[str, Any], dict[str, Any]]:
    """What config.json and generation_config.json say of a checked tokenizer's special tokens."""
    if tokenizer_folder is None:
        return {"bos_token_id": None, "eos_token_id": None, "pad_token_id": None}, {}
    _check_tokenizer(tokenizer_folder, config)
    # What writes no text may fill up with the token that ends one, as classifiers elsewhere do.
    openers = {ClassifierConfig: SequenceTokenizer.load, Seq2SeqConfig: open_writer}
    tokenizer = openers.get(type(config), open_tokenizer)(tokenizer_folder)
    pad = {"pad_token_id": tokenizer.pad_id}
    return (
        {"bos_token_id": None, "eos_token_id": tokenizer.eos_id, **pad},
        {"eos_token_id": sorted(tokenizer.stop_ids) or None, **pad},
    )


def match(
    family: Family, model: Model, files: TensorFiles | GGUFTensors
) -> tuple[dict[str, TensorRule], dict[str, str]]:
    """The rule of each stored tensor, and which stored tensors must equal which others.

    No tensor may be missing, left over or of another shape.
    """
    parameters = dict(model.named_parameters())
    stored, places = family.full_names(files.names()), {}
    rules = family.table(model.config, parameters)
    named = dict(stored)
    for rule in rules:
        name = stored.pop(rule.theirs, None)
        if name is None:
            raise HornbookError(f"{files.folder}: the tensor {rule.theirs} is missing.")
        wanted, found = rule.shape(parameters), files.shape(name)
        if wanted != found:
            raise HornbookError(
                f"{files.path(name)}: {name} has shape {found}, but {files.config} says {wanted}."
            )
        places[name] = rule
    copied = family.copied(rules)
    copies = {stored.pop(copy): named[of] for copy, of in copied.items() if copy in stored}
    for name in stored.values():
        raise HornbookError(
            f"{files.path(name)}: {name} {files.shape(name)} has no place in the model of "
            f"{files.config}."
        )
    return places, copies


def check_size(config: ModelConfig, files: TensorFiles | GGUFTensors) -> None:
    """Refuse sizes of another order than the file's before anything is built of them.

    What is nearer is left to `match`, which names the tensor.
    """
    names, blocks = files.names(), sum(stack.depth for stack in config.stacks().values())
    stored = sum(math.prod(files.shape(name)) for name in names)
    if blocks > len(names) or config.parameters() > 2 * stored:
        raise HornbookError(
            f"{files.folder}: {files.config} says {blocks:,} blocks, but the file has "
            f"{len(names):,} tensors with {stored:,} weights."
        )


def _check_same(files: TensorFiles | GGUFTensors, copy: str, of: str) -> None:
    """A tensor stored beside the one that it is tied to must say the same."""
    if not torch.equal(files.read(copy), files.read(of)):
        raise HornbookError(
            f"{files.path(copy)}: {copy} differs from {of}, but {CONFIG} says that they are one "
            "(tie_word_embeddings = true)."
        )


def _read_config(folder: Path) -> tuple[Family, ModelConfig]:
    if is_gguf(folder):
        return read_gguf_config(GGUFFile(folder))
    path = folder / CONFIG
    values = read_json(path)
    if not isinstance(values, dict):
        raise HornbookError(f"{path} does not hold keys and values.")
    return from_hf(values, str(path))


def _check_tokenizer(folder: Path, config: ModelConfig) -> None:
    """Every id that the tokenizer can give must have an embedding."""
    if config.vocab is None:
        return
    path = folder / TOKENIZER
    values = read_json(path)
    try:
        vocabulary = values["model"]["vocab"]
        ids = range(len(vocabulary)) if isinstance(vocabulary, list) else vocabulary.values()
        top = max((*ids, *(token["id"] for token in values["added_tokens"])))
    except (AttributeError, KeyError, TypeError, ValueError):
        raise HornbookError(f"{path} is not a tokenizer of the `tokenizers` library.") from None
    if top >= config.vocab:
        raise HornbookError(
            f"{path} has ids up to {top}, but the model has embeddings for {config.vocab} "
            f"tokens, 0 to {config.vocab - 1}."
        )


def _copy_tokenizer(source: Path, target: Path, context: int) -> None:
    """Copy the tokenizer's files; its config learns how long the model's context is."""
    for name in (TOKENIZER, *_TOKENIZER_EXTRAS):
        if (source / name).is_file():
            shutil.copyfile(source / name, target / name)
    path = source / TOKENIZER_CONFIG
    values = read_json(path) if path.is_file() else {}
    write_json(target / TOKENIZER_CONFIG, {**values, "model_max_length": context})
