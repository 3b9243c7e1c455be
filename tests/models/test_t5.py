"""T5 equal to `transformers`, both ways, with padding, in steps and with beams.

Tiny models with large random weights; logits are around 1 and must agree to 1e-4.
"""

import copy
import json

import pytest
import torch
import transformers

from hornbook.core.errors import HornbookError, UsageError
from hornbook.generate.beam import BeamConfig, search
from hornbook.models.convert import from_hf, to_hf
from hornbook.models.folder import load_model, save_model
from hornbook.models.seq2seq import Seq2Seq
from hornbook.workflows.open.load import load
from hornbook.workflows.open.translator import Translator
from tests.tiny import loud

VOCAB, START, END, BOUND = 53, 0, 1, 1e-4
SIZES = {
    "vocab_size": VOCAB, "d_model": 24, "d_kv": 5, "d_ff": 40, "num_layers": 2, "num_heads": 3,
    "relative_attention_num_buckets": 8,
    "relative_attention_max_distance": 9, "layer_norm_epsilon": 1e-3, "decoder_start_token_id": 0,
}  # fmt: skip
KINDS = {
    "first": {"feed_forward_proj": "relu"},
    "v1.1": {"feed_forward_proj": "gated-gelu", "tie_word_embeddings": False},
    "gated-silu": {"feed_forward_proj": "gated-silu"},
    "mt5": {},
}
OWN_HEAD = ("v1.1", "mt5")
"""Whose head is not the embedding."""


@pytest.fixture(scope="module", params=KINDS)
def pair(request, tmp_path_factory):
    """A model made there and the same one loaded here."""
    name = "MT5" if request.param == "mt5" else "T5"
    config = getattr(transformers, f"{name}Config")(**SIZES, **KINDS[request.param])
    theirs = getattr(transformers, f"{name}ForConditionalGeneration")(copy.deepcopy(config))
    if request.param in OWN_HEAD:
        theirs.lm_head.weight = torch.nn.Parameter(torch.empty_like(theirs.lm_head.weight))
    theirs = loud(theirs)
    theirs.shared.weight *= 4 if request.param not in OWN_HEAD else 1
    folder = tmp_path_factory.mktemp("t5")
    theirs.save_pretrained(folder)
    ours = load_model(folder).eval().requires_grad_(False)
    assert isinstance(ours, Seq2Seq)
    return theirs, ours


def ids(rows, time, seed):
    return torch.randint(2, VOCAB, (rows, time), generator=torch.Generator().manual_seed(seed))


def sources():
    lengths = torch.tensor([14, 1, 9])
    valid = torch.arange(14) < lengths[:, None]
    return ids(3, 14, 2).masked_fill(~valid, START), valid


def expected(theirs, source, valid, tokens):
    return theirs(input_ids=source, attention_mask=valid.long(), decoder_input_ids=tokens).logits


def test_whole_and_in_steps_with_padding(pair):
    theirs, ours = pair
    (source, valid), tokens = sources(), ids(3, 17, 3)
    wanted = expected(theirs, source, valid, tokens)
    assert wanted.std() > 0.1
    found = ours.head(ours.features(tokens, ours.encode(source, valid)))
    torch.testing.assert_close(found, wanted, atol=BOUND, rtol=0)
    state = ours.new_state(source, valid)
    steps = [ours(part, state) for part in tokens.split([5, 1, 1, 10], 1)]
    torch.testing.assert_close(torch.cat(steps, 1), wanted, atol=BOUND, rtol=0)
    assert ours.config.parameters() == sum(p.numel() for p in ours.parameters())


@pytest.mark.parametrize("beams", [1, 3])
def test_beams_of_their_own_generation(pair, beams):
    theirs, ours = pair
    source, valid = sources()
    rows = theirs.generate(
        input_ids=source, attention_mask=valid.long(), max_new_tokens=10, do_sample=False,
        **({} if beams == 1 else {"num_beams": beams}),
    )  # fmt: skip
    config = BeamConfig(beams=beams, penalty=1.0, max_tokens=10)
    found = [target.ids for target in search(ours, source, valid, START, END, config)]
    for ours_ids, row in zip(found, rows[:, 1:].tolist(), strict=True):
        assert ours_ids == (row[: row.index(END) + 1] if END in row else row)


