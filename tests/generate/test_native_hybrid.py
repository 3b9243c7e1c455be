"""The gated delta rule beside attention with gates in our own decoder, without torch."""

import random

import gguf
import numpy as np
import pytest
import torch

from hornbook.core.errors import HornbookError
from hornbook.core.gguf import GGUFFile
from hornbook.generate.engine import Engine
from hornbook.generate.native_decoder import NativeDecoder
from hornbook.generate.sampling import SamplingConfig
from hornbook.generate.scheduler import GenerationRequest, SchedulerConfig
from hornbook.generate.speculate import require_cuttable
from hornbook.kernels.quantised import AttentionWeights, RecallWeights
from hornbook.models.folder import load_model
from hornbook.models.gguf.decoder import read_decoder
from hornbook.models.gguf.write import write_gguf
from hornbook.models.kernel_weights import described
from hornbook.models.pack import from_weights, pack
from hornbook.models.presets import qwen3_5
from hornbook.nn.delta import GatedDeltaConfig
from tests.tiny import decoder_sizes, loud, need_kernels

SIZES = decoder_sizes(vocab=96, width=64, heads=4, head=16, hidden=96, context=96, tied=True)
MIXERS = {
    "shared": GatedDeltaConfig(heads=6, head=16, key_heads=2, key=16),
    "alone": GatedDeltaConfig(heads=2, head=32, key_heads=2, key=32, kernel=3),
}


@pytest.fixture(scope="module", params=MIXERS)
def path(request, tmp_path_factory):
    need_kernels()
    found = tmp_path_factory.mktemp("hybrid") / "m.gguf"
    sizes = SIZES.model_copy(update={"depth": 4, "kv_heads": 2})
    model = qwen3_5(sizes, attention=(1, 3), mixer=MIXERS[request.param])
    write_gguf(loud(model.build()), found, "q8_0", {})
    return found


@pytest.fixture(scope="module")
def decoder(path):
    return NativeDecoder(read_decoder(GGUFFile(path)))


def some_ids(count, seed=1):
    return random.Random(seed).choices(range(96), k=count)


def test_it_computes_what_the_layers_do(path, decoder):
    ids, model = some_ids(50), load_model(path).eval()
    with torch.inference_mode():
        wanted = model(torch.tensor([ids]))[0].numpy()
    found = decoder.sequences(1).check(0, ids)
    assert np.square(found - wanted).mean() < 1e-4 * np.square(wanted).mean()
    assert [float(each.epsilon) for each in decoder.weights.rules()] == pytest.approx([1e-6] * 2)


def test_a_folder_in_eight_bits_goes_the_same_way():
    model = loud(qwen3_5(SIZES, attention=(1,), mixer=MIXERS["shared"]).build())
    packed = pack(model, from_weights(8))
    ids, found = some_ids(40), described(packed)
    assert [type(block.mixer) for block in found.blocks] == [RecallWeights, AttentionWeights]
    with torch.inference_mode():
        wanted = packed(torch.tensor([ids]))[0].numpy()
    logits = NativeDecoder(found).sequences(1).check(0, ids)
    assert np.square(logits - wanted).mean() < 1e-4 * np.square(wanted).mean()


def test_blocks_that_guess_further_tokens_are_not_read(path, decoder, tmp_path):
    """A file with one more block, as others write it."""
    with_guesses(path, tmp_path / "m.gguf")
    ids = some_ids(9)
    other = NativeDecoder(read_decoder(GGUFFile(tmp_path / "m.gguf")))
    wanted = decoder.sequences(1).check(0, ids)
    assert np.array_equal(other.sequences(1).check(0, ids), wanted)
    with torch.inference_mode():
        by_torch = load_model(tmp_path / "m.gguf").eval()(torch.tensor([ids]))[0].numpy()
    assert np.square(by_torch - wanted).mean() < 1e-4 * np.square(wanted).mean()


def with_guesses(path, other):
    file, kinds = GGUFFile(path), gguf.GGMLQuantizationType
    writer = gguf.GGUFWriter(other, "qwen35")
    more = {"qwen35.block_count": 5, "qwen35.nextn_predict_layers": 1}
    for key, value in {**file.values, **more}.items():
        if not key.startswith("general."):
            add = {int: writer.add_uint32, float: writer.add_float32}
            add.get(type(value), writer.add_array)(key, value)
    for name, place in file.tensors.items():
        writer.add_tensor(name, file.read(name), raw_dtype=kinds[place.kind])
    writer.add_tensor("blk.4.nextn.eh_proj.weight", np.ones((64, 128), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def test_any_chunks_and_rows_give_the_same_bits(decoder):
    ids, draw = some_ids(60), random.Random(3)
    whole = decoder.sequences(1).check(0, ids)
    for trial in range(8):
        rows = draw.randint(1, 9)
        own, start = draw.randrange(rows), 0
        sequences = decoder.sequences(rows)
        while start < 60:
            stop = draw.randint(start + 1, 60)
            beside = [row for row in range(rows) if row != own and draw.random() < 0.3]
            new = {row: some_ids(draw.randint(1, 4), trial) for row in beside}
            new[own] = ids[start:stop]
            found = sequences.go_on({row: new[row] for row in draw.sample(sorted(new), len(new))})
            assert np.array_equal(found[own], whole[stop - 1])
            start = stop


def test_a_row_that_begins_anew_remembers_nothing(decoder):
    sequences, ids = decoder.sequences(2), some_ids(20)
    sequences.go_on({0: some_ids(30, seed=2), 1: ids})
    sequences.cut(0, 0)
    assert np.array_equal(sequences.go_on({0: ids})[0], decoder.sequences(1).check(0, ids)[-1])
    assert not sequences.cuttable
    with pytest.raises(AssertionError):
        sequences.cut(0, 7)
    with pytest.raises(HornbookError):
        require_cuttable(sequences)


def test_streams_in_slots_that_others_left_are_those_of_each_alone(decoder):
    config = SamplingConfig(temperature=0, max_tokens=6)
    prompts = [some_ids(3 + 7 * i % 20, seed=i) for i in range(7)]

    def written(slots):
        engine = Engine(decoder, SchedulerConfig(slots=slots, step_tokens=5), capacity=64)
        handles = [engine.submit(GenerationRequest(prompt, config)) for prompt in prompts]
        found = {handle: [] for handle in handles}
        while not engine.idle:
            for token in engine.step():
                found[token.handle].append(token.id)
        return [found[handle] for handle in handles]

    assert written(1) == written(3)


def test_a_file_that_says_otherwise_goes_to_those_who_name_it(path, tmp_path):
    stored = path.read_bytes()
    other = tmp_path / "m.gguf"
    other.write_bytes(stored.replace(b"blk.0.ssm_alpha", b"blk.0.ssm_alphb"))
    assert read_decoder(GGUFFile(other)) is None
    with pytest.raises(HornbookError, match=r"blk.0.ssm_alpha"):
        load_model(other)
    other.write_bytes(stored.replace(b"qwen35.ssm.conv_kernel", b"qwen35.ssm.conv_kernle"))
    with pytest.raises(HornbookError, match="conv_kern"):
        read_decoder(GGUFFile(other))
