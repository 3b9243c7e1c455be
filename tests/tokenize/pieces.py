"""A tokenizer of pieces and bytes, trained here as those of Llama and Gemma are made."""

import json
from pathlib import Path
from typing import Any

import tokenizers

from hornbook.tokenize.pieces import parts

BYTES = [f"<0x{i:02X}>" for i in range(256)]
SPECIAL = ["<unk>", "<s>", "</s>", "<|user|>"]


def write_pieces(folder: Path, texts: list[str], prefixed: bool = True, **other: Any) -> Path:
    """tokenizer.json and its settings; other: parts in the place of those of Llama 2."""
    trained = tokenizers.Tokenizer(tokenizers.models.BPE())
    trained.pre_tokenizer = tokenizers.pre_tokenizers.Metaspace()
    trainer = tokenizers.trainers.BpeTrainer(vocab_size=400, show_progress=False)
    trained.train_from_iterator([text.replace("\n", " ") for text in texts], trainer)
    vocabulary = trained.get_vocab()
    characters = [t for t in sorted(vocabulary) if len(t) == 1 and t not in "日本"]
    joined = [t for t in sorted(vocabulary, key=lambda t: vocabulary[t]) if len(t) > 1]
    own = [*joined, *characters]
    ids = {token: i for i, token in enumerate([*SPECIAL, *BYTES, *own])}
    scores = {token: -float(i) for i, token in enumerate(own)}
    made = parts(scores, ids, "<unk>", prefixed)
    added = [
        {"id": i, "content": t, "single_word": False, "lstrip": False, "rstrip": False,
         "normalized": False, "special": True}
        for i, t in enumerate(SPECIAL)
    ]  # fmt: skip
    values = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": added,
              "post_processor": None, **made, **other}  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tokenizer.json").write_text(json.dumps(values))
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<s>",
                "eos_token": "</s>", "unk_token": "<unk>", "add_bos_token": True}  # fmt: skip
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    return folder
