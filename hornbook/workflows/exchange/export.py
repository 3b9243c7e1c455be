"""Write a model in the form that others read, open what was written, and certify how near it is.

The certificate lies beside the model: `parity.json` in a folder, `FILE.parity.json` beside a file.
"""

import itertools
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from hornbook.adapt import lora
from hornbook.adapt.peft import base_of, base_of_adapter, is_adapter, load_adapter
from hornbook.core.claims import MARKER, Claim, beside
from hornbook.core.errors import HornbookError, UsageError, unknown
from hornbook.core.files import write_json
from hornbook.core.folders import atomic_folder, check_place
from hornbook.core.gguf import SUFFIX, GGUFFile, is_gguf
from hornbook.core.machine import versions
from hornbook.core.outputs import check_file, output_file
from hornbook.core.progress import Progress
from hornbook.models.causal_lm import CausalLM, CausalLMConfig
from hornbook.models.encoder import EncoderConfig
from hornbook.models.folder import load_config, load_model, write_model
from hornbook.models.gguf.config import write_config
from hornbook.models.gguf.mixture import FILE_TYPES, SHORT_NAMES, takes_importance
from hornbook.models.masked_lm import MaskedLMConfig
from hornbook.models.place import resolve
from hornbook.read.pydocs import read_pydocs
from hornbook.tokenize.gguf import unpack_tokenizer
from hornbook.tokenize.tokenizer import Tokenizer
from hornbook.workflows.exchange.encoder_file import certify_encoder, write_encoder_file
from hornbook.workflows.exchange.gguf_file import by_type, write_gguf_file
from hornbook.workflows.exchange.importance import importance_source
from hornbook.workflows.exchange.parity import ModelWithTokenizer, compare, tolerance
from hornbook.workflows.open.encoder import body_of
from hornbook.workflows.open.model import open_model
from hornbook.workflows.runs import folder as layout

FORMS = ("hf", "gguf", "peft")
PARITY = ".parity.json"
"""The certificate's name behind that of a file; in a folder, without the dot."""
_OWN_TEXT, _MOST_TEXT = 8 * 2**10, 64 * 2**10
"""Characters of Python's documentation, and of the user's text, that are scored."""


def export(
    path: Path,
    form: str,
    kind: str | None,
    out: Path,
    text: Path | None,
    progress: Progress,
    importance: str | None = None,
) -> dict[str, Any]:
    """Write the model of `path` as `form` at `out`; returns the certificate with its `path`.

    kind: how a GGUF file stores its matrices, f16 if not given. text: a file to measure bits per
    byte on, Python's documentation if not given. importance: text that says which weights of a
    quantised file matter most (`importance_source`). Raises UsageError before work for what does
    not go together, HornbookError when the form cannot hold the model.
    """
    chosen = _check(form, kind, out, importance)
    source = resolve(path)
    weighed = importance_source(importance, source) if importance else None
    claim, certificate_at = Claim(f"export --to {form}", (source,)), beside(out, "", PARITY)
    if form == "gguf":
        for file in (out, certificate_at):
            check_file(file, claim)
    else:
        check_place(out, claim)
    sample = _read(text) if text else _documentation()
    if form == "gguf" and isinstance(load_config(source), EncoderConfig | MaskedLMConfig):
        return _export_encoder(_Encoding(source, out, chosen, claim), sample, importance, progress)
    adapter = _adapter_of(source) if form == "peft" else None
    before = ModelWithTokenizer(*open_model(source, "cpu"))

    def certify(written: Path, more: Mapping[str, Any]) -> dict[str, Any]:
        progress.say(f"Written for {out}; opening it to compare.")
        after = (
            _with_adapter(written) if adapter else ModelWithTokenizer(*open_model(written, "cpu"))
        )
        compared = compare(before, after, sample)
        return {
            "from": source.name,
            "to": out.name,
            "type": chosen,
            **more,
            **compared,
            "tolerance": tolerance(compared, chosen),
            "bytes": {"before": _bytes(source), "after": _bytes(written)},
            "versions": versions(),
        }

    # What was there before stays until the new has its certificate.
    if form == "gguf":
        with (
            output_file(out, claim) as file,
            output_file(certificate_at, claim) as note,
        ):
            certificate = certify(
                file, write_gguf_file(before, source, file, chosen, weighed, progress)
            )
            write_json(note, certificate)
    else:
        with atomic_folder(out, claim) as aside:
            if adapter:
                _copy(adapter, aside)
            else:
                _write_folder(before, source, aside)
            certificate = certify(aside, {})
            write_json(aside / PARITY[1:], certificate)
    progress.say(*_summary(certificate))
    return {"path": str(out), **certificate}


class _Encoding(NamedTuple):
    """An encoder that is written, and as what."""

    source: Path
    out: Path
    kind: str
    claim: Claim


