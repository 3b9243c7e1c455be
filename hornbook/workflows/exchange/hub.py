"""Files of a repository of the Hugging Face hub, by the hub's own library and its settings.

What a model needs is chosen by name: safetensors or GGUF, configs, tokenizer, licence; no program,
and nothing that would be unpickled. A download that broke off goes on where it stopped: its
beginning lies in the hub's cache.
"""

import fnmatch
import logging
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from hornbook.core.errors import UsageError, unknown
from hornbook.core.gguf import is_model, parts_of
from hornbook.core.lines import first_line
from hornbook.workflows.exchange.catalogue import File, Hub
from hornbook.workflows.exchange.record import Unreachable

_WEIGHTS = ("model.safetensors", "model-*-of-*.safetensors")
_BESIDE = (
    "config.json",
    "generation_config.json",
    "preprocessor_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "vocab.txt",
    "merges.txt",
    "chat_template.jinja",
    "model.safetensors.index.json",
    "modules.json",
    "sentence_bert_config.json",
    "config_sentence_transformers.json",
    "1_Pooling/config.json",
    "LICENSE*",
    "USE_POLICY*",
)
"""Globs of names; a model's own are at the top."""
_NAME = re.compile(
    r"hf:/{1,2}(?P<owner>[A-Za-z0-9][\w.-]*)/(?P<name>[A-Za-z0-9][\w.-]*)"
    r"(?:@(?P<revision>[\w.-]+))?(?:/(?P<file>[\w.-]+\.gguf))?"
)


class Named(NamedTuple):
    """What `hf://owner/name@revision/file` names. revision, file: None where not said."""

    repository: str
    revision: str | None
    file: str | None


class Listed(NamedTuple):
    """A repository as the hub lists it: at its commit, with the files that a model needs.

    licence: as its card says it, or None.
    """

    hub: Hub
    licence: str | None


def parse(name: str) -> Named:
    """Raises UsageError for what is no name of a repository."""
    found = _NAME.fullmatch(name)
    if found is None or ".." in name:
        raise UsageError(
            f"{name} is not hf://owner/name; @revision and /FILE.gguf may stand behind it."
        )
    return Named(f"{found['owner']}/{found['name']}", found["revision"], found["file"])


def listed(asked: Named) -> Listed:
    """Ask the hub. Raises Unreachable saying why it cannot be asked or has no model there, and
    UsageError where a file must be chosen."""
    api = _library().HfApi()
    try:
        found = api.model_info(asked.repository, revision=asked.revision, files_metadata=True)
    except Exception as error:  # the library has no common class for what can go wrong
        raise _unreachable(error, asked.repository) from None
    files = [_file(sibling) for sibling in found.siblings or []]
    names = chosen([file.name for file in files], asked)
    kept = tuple(file for file in files if file.name in names)
    return Listed(Hub(asked.repository, str(found.sha), kept), _licence(found.card_data))


def chosen(names: Sequence[str], asked: Named) -> list[str]:
    """The names of the files that a model needs.

    Raises UsageError where several GGUF files are there and none is named, or the named one is
    not, and Unreachable where there is nothing that can be opened.
    """
    top = [name for name in names if "/" not in name]
    quantised = [name for name in top if is_model(name)]
    if asked.file is not None:
        if asked.file not in quantised:
            raise unknown(f"GGUF file of {asked.repository}", asked.file, quantised)
        return [part.name for part in parts_of(Path(asked.file))]
    weights = next((w for glob in _WEIGHTS if (w := fnmatch.filter(top, glob))), [])
    if weights:
        return weights + [name for glob in _BESIDE for name in fnmatch.filter(names, glob)]
    if len(quantised) == 1:
        return [part.name for part in parts_of(Path(quantised[0]))]
    if quantised:
        raise UsageError(
            f"{asked.repository} has several models; name one: hf://{asked.repository}/FILE with "
            f"FILE one of {', '.join(quantised)}."
        )
    raise Unreachable("it has no safetensors and no GGUF file; other formats can run code.")


def from_hub(source: Hub, aside: Path) -> None:
    """Bring its files into the folder `aside`. Raises Unreachable saying why it cannot."""
    download = _library().hf_hub_download
    for file in source.files:
        try:
            there = download(source.repository, file.name, revision=source.revision)
        except Exception as error:  # as above
            raise _unreachable(error, source.repository) from None
        target = aside / file.name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(there, target)


def _library() -> Any:
    try:
        import huggingface_hub
    except ImportError:
        raise Unreachable(
            "huggingface_hub is not installed (pip install 'hornbook[hub]')."
        ) from None
    # It says where it tries and tries again; what matters of it is in our own message.
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
    return huggingface_hub


def _unreachable(error: Exception, repository: str) -> Unreachable:
    if type(error).__name__ == "GatedRepoError":
        return Unreachable(
            f"its licence must be accepted first, on the page of {repository} at the hub; then "
            "log in with `hf auth login`, or set HF_TOKEN."
        )
    return Unreachable(first_line(str(error)) or type(error).__name__)


def _file(sibling: Any) -> File:
    return File(sibling.rfilename, sibling.size, sibling.lfs and sibling.lfs.sha256)


def _licence(card: Any) -> str | None:
    """The licence's name; where that is "other", the one that the card gives it, and its text."""
    if card is None:
        return None
    name = card.get("license")
    if name == "other":
        name = card.get("license_name") or name
    link = card.get("license_link")
    return f"{name} ({link})" if name and link else name
