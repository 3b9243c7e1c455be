"""Encoder-decoders: equal to `transformers`' Marian, both ways, and to themselves in steps.

Tiny models with large random weights; logits are around 1 and must agree to 1e-4.
"""

import copy
import json

import pytest
import torch
import transformers
from torch import Tensor

from hornbook.core.errors import HornbookError
from hornbook.generate.beam import BeamConfig, search
from hornbook.models.convert import from_hf, to_hf
from hornbook.models.folder import load_model, save_model
from hornbook.models.seq2seq import Seq2Seq
from hornbook.models.translators import TRANSLATORS, PairSizes, SideSizes
from tests.tiny import loud

VOCAB, CONTEXT, START, END, BOUND = 53, 48, 52, 0, 1e-4
MARIAN = transformers.MarianConfig(
    vocab_size=VOCAB, d_model=24, max_position_embeddings=CONTEXT, encoder_layers=2,
    decoder_layers=3, encoder_ffn_dim=40, decoder_ffn_dim=32, encoder_attention_heads=4,
    decoder_attention_heads=2, pad_token_id=START, eos_token_id=END, decoder_start_token_id=START,
    activation_function="swish", scale_embedding=True, forced_eos_token_id=None, bos_token_id=None,
)  # fmt: skip
SIDE = SideSizes(depth=2, heads=2, hidden=24)
SIZES = PairSizes(
    vocab=VOCAB, width=16, context=CONTEXT, encoder=SIDE, decoder=SIDE, start=START, dropout=0.25
)
every_preset = pytest.mark.parametrize("preset", TRANSLATORS)


def their_model() -> transformers.MarianMTModel:
    """One whose targets end after several lengths."""
    model = loud(transformers.MarianMTModel(copy.deepcopy(MARIAN)))
    for name, weight in model.named_parameters():
        if weight.ndim == 2 and "embed" not in name and "shared" not in name:
            weight *= 2
    model.final_logits_bias.normal_(0, 0.5, generator=torch.Generator().manual_seed(1))
    model.final_logits_bias[0, END] += 2.0
    return model


def ids(rows: int, time: int, seed: int = 2) -> Tensor:
    return torch.randint(1, START, (rows, time), generator=torch.Generator().manual_seed(seed))


def padded(rows: int, time: int) -> tuple[Tensor, Tensor]:
    """Sources of several lengths."""
    lengths = torch.tensor([time, 1, *[1 + i % time for i in range(3, rows + 1)]])
    return ids(rows, time), torch.arange(time) < lengths[:, None]


def whole(model: Seq2Seq, source: Tensor, valid: Tensor | None, tokens: Tensor) -> Tensor:
    return model.head(model.features(tokens, model.encode(source, valid)))


def same(ours: Tensor, theirs: Tensor) -> None:
    torch.testing.assert_close(ours, theirs, atol=BOUND, rtol=0)


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """A model made there and the same one loaded here."""
    folder, theirs = tmp_path_factory.mktemp("theirs"), their_model()
    theirs.save_pretrained(folder)
    return theirs, load_model(folder).eval().requires_grad_(False), folder


def test_made_there_loaded_here_with_padding_on_both_sides(pair):
    theirs, ours, _ = pair
    source, valid = padded(5, 9)
    tokens, real = ids(5, 7, seed=3), padded(5, 7)[1]
    logits = theirs(
        input_ids=source, attention_mask=valid.long(), decoder_input_ids=tokens,
        decoder_attention_mask=real.long(),
    ).logits  # fmt: skip
    assert logits.std() > 0.3
    same(whole(ours, source, valid, tokens)[real], logits[real])
    # Their count leaves out the bias, which is no parameter there.
    assert ours.config.parameters() == theirs.num_parameters() + VOCAB - 2 * CONTEXT * 24


@pytest.mark.parametrize("penalty", [1.0, 0.0, 2.5])
@pytest.mark.parametrize("beams", [1, 2, 4])
def test_beams_of_their_own_generation(pair, beams, penalty):
    theirs, ours, _ = pair
    source, valid = padded(8, 9)
    options = {} if beams == 1 else {"num_beams": beams, "length_penalty": penalty}
    rows = theirs.generate(
        input_ids=source, attention_mask=valid.long(), max_new_tokens=12, do_sample=False, **options
    )
    config = BeamConfig(beams=beams, penalty=penalty, max_tokens=12)
    found = [target.ids for target in search(ours, source, valid, START, END, config)]
    assert found == [_without_padding(row) for row in rows.tolist()]
    assert len({len(target) for target in found}) > 1


