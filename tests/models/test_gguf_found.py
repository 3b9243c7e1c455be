"""GGUF files as other programs write them: keys, tensors and parts that mean nothing else here."""

import gguf
import numpy as np
import pytest
import torch

from hornbook.core.errors import HornbookError
from hornbook.core.gguf import GGUFFile
from hornbook.generate.native_decoder import NativeDecoder
from hornbook.models.about import about
from hornbook.models.folder import load_model, weights_fingerprint
from hornbook.models.gguf.decoder import read_decoder
from hornbook.models.gguf.write import write_gguf
from hornbook.models.kernel_weights import decoder_weights
from hornbook.models.pack import from_weights, pack
from hornbook.models.packed_gguf import load_packed
from hornbook.models.place import resolve
from hornbook.models.presets import PRESETS
from tests.tiny import decoder_sizes, loud, need_kernels

SIZES = decoder_sizes(
    vocab=80, width=64, depth=2, heads=4, kv_heads=2, head=16, hidden=96, context=64, tied=True
)
IDS = torch.randint(80, (1, 12), generator=torch.Generator().manual_seed(1))


def rewritten(source, out, keys=None, dropped=(), tensors=None, **writer):
    """The file with other keys (None drops one) and more tensors, by the library."""
    file = GGUFFile(source)
    values = {key: value for key, value in file.values.items() if key not in dropped}
    found = gguf.GGUFWriter(out, values.pop("general.architecture"), **writer)
    for key, value in (values | (keys or {})).items():
        add = {
            bool: found.add_bool, float: found.add_float32, int: found.add_uint32,
            str: found.add_string, list: found.add_array,
        }  # fmt: skip
        add[type(value)](key, value)
    for name, place in file.tensors.items():
        kind = gguf.GGMLQuantizationType[place.kind]
        plain = {"F32": np.float32, "F16": np.float16}.get(place.kind)
        stored = file.read(name)
        if plain is not None:
            stored, kind = stored.view(plain).reshape(place.shape), None
        found.add_tensor(name, stored, raw_dtype=kind)
    for name, values in (tensors or {}).items():
        found.add_tensor(name, values)
    found.write_header_to_file()
    found.write_kv_data_to_file()
    found.write_tensors_to_file()
    found.close()
    return out


def written(name, path, kind="q8_0", **more):
    write_gguf(loud(PRESETS[name](SIZES, **more).build()), path, kind, {})
    return path


def same(one, other):
    """The same logits by torch's layers and by the kernels."""
    with torch.inference_mode():
        wanted = load_model(one)(IDS)
        assert torch.equal(load_model(other)(IDS), wanted)
    need_kernels()
    found = [NativeDecoder(read_decoder(GGUFFile(path))).sequences(1) for path in (one, other)]
    assert np.array_equal(*(each.check(0, IDS[0].tolist()) for each in found))


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("llama", {"tensor_data_layout": "Meta AI original pth", "attention.causal": True}),
        ("llama", {"expert_count": 0, "expert_used_count": 0, "vocab_size": 80}),
        ("qwen3", {"pooling_type": 3}),
        ("gemma3", {"mm.tokens_per_image": 256, "vision.block_count": 27, "vision.image_size": 9}),
    ],
)
def test_keys_that_say_nothing_of_what_is_computed_are_passed_over(name, keys, tmp_path):
    one = written(name, tmp_path / "one.gguf")
    more = {f"{name}.{key}": value for key, value in keys.items()}
    same(one, rewritten(one, tmp_path / "other.gguf", more))


@pytest.mark.parametrize(("key", "value"), [("attention.causal", False), ("expert_count", 8)])
def test_the_same_keys_with_other_values_are_refused(key, value, tmp_path):
    one = written("llama", tmp_path / "one.gguf")
    other = rewritten(one, tmp_path / "other.gguf", {f"llama.{key}": value})
    with pytest.raises(HornbookError, match=f"llama.{key} = {str(value).lower()}"):
        load_model(other)


