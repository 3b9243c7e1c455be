"""A model and its tokenizer as a GGUF file, with what the file says of itself."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hornbook.core.gguf import GGUFFile, is_gguf
from hornbook.core.progress import Progress
from hornbook.models.gguf.mixture import FILE_TYPES, fits, is_float
from hornbook.models.gguf.write import StoredTensor, write_gguf
from hornbook.tokenize.gguf import write_tokenizer
from hornbook.tokenize.tokenizer import read_files
from hornbook.workflows.exchange.importance import importance_of
from hornbook.workflows.exchange.parity import ModelWithTokenizer
from hornbook.workflows.runs import folder as layout

_KEPT = ("name", "author", "organization", "license", "url", "description", "languages", "tags")
"""What a file says of itself that stays true of its weights in another type, and what is more
precise than these: `license.link`."""


def write_gguf_file(
    opened: ModelWithTokenizer,
    source: Path,
    out: Path,
    kind: str,
    weighed: Path | None,
    progress: Progress,
) -> dict[str, Any]:
    """Write what was opened from `source` as one of FILE_TYPES; returns what a certificate says of
    it: tensors {type: {tensors, bytes}} and importance.

    weighed: the text, or matrix, that says which weights matter (`importance_of`).
    """
    model, tokenizer = opened
    values, settings = read_files(source)
    known = settings._replace(eos=tokenizer.eos_id, stops=tokenizer.stop_ids)
    metadata = write_tokenizer(values, known, model.config.vocab, str(tokenizer.where))
    found = importance_of(weighed, model, tokenizer, progress) if weighed else None
    metadata |= _about(source, model.config.parameters()) | (found.metadata() if found else {})
    if before := _was(source):
        progress.say(f"The weights of {source.name} were {before} already: what that lost is lost.")
    stored = write_gguf(model, out, kind, metadata, found.columns if found else None)
    _say_replaced(stored, kind, progress)
    return {"tensors": by_type(stored), "importance": found.summary() if found else None}


def _about(source: Path, parameters: int) -> dict[str, Any]:
    """The keys by which other programs show a model."""
    import gguf

    name = source.parent.name if source.name == layout.MODEL else source.stem
    label = gguf.utility.model_weight_count_rounded_notation(parameters, min_digits=2)
    said: dict[str, Any] = {"type": "model", "name": name, "size_label": label}
    if is_gguf(source):
        said |= _kept(GGUFFile(source).values)
    return {f"general.{key}": value for key, value in said.items()}


def _kept(values: Mapping[str, Any]) -> dict[str, Any]:
    general = ((*key.partition("."), value) for key, value in values.items())
    return {
        key: value
        for group, _, key, value in general
        if group == "general" and key.split(".")[0] in _KEPT and value
    }


def _was(source: Path) -> str | None:
    """The type that most weights of a file were quantised to."""
    if not is_gguf(source):
        return None
    sizes: dict[str, int] = {}
    for place in GGUFFile(source).tensors.values():
        sizes[place.kind] = sizes.get(place.kind, 0) + place.bytes
    most = max(sizes, key=lambda kind: sizes[kind])
    return None if is_float(most) else most


def _say_replaced(stored: Sequence[StoredTensor], kind: str, progress: Progress) -> None:
    """Say which matrices have rows that the type cannot hold, and what they became."""
    matrices = [tensor for tensor in stored if len(tensor.shape) > 1]
    other = [each for each in matrices if not fits(FILE_TYPES[kind].kind, each.shape[-1])]
    if other:
        kinds = ", ".join(sorted({tensor.kind for tensor in other}))
        progress.say(
            f"Rows of {len(other)} of {len(matrices)} matrices cannot be divided into blocks of "
            f"{kind}; they are {kinds}, and larger."
        )


def by_type(stored: Sequence[StoredTensor]) -> dict[str, dict[str, int]]:
    """How many tensors and bytes a file has of each type, the most bytes first."""
    found: dict[str, dict[str, int]] = {}
    for tensor in stored:
        of = found.setdefault(tensor.kind, {"tensors": 0, "bytes": 0})
        of["tensors"] += 1
        of["bytes"] += tensor.bytes
    return dict(sorted(found.items(), key=lambda item: -item[1]["bytes"]))