def _export_encoder(
    asked: _Encoding, sample: str, importance: str | None, progress: Progress
) -> dict[str, Any]:
    """As `export`, of what makes vectors of texts: a GGUF file of its body."""
    if importance:
        raise UsageError("--importance is for models that continue text.")
    certificate_at = beside(asked.out, "", PARITY)
    with (
        output_file(asked.out, asked.claim) as file,
        output_file(certificate_at, asked.claim) as note,
    ):
        before, stored = write_encoder_file(asked.source, file, asked.kind)
        progress.say(f"Written for {asked.out}; opening it to compare.")
        certificate = {
            "from": asked.source.name,
            "to": asked.out.name,
            "type": asked.kind,
            "tensors": by_type(stored),
            **certify_encoder(before, file, asked.kind, sample, progress),
            "bytes": {"before": _bytes(asked.source), "after": _bytes(file)},
        }
        write_json(note, certificate)
    return {"path": str(asked.out), **certificate}


def forms_of(path: Path) -> dict[str, str]:
    """Of each form why the model of `path` cannot be written in it, "" where it can; no weights
    are read. Raises UsageError where there is no model."""
    source = resolve(path)
    config = load_config(source)
    if isinstance(config, MaskedLMConfig):
        config = body_of(config)
    if not isinstance(config, CausalLMConfig):
        none = dict.fromkeys(FORMS, "It does not continue text.")
        body = config if isinstance(config, EncoderConfig) else None
        return none | ({"gguf": _refusal(lambda: write_config(body))} if body else {})
    return {
        "hf": "",
        "gguf": _refusal(lambda: write_config(config)),
        "peft": _refusal(lambda: _adapter_of(source)),
    }


def _refusal(attempt: Callable[[], object]) -> str:
    try:
        attempt()
    except HornbookError as error:
        return str(error)
    return ""


def _check(form: str, kind: str | None, out: Path, importance: str | None) -> str:
    """The type of matrices that form, kind and place say together."""
    if form not in FORMS:
        raise unknown("form", form, FORMS)
    if form != "gguf":
        if kind not in (None, "f32"):
            raise UsageError(f"--type {kind} goes with --to gguf; a folder is written as f32.")
        if importance:
            raise UsageError("--importance goes with --to gguf and a quantised --type.")
        return "f32"
    kind = (kind or "f16").lower()
    kind = SHORT_NAMES.get(kind, kind)
    if kind not in FILE_TYPES:
        raise unknown("type", kind, FILE_TYPES)
    if importance and not takes_importance(FILE_TYPES[kind]):
        raise UsageError(f"--importance would change nothing for --type {kind}; try q4_k_m.")
    if out.suffix != SUFFIX or out.is_dir():
        raise UsageError(f"{out}: name a file that ends with {SUFFIX}.")
    return kind


def _write_folder(before: ModelWithTokenizer, source: Path, folder: Path) -> None:
    if not is_gguf(source):
        write_model(before.model, folder, source)
        return
    with tempfile.TemporaryDirectory() as aside:
        unpack_tokenizer(GGUFFile(source), Path(aside))
        write_model(before.model, folder, Path(aside))


def _adapter_of(source: Path) -> Path:
    """The adapter of the LoRA run that `source` is the model of."""
    adapter = source.parent / layout.ADAPTER
    if not is_adapter(adapter):
        raise UsageError(f"{source.parent} is no run with --method lora: it has no adapter.")
    base = base_of_adapter(adapter)
    if not Path(base.place).exists():
        raise UsageError(f"{base.place}, which {adapter} belongs to, is not there any more.")
    return adapter


def _copy(adapter: Path, folder: Path) -> None:
    for file in adapter.iterdir():
        if file.is_file() and file.name != MARKER:
            shutil.copyfile(file, folder / file.name)


def _with_adapter(folder: Path) -> ModelWithTokenizer:
    """The base of an adapter with the adapter folded in."""
    place = Path(base_of_adapter(folder).place)
    model = load_model(place).eval()
    assert isinstance(model, CausalLM)
    load_adapter(model, folder, base_of(place))
    lora.merge(model)
    return ModelWithTokenizer(model, Tokenizer.load(place))


def _documentation() -> str:
    """The beginning of Python's own documentation."""
    texts = itertools.islice((document.text for document in read_pydocs()), 32)
    return "\n\n".join(texts)[:_OWN_TEXT]


def _read(path: Path) -> str:
    try:
        text = path.read_text(encoding="utf-8")[:_MOST_TEXT]
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--text {path} cannot be read as UTF-8 text: {error}.") from None
    if not text.strip():
        raise HornbookError(f"--text {path} is empty.")
    return text


def _bytes(place: Path) -> int:
    """Bytes of the weights at a place."""
    files = [place] if place.is_file() else sorted(place.glob("*.safetensors"))
    return sum(file.stat().st_size for file in files)


def _summary(certificate: dict[str, Any]) -> Iterator[str]:
    parity, size = certificate["parity"], certificate["bytes"]
    greedy = "the same" if parity["same_greedy"] else "other"
    yield (
        f"Largest difference of a logit {parity['max_logit_difference']:.2g}; {greedy} greedy "
        f"text; {parity['bits_per_byte_change']:+.4f} bits per byte; "
        f"{size['before'] / 1e6:,.1f} MB before, {size['after'] / 1e6:,.1f} MB after."
    )
    if not certificate["tolerance"]["met"]:
        yield (
            f"That is more than {certificate['type']} should cost, "
            f"{certificate['tolerance']['share']:.3g} of the bits: take a type with more bits, or "
            "say with --importance what text matters."
        )
