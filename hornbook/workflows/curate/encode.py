"""From the text of a corpus to tokens: a tokenizer, and token shards of both sides.

Each is reused when its inputs are unchanged.
"""

from collections.abc import Sequence
from itertools import chain
from pathlib import Path

from hornbook.batches.shards import TokenShards, write_shards
from hornbook.core.claims import Claim
from hornbook.core.files import hash_json
from hornbook.core.progress import Progress
from hornbook.core.stages import fingerprint as stage_fingerprint
from hornbook.core.stages import run_stage
from hornbook.corpus.corpus import Corpus
from hornbook.corpus.split import Side
from hornbook.read.documents import Document
from hornbook.tokenize.tokenizer import Tokenizer
from hornbook.tokenize.train import SAMPLE_BYTES, sample_bytes, train_tokenizer

SPLITS: tuple[Side, ...] = ("train", "validation")
SHARDS = "shards"
"""The folder of tokens in a corpus that was built with a tokenizer."""


def prepare_tokenizer(
    corpus: Corpus,
    folder: Path,
    vocab: int,
    progress: Progress,
    claim: Claim,
    minutes: float | None = None,
) -> Tokenizer:
    """Train a tokenizer of `vocab` tokens on the training text, or reuse the one in `folder`.

    minutes: of the run it is for; a short one has no time for all of a long text.
    """
    size, sample = corpus.bytes("train"), sample_bytes(minutes)

    def build(aside: Path) -> None:
        train_tokenizer(corpus.texts("train"), vocab, aside, progress, size, sample)

    inputs: dict[str, object] = {
        "stage": "tokenizer-1",
        "corpus": corpus.fingerprint,
        "vocab": vocab,
    }
    if sample < min(size, SAMPLE_BYTES):
        inputs["sample"] = sample
    built = run_stage(folder, claim, inputs, build)
    tokenizer = Tokenizer.load(folder)
    done = "Trained" if built else "Reused"
    progress.say(f"{done} a tokenizer of {tokenizer.vocab_size:,} tokens. {tokenizer.encoder}")
    return tokenizer


def prepare_shards(
    corpus: Corpus,
    tokenizer: Tokenizer,
    folder: Path,
    progress: Progress,
    claim: Claim,
    planted: Sequence[Document] = (),
) -> tuple[TokenShards, TokenShards]:
    """Encode both splits, or reuse what lies in `folder` or in the corpus.

    planted: documents to train on besides the corpus. Returns (train, validation): one pass over
    the mixture, and the documents held out.
    """
    inputs: dict[str, object] = {
        "stage": "shards-1",
        "corpus": corpus.fingerprint,
        "tokenizer": tokenizer.fingerprint,
    }
    if planted:
        inputs["planted"] = [document.text for document in planted]

    def build(aside: Path) -> None:
        sides = (
            ("train", chain(corpus.mixture(), planted), corpus.mixture_bytes),
            ("validation", corpus.documents("validation"), corpus.bytes("validation")),
        )
        for side, documents, size in sides:
            (aside / side).mkdir()
            write_shards(documents, tokenizer, aside / side, progress, size)

    if stage_fingerprint(corpus.folder / SHARDS) == hash_json(inputs):
        folder = corpus.folder / SHARDS
    run_stage(folder, claim, inputs, build)
    train, validation = (TokenShards.open(folder / split) for split in SPLITS)
    progress.say(
        f"Tokens: {train.tokens:,} to train on, {validation.tokens:,} to validate on "
        f"({train.bytes / train.tokens:.2f} bytes a token)."
    )
    return train, validation