def _without_padding(row: list[int]) -> list[int]:
    row = row[1:]
    return row[: row.index(END) + 1] if END in row else [i for i in row if i != START]


def test_there_and_back_is_exact(pair, tmp_path):
    theirs, ours, _ = pair
    save_model(ours, tmp_path / "m")
    back, loading = transformers.AutoModelForSeq2SeqLM.from_pretrained(
        tmp_path / "m", output_loading_info=True
    )
    assert not any(loading.values()), loading
    assert back.generation_config.decoder_start_token_id == START
    before, after = theirs.state_dict(), back.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_made_here_loaded_there(tmp_path):
    ours = loud(TRANSLATORS["transformer"](SIZES).build())
    save_model(ours, tmp_path / "m")
    theirs = transformers.AutoModelForSeq2SeqLM.from_pretrained(tmp_path / "m")
    assert theirs.config.model_type == "marian"
    assert theirs.config.dropout == 0.25
    source, valid = padded(3, 6)
    logits = theirs(
        input_ids=source, attention_mask=valid.long(), decoder_input_ids=ids(3, 5)
    ).logits
    same(whole(ours, source, valid, ids(3, 5)), logits)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("share_encoder_decoder_embeddings", False),
        ("tie_word_embeddings", False),
        ("normalize_before", True),
        ("decoder_vocab_size", 99),
        ("encoder_attention_heads", 5),
        ("decoder_start_token_id", VOCAB),
        ("dropout", 1.0),
    ],
)
def test_what_we_would_compute_otherwise_is_refused(pair, key, value):
    values = json.loads((pair[2] / "config.json").read_text())
    with pytest.raises(HornbookError, match=f"{key} = {json.dumps(value)}"):
        from_hf({**values, key: value}, "config.json")


@every_preset
def test_in_steps_with_a_state(preset):
    model = loud(TRANSLATORS[preset](SIZES).build())
    source, valid = padded(4, 6)
    tokens = ids(4, 12)
    state = model.new_state(source, valid)
    steps = [model(chunk, state) for chunk in tokens.split([3, 1, 2, 1, 5], dim=1)]
    same(torch.cat(steps, 1), whole(model, source, valid, tokens))


@every_preset
def test_the_source_counts_and_its_padding_does_not(preset):
    model = loud(TRANSLATORS[preset](SIZES).build())
    source, valid = padded(4, 6)
    tokens = ids(4, 5)
    logits = whole(model, source, valid, tokens)
    same(whole(model, source.where(valid, 7), valid, tokens), logits)
    other = source.clone()
    other[:, 0] = source[:, 0] % 50 + 1
    assert (whole(model, other, valid, tokens) - logits).abs().amax((1, 2)).min() > 0.01


@every_preset
def test_a_folder_gives_back_what_was_saved(preset, tmp_path):
    model = loud(TRANSLATORS[preset](SIZES).build())
    save_model(model, tmp_path / "m")
    back = load_model(tmp_path / "m").eval()
    assert back.config == model.config
    assert model.config.parameters() == sum(weight.numel() for weight in back.parameters())
    assert torch.equal(
        whole(back, ids(2, 4), None, ids(2, 3)), whole(model, ids(2, 4), None, ids(2, 3))
    )


def test_a_recurrent_model_has_a_layout_of_our_own():
    family, values = to_hf(TRANSLATORS["lstm"](SIZES))
    assert (family.model_type, family.architecture) == ("hornbook_lstm", "HornbookSeq2Seq")
    broken = json.loads(json.dumps(values))
    broken["hornbook"]["encoder"]["depht"] = 3
    with pytest.raises(HornbookError, match=r"config\.json, hornbook.*depht.*depth"):
        from_hf(broken, "config.json")


@every_preset
def test_dropout_is_for_training_only(preset):
    model = TRANSLATORS[preset](SIZES).build(seed=1)
    with torch.no_grad():
        source, tokens = ids(2, 4), ids(2, 3)
        assert not torch.equal(
            whole(model, source, None, tokens), whole(model, source, None, tokens)
        )
        model.eval()
        assert torch.equal(whole(model, source, None, tokens), whole(model, source, None, tokens))