def test_gemma_3_as_ollama_has_it(tmp_path):
    """Both bases under names of its own, and what reads images in the same file."""
    one = written("gemma3", tmp_path / "one.gguf")
    values = GGUFFile(one).values
    bases = {
        "rope.global.freq_base": "rope.freq_base",
        "rope.local.freq_base": "rope.freq_base_swa",
    }
    other = rewritten(
        one, tmp_path / "other.gguf",
        {f"gemma3.{new}": values[f"gemma3.{old}"] for new, old in bases.items()},
        dropped=[f"gemma3.{old}" for old in bases.values()],
        tensors={"v.patch_embedding.weight": np.ones((2, 3), np.float32),
                 "mm.mm_input_projection.weight": np.ones((3, 2), np.float32)},
    )  # fmt: skip
    same(one, other)
    for name in GGUFFile(other).values:
        assert "freq_base" not in name or "local" in name or "global" in name


def test_a_head_that_repeats_the_embedding_and_one_that_is_missing(tmp_path):
    one = written("llama", tmp_path / "one.gguf", "f16")
    file = GGUFFile(one)
    assert "output.weight" not in file.tensors
    head = file.read("token_embd.weight").view(np.float16)
    same(one, rewritten(one, tmp_path / "other.gguf", tensors={"output.weight": head}))


def test_a_model_in_parts_computes_what_the_whole_does(tmp_path):
    one = written("qwen3", tmp_path / "one.gguf", "q4_0")
    (tmp_path / "parts").mkdir()
    rewritten(one, tmp_path / "parts" / "m.gguf", split_max_tensors=9)
    first, *rest = sorted((tmp_path / "parts").iterdir())
    assert len(rest) == 2 and resolve(tmp_path / "parts") == first
    same(one, first)
    said = about(first)
    assert said.bytes == sum(path.stat().st_size for path in (first, *rest))
    assert said.parameters == about(one).parameters
    before = weights_fingerprint(first)
    changed = bytearray(rest[1].read_bytes())
    changed[-1] ^= 1
    rest[1].unlink()
    rest[1].write_bytes(changed)
    assert weights_fingerprint(first) != before


@pytest.mark.parametrize("kind", ["q8_0", "q4_0", "f16"])
@pytest.mark.parametrize("tied", [True, False])
def test_any_number_of_tokens_runs_in_our_kernels(kind, tied, tmp_path):
    """As vocabularies are to which tokens were added: 32,001 or 49,155."""
    need_kernels()
    sizes = SIZES.model_copy(update={"vocab": 91, "tied": tied})
    write_gguf(loud(PRESETS["granite"](sizes).build()), tmp_path / "m.gguf", kind, {})
    decoder = NativeDecoder(read_decoder(GGUFFile(tmp_path / "m.gguf")))
    found = decoder.sequences(1).check(0, IDS[0].tolist())
    with torch.inference_mode():
        wanted = load_model(tmp_path / "m.gguf")(IDS)[0].numpy()
        packed = load_packed(tmp_path / "m.gguf")(IDS)[0].numpy()
    assert found.shape == packed.shape == wanted.shape == (12, 91)
    for each in (found, packed):
        assert np.square(each - wanted).mean() < 1e-5 * np.square(wanted).mean()


def test_weights_of_any_number_of_tokens_are_quantised_here_too():
    need_kernels()
    config = PRESETS["llama"](SIZES.model_copy(update={"vocab": 91}))
    model, exact = (loud(config.build()) for _ in range(2))
    pack(model, from_weights(8))
    decoder = NativeDecoder(decoder_weights(model))
    with torch.inference_mode():
        wanted, packed = exact(IDS)[0].numpy(), model(IDS)[0].numpy()
    found = decoder.sequences(1).check(0, IDS[0].tolist())
    for each in (found, packed):
        assert each.shape == (12, 91)
        assert np.square(each - wanted).mean() < 1e-3 * np.square(wanted).mean()
