"""What several tests of labels start from."""

import pytest

from hornbook.core.machine import Machine
from hornbook.core.threads import use
from hornbook.models.encoder_presets import BertSizes, bert
from hornbook.models.folder import save_model
from hornbook.models.presets import llama, lstm
from hornbook.tokenize.masking import add_mask
from hornbook.tokenize.train import train_tokenizer
from hornbook.workflows.runs import run
from tests.tiny import QUIET, decoder_sizes
from tests.workflows.labelled import ROWS

MACHINE = Machine(
    device="cpu", name="", threads=1, rates={"float32": 1.0, "bfloat16": 1.0}, compiler=False
)


@pytest.fixture(scope="session")
def bodies(tmp_path_factory):
    """An encoder and a decoder that know nothing, with tokenizers that know the words."""
    folder = tmp_path_factory.mktemp("bodies")
    train_tokenizer([row.text for row in ROWS] * 3, 330, folder / "t", QUIET)
    tokenizer = add_mask(folder / "t", folder / "masked")
    sizes = BertSizes(vocab=tokenizer.vocab_size, width=16, depth=2, context=32, heads=2, hidden=32)
    save_model(bert(sizes).build(), folder / "encoder", tokenizer_folder=folder / "masked")
    sizes = decoder_sizes(vocab=tokenizer.vocab_size, context=64, kv_heads=1, hidden=32, tied=True)
    for name, preset in (("decoder", llama), ("recurrent", lstm)):
        save_model(preset(sizes).build(), folder / name, tokenizer_folder=folder / "t")
    return folder


@pytest.fixture
def known_machine(monkeypatch):
    """Nothing is measured, and one thread computes."""

    def known(there, device):
        use(MACHINE.threads)
        return there or MACHINE

    monkeypatch.setattr(run, "machine_for", known)
