"""Decoders of models of text and images: the text's part gives what `transformers` gives."""

import pytest
import transformers
from safetensors.torch import load_file, save_file

from hornbook.models.folder import load_config, load_model, save_model
from hornbook.models.place import WEIGHTS
from tests.models.test_parity import GEMMA, HYBRID, PARTLY, same, tokens
from tests.tiny import loud

TEXT = "model.language_model."


def qwen_with_images(tied):
    text = {
        **HYBRID,
        "num_hidden_layers": 4,
        "rope_parameters": PARTLY,
        "tie_word_embeddings": tied,
    }
    sight = {
        "depth": 1, "hidden_size": 8, "intermediate_size": 8, "num_heads": 2, "out_hidden_size": 24
    }  # fmt: skip
    config = transformers.Qwen3_5Config(
        text_config=text, vision_config=sight, tie_word_embeddings=tied
    )
    return transformers.Qwen3_5ForConditionalGeneration(config)


def gemma_with_images(tied):
    sight = {
        "hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2,
        "image_size": 28, "patch_size": 14,
    }  # fmt: skip
    text = {**GEMMA, "tie_word_embeddings": tied}
    config = transformers.Gemma3Config(
        text_config=text, vision_config=sight, mm_tokens_per_image=4, tie_word_embeddings=tied,
        boi_token_index=50, eoi_token_index=51, image_token_index=52,
    )  # fmt: skip
    return transformers.Gemma3ForConditionalGeneration(config)


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("made", [qwen_with_images, gemma_with_images])
def test_the_text_inside_a_model_of_text_and_images(made, tied, tmp_path):
    """As this version writes it, and as files of older ones have it."""
    theirs, ids = loud(made(tied)), tokens(1, 20) % 50
    theirs.save_pretrained(tmp_path)
    ours = load_model(tmp_path)
    assert ours.config.tied == tied
    same(ours(ids), theirs(ids).logits)
    weights = load_file(tmp_path / WEIGHTS)
    older = [
        f"language_model.model.{name.removeprefix(TEXT)}" if name.startswith(TEXT)
        else f"language_model.{name}" if name.startswith("lm_head") else name.removeprefix("model.")
        for name in weights
    ]  # fmt: skip
    save_file(dict(zip(older, weights.values(), strict=True)), tmp_path / WEIGHTS)
    same(load_model(tmp_path)(ids), theirs(ids).logits)
    save_model(ours, tmp_path / "back")
    assert load_config(tmp_path / "back") == ours.config