def test_there_and_back_is_exact(pair, tmp_path):
    theirs, ours = pair
    save_model(ours, tmp_path / "m")
    back = transformers.AutoModelForSeq2SeqLM.from_pretrained(tmp_path / "m").eval()
    (source, valid), tokens = sources(), ids(3, 7, 3)
    with torch.no_grad():
        found = expected(back, source, valid, tokens)
    assert torch.equal(found, expected(theirs, source, valid, tokens))


def test_the_first_release_s_unread_table_is_left_out(pair, tmp_path):
    from safetensors.torch import load_file, save_file

    theirs, _ = pair
    theirs.save_pretrained(tmp_path)
    path = tmp_path / "model.safetensors"
    table = "decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight"
    save_file({**load_file(path), table: torch.ones(8, 3)}, path, {"format": "pt"})
    assert isinstance(load_model(tmp_path), Seq2Seq)


@pytest.mark.parametrize(
    ("key", "value"), [("feed_forward_proj", "gated-mish"), ("is_decoder", True)]
)
def test_what_we_would_compute_otherwise_is_refused(key, value):
    values = {"model_type": "t5", **SIZES, key: value}
    with pytest.raises(HornbookError, match=key):
        from_hf(values, "here")


def test_a_config_is_written_as_it_was_read():
    for kind in KINDS.values():
        config = from_hf({"model_type": "t5", **SIZES, **kind, "num_decoder_layers": 3}, "here")[1]
        family, values = to_hf(config)
        assert family.model_type == "t5" and from_hf(values, "there")[1] == config


def test_a_folder_translates_with_its_own_pieces_and_the_words_of_a_task(tmp_path):
    pieces = ["<pad>", "</s>", "<unk>", "▁", "a", "b", "c", "▁ab", "▁ca", "sum", ":", "▁sum:"]
    flags = {"special": True, "single_word": False, "lstrip": False, "rstrip": False}
    special = [{"id": i, "content": pieces[i], "normalized": False, **flags} for i in range(3)]
    metaspace = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always"}
    vocab = [[piece, -float(i > 2) - i / 99] for i, piece in enumerate(pieces)]
    own = tmp_path / "tokenizer"
    own.mkdir()
    values = {
        "version": "1.0", "truncation": None, "padding": None, "normalizer": None,
        "added_tokens": special, "pre_tokenizer": metaspace, "post_processor": None,
        "decoder": metaspace, "model": {"type": "Unigram", "unk_id": 2, "vocab": vocab},
    }  # fmt: skip
    (own / "tokenizer.json").write_text(json.dumps(values))
    names = {"eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}
    (own / "tokenizer_config.json").write_text(json.dumps(names))
    config = from_hf({"model_type": "t5", **SIZES, "vocab_size": len(pieces)}, "here")[1]
    model = loud(config.build(seed=1))
    save_model(model, tmp_path / "m", tokenizer_folder=own)
    path = tmp_path / "m/config.json"
    stored = json.loads(path.read_text())
    assert (stored["eos_token_id"], stored["pad_token_id"]) == (1, 0)
    tasks = {"summarization": {"prefix": "sum: ", "num_beams": 4}}
    path.write_text(json.dumps({**stored, "task_specific_params": tasks}))

    opened = load(tmp_path / "m", Translator)
    ids = [list(each) for each in opened.tokenizer.encode_batch(["sum: ab ca", "</s>"])]
    assert ids == [[11, 7, 8], [3, 2]]
    assert opened.tokenizer.decode([11, 7, 8, 1, 0]) == "sum: ab ca"
    found = opened.translations(["ab ca", "  "], beam=1, prompt="summarization", max_tokens=6)
    source = torch.tensor([[11, 7, 8, 1]])
    best = search(
        model, source, torch.ones_like(source).bool(), START, END, BeamConfig(beams=1, max_tokens=6)
    )
    assert found[0].token_ids == best[0].ids and found[1].text == ""
    with pytest.raises(UsageError, match=r"Did you mean 'summarization'"):
        opened.translate("ab", prompt="summarisation")
