"""Opening a model to generate: the same ids whoever computes, and no torch where none is needed."""

import json
import subprocess
import sys

import pytest

from hornbook import kernels as native
from hornbook.generate.decode import decode
from hornbook.generate.native_decoder import NativeDecoder
from hornbook.generate.sampling import SamplingConfig
from hornbook.workflows.exchange.export import export
from hornbook.workflows.open.generator import open_generator
from tests.tiny import QUIET, decoder_folder, need_kernels, slow

PROBE = """
import sys
from hornbook.cli import app
try:
    app(sys.argv[1:])
except SystemExit as end:
    assert not end.code, end.code
print("torch" in sys.modules)
"""


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    text = "the hornbook and others " * 50
    model = decoder_folder(
        folder, text, "llama", vocab=320, width=64, context=64, heads=4, head=16, hidden=96,
        tied=True,
    )  # fmt: skip
    export(model, "gguf", "q8_0", folder / "m.gguf", None, QUIET)
    return folder / "m.gguf"


@pytest.fixture
def _kernels():
    need_kernels()


def ids_of(model, prompt):
    config = SamplingConfig(temperature=0, max_tokens=20)
    return [step.id for step in decode(model, [prompt], config, frozenset())]


@pytest.mark.usefixtures("_kernels")
def test_torch_opens_the_same_file_and_gives_the_same_ids(file, monkeypatch):
    ours, tokenizer = open_generator(file, "cpu")
    assert isinstance(ours, NativeDecoder)
    said = []
    monkeypatch.setattr(native, "_found", lambda: "none here")
    theirs, other = open_generator(file, "cpu", say=said.append)
    assert not isinstance(theirs, NativeDecoder) and len(said) == 1 and "Slower" in said[0]
    assert (other.fingerprint, theirs.vocab, theirs.context) == (
        tokenizer.fingerprint,
        ours.vocab,
        ours.context,
    )
    floats, _ = open_generator(file, "cpu", "float32")
    prompt = tokenizer.encode("the hornbook")
    assert ids_of(ours, prompt) == ids_of(floats, prompt)


@pytest.mark.usefixtures("_kernels")
@pytest.mark.parametrize(
    "options",
    [
        ["--prompt", "the", "--choice", "others", "--choice", "hornbook"],
        *slow((["--prompt", "the hornbook", "--draft", "lookup"],)),
    ],
)
def test_a_file_of_codes_is_continued_without_torch(file, options):
    command = ["generate", str(file), "--json", "--max-tokens", "5", "--device", "cpu", *options]
    done = subprocess.run(
        [sys.executable, "-c", PROBE, *command], capture_output=True, text=True, check=True
    )
    found, torch = done.stdout.splitlines()[-2:]
    assert json.loads(found)["token_ids"] and torch == "False"
