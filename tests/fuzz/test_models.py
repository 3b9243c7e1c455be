"""Mutants of model files: GGUF, safetensors, config.json, tokenizer.json and what lies beside."""

import functools
import random
import shutil
from pathlib import Path

import pytest

from tests.fuzz import mutate
from tests.fuzz.hunt import Format, hunt

TEXTS = ["the hornbook and others, read by the window " * 50]
_HEADER = 2_000_000
"""Bytes of the pulled model in which its header and the first weights lie."""
MESSAGES = [{"role": "user", "content": "the hornbook"}]


def _sizes(**other):
    from hornbook.models.sizes import DecoderSizes

    common = {"vocab": 320, "width": 64, "depth": 2, "context": 64, "heads": 4, "kv_heads": 2}
    return DecoderSizes(**{**common, "head": 16, "hidden": 96, "tied": True, **other})


def model_folder(folder: Path, preset: str = "llama") -> Path:
    """A small model with its tokenizer and a chat template."""
    from hornbook.core.progress import Progress
    from hornbook.models.folder import save_model
    from hornbook.models.presets import PRESETS
    from hornbook.tokenize.train import train_tokenizer

    train_tokenizer(TEXTS, 300, folder / "t", Progress(quiet=True))
    model = PRESETS[preset](_sizes()).build()
    save_model(model, folder / "m", tokenizer_folder=folder / "t")
    return folder / "m"


def _gguf(kinds: tuple[str, ...], folder: Path) -> list[Path]:
    from hornbook.core.progress import Progress
    from hornbook.workflows.exchange.export import export

    model, found = model_folder(folder), []
    for kind in kinds:
        found.append(folder / f"{kind}.gguf")
        export(model, "gguf", kind, found[-1], None, Progress(quiet=True))
    return found


def _pulled(folder: Path) -> list[Path]:
    """A real model, with a vocabulary of 49,152 tokens in its header."""
    from hornbook.core.home import pulled

    found = sorted(pulled("smollm2-135m-instruct").glob("*.gguf"))
    if not found:
        pytest.skip("`hornbook pull smollm2-135m-instruct` was not run")
    return [shutil.copy(found[0], folder / "smollm2.gguf")]


def _weights(folder: Path) -> list[Path]:
    return [model_folder(folder) / "model.safetensors"]


def _beside(names: tuple[str, ...], folder: Path) -> list[Path]:
    model = model_folder(folder)
    return [model / name for name in names]


def _template(folder: Path) -> list[Path]:
    """A chat template in a file of its own, with loops, macros and filters."""
    model = model_folder(folder)
    path = model / "chat_template.jinja"
    path.write_text(
        "{%- macro said(m, n=2) -%}{{ m.role|upper }}: {{ m['content']|trim * n }}{%- endmacro -%}"
        "{% set ns = namespace(x='a', n=3) %}{% for i in range(9) %}{% for m in messages %}"
        "{% set ns.x = ns.x ~ m.content[:2] %}{{ said(m, ns.n) }}{{ '%3d'|format(i) }}"
        "{{ ns.x.ljust(20)|center(30)|indent(4) }}{{ loop.index ** 2 }}{% endfor %}{% endfor %}"
        "{% generation %}{{ messages|tojson(indent=2) }}{% endgeneration %}"
    )
    return [path]


def four(data: bytes, rng: random.Random) -> bytes:
    """Four bytes of the header, side by side or anywhere, get other bits."""
    found, at = bytearray(data), rng.randrange(_HEADER)
    for i in range(4):
        found[at + i if rng.random() < 0.5 else rng.randrange(_HEADER)] ^= rng.randrange(1, 256)
    return bytes(found)


def digits(data: bytes, rng: random.Random) -> bytes:
    """A number of a text becomes a large one."""
    places = [at for at, byte in enumerate(data) if chr(byte).isdigit()]
    at = rng.choice(places)
    return data[:at] + str(10 ** rng.randint(2, 12)).encode() + data[at + 1 :]


def generate(path: Path) -> None:
    """Open the model that a file belongs to and let it write two tokens, asked and in a chat."""
    from hornbook.generate.sampling import SamplingConfig
    from hornbook.generate.text import continue_text, reply_to, stream
    from hornbook.workflows.open.generator import open_generator

    model, tokenizer = open_generator(path if path.suffix == ".gguf" else path.parent, "cpu")
    config = SamplingConfig(max_tokens=2)
    for asked in (continue_text(tokenizer, "the horn"), reply_to(tokenizer, MESSAGES, 64)):
        list(stream(model, tokenizer, *asked, config))


def converse(path: Path) -> None:
    """What a chat template makes of a conversation; it may be longer than any context."""
    from hornbook.tokenize.tokenizer import Tokenizer

    Tokenizer.load(path.parent).encode_chat(MESSAGES, add_generation_prompt=True)


def header(data: bytes, rng: random.Random) -> bytes:
    """The JSON at the beginning of a safetensors file, its length with it or not."""
    size = int.from_bytes(data[:8], "little")
    found = mutate.json_values(data[8 : 8 + size], rng)
    length = len(found) if rng.random() < 0.9 else rng.choice(mutate.EXTREMES)
    return length.to_bytes(8, "little") + found + data[8 + size :]


FORMATS = {
    "gguf": Format(functools.partial(_gguf, ("q8_0", "q4_0", "f16")), mutate.BYTES, generate, 8000),
    "pulled": Format(
        _pulled, {"four": four, "flipped": mutate.flipped, "numbers": mutate.numbers}, generate, 300
    ),
    "safetensors": Format(
        _weights, {**mutate.BYTES, "header": header, "header_again": header}, generate, 4000
    ),
    "config": Format(functools.partial(_beside, ("config.json",)), mutate.JSON, generate, 3000),
    "tokenizer": Format(
        functools.partial(_beside, ("tokenizer.json",)), mutate.JSON, generate, 3000
    ),
    "template": Format(
        _template,
        {"text_pieces": mutate.text_pieces, "digits": digits, "spliced": mutate.spliced},
        converse,
        2000,
    ),
    "beside": Format(
        functools.partial(_beside, ("tokenizer_config.json", "generation_config.json")),
        mutate.JSON,
        generate,
        2000,
    ),
}


@pytest.mark.fuzz
@pytest.mark.parametrize("name", FORMATS)
def test_mutants_open_or_are_refused(name, tmp_path):
    found = hunt(__name__, name, tmp_path)
    assert not found, "\n".join(found)
