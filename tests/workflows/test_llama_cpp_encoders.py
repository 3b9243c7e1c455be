"""Encoders as llama.cpp computes them from our file: the same ids, the same vectors."""

import numpy as np
import pytest

from hornbook.models.encoder_presets import bert
from hornbook.models.folder import save_model
from hornbook.workflows.exchange.export import export
from hornbook.workflows.open.encoder import open_encoder
from tests.models.test_gguf_encoders import SIZES, TEXTS, tokenizer
from tests.tiny import QUIET, loud

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]
llama_cpp = pytest.importorskip("llama_cpp")


@pytest.mark.parametrize(("kind", "bound"), [("f32", 1e-4), ("f16", 1e-3), ("q8_0", 1e-2)])
def test_texts_have_the_same_ids_and_vectors_there(kind, bound, tmp_path):
    """bound: of 1 - cosine; their GELU is that of 16 bits."""
    save_model(
        loud(bert(SIZES).build()), tmp_path / "m", tokenizer_folder=tokenizer(tmp_path / "t")
    )
    export(tmp_path / "m", "gguf", kind, tmp_path / "m.gguf", None, QUIET)
    ours = open_encoder(tmp_path / "m.gguf", "cpu", "float32")
    there = llama_cpp.Llama(
        str(tmp_path / "m.gguf"), embedding=True, n_ctx=32, n_threads=1, verbose=False
    )
    texts = [text[:20] for text in TEXTS if text]
    for text, ids in zip(texts, ours.tokenizer.encode_batch(texts, 32), strict=True):
        assert there.tokenize(text.encode(), add_bos=True, special=False) == ids.tolist()
    found = np.array([there.embed(text, normalize=True) for text in texts])
    assert (1 - (found * ours.embed(texts)).sum(1)).max() < bound
    there.close()
