"""What each method lets move, over every family; LoRA begins as nothing and merges exactly."""

import pytest
import torch

from hornbook.adapt import lora
from hornbook.adapt.method import RANK, Method, parameter_counts
from hornbook.core.errors import UsageError
from hornbook.models.classifier import on_decoder, on_encoder
from hornbook.models.encoder_presets import BertSizes, ViTSizes, bert, vit
from hornbook.models.presets import PRESETS, qwen3_moe
from hornbook.models.sizes import DecoderSizes
from hornbook.models.translators import TRANSLATORS, PairSizes, SideSizes
from hornbook.nn.mixture import MixtureConfig

SIZES = DecoderSizes(
    vocab=53, width=16, depth=3, context=24, heads=2, kv_heads=2, head=8, hidden=24, tied=False
)
BERT = BertSizes(vocab=53, width=16, depth=3, context=24, heads=2, hidden=24)
VIT = ViTSizes(size=8, patch=4, channels=1, width=16, depth=3, heads=2, hidden=24)
SIDE = SideSizes(depth=3, heads=2, hidden=24)
PAIR = PairSizes(vocab=53, width=16, context=24, encoder=SIDE, decoder=SIDE, start=52, dropout=0.0)
LABELS = ("ham", "spam")
MODELS = {
    **{name: preset(SIZES) for name, preset in PRESETS.items()},
    # So few that each of them gets tokens.
    "qwen3-moe": qwen3_moe(SIZES, MixtureConfig(experts=3, chosen=2, hidden=12)),
    "tied": PRESETS["qwen3"](SIZES.model_copy(update={"tied": True})),
    "decoder classifier": on_decoder(PRESETS["qwen3"](SIZES), LABELS),
    "gpt2 classifier": on_decoder(PRESETS["gpt2"](SIZES), LABELS),
    "mamba2 classifier": on_decoder(PRESETS["mamba2"](SIZES), LABELS),
    "encoder classifier": on_encoder(bert(BERT), LABELS),
    "vit": vit(VIT, LABELS),
    **{f"pair {name}": preset(PAIR) for name, preset in TRANSLATORS.items()},
}
every_model = pytest.mark.parametrize("name", MODELS)
RECURRENT = {"lstm", "lstm-attention", "pair lstm", "pair lstm-attention", "pair lstm_attention"}


def fresh(name):
    """Weights that make all parts count."""
    model, generator = MODELS[name].build(), torch.Generator().manual_seed(3)
    with torch.no_grad():
        for _, weight in sorted(model.named_parameters()):
            weight.add_(torch.empty(weight.shape).normal_(0, 0.2, generator=generator))
    return model.eval()


def run(model):
    ids = torch.randint(0, 50, (2, 9), generator=torch.Generator().manual_seed(0))
    if isinstance(model.config.vocab, int):
        if "encoder" in model.config.stacks():
            return model.head(model.features(ids, model.encode(ids)))
        return model(ids)
    return model(torch.randn(2, 1, 8, 8, generator=torch.Generator().manual_seed(0)))


def moving(model):
    return {name for name, weight in model.named_parameters() if weight.requires_grad}


@pytest.mark.parametrize(
    ("text", "kind", "layers", "rank"),
    [
        ("full", "full", None, None), ("head", "head", None, None), ("last:2", "last", 2, None),
        ("lora", "lora", None, RANK), ("lora:4", "lora", None, 4),
    ],
)  # fmt: skip
def test_a_method_is_read_as_it_is_written(text, kind, layers, rank):
    method = Method.parse(text)
    assert (method.kind, method.layers, method.rank) == (kind, layers, rank)
    assert Method.parse(method.plain(), "a recipe") == method == Method.parse(str(method))


@pytest.mark.parametrize(
    "text", ["", "all", "last", "last:0", "last:x", "full:2", "head:1", "lora:0", "lora:99999999"]
)
def test_other_words_are_refused_with_the_valid_ones(text):
    with pytest.raises(UsageError, match="Valid: full, last:N"):
        Method.parse(text)


@every_model
def test_full_moves_everything(name):
    model = fresh(name).requires_grad_(False)
    Method.parse("full").apply(model, 0)
    assert moving(model) == {name for name, _ in model.named_parameters()}


@every_model
def test_last_moves_the_end_of_each_stack_and_the_head(name):
    model = fresh(name)
    Method.parse("last:2").apply(model, 0)
    depth = {stack: config.depth for stack, config in model.config.stacks().items()}
    blocks = {
        f"{stack}.layers.{at}."
        for stack, config in model.config.stacks().items()
        for at in range(sum(map(len, config.blocks()[:-2])), sum(map(len, config.blocks())))
    }
    shared = {id(p) for p in model.embedding.parameters()}
    for parameter, weight in model.named_parameters():
        ends = (*blocks, *(f"{stack}.norm." for stack in depth), "head.", "pooling.", "transform.")
        assert weight.requires_grad == (parameter.startswith(ends) and id(weight) not in shared)
    most = max(depth.values())
    with pytest.raises(UsageError, match=f"has {most} layers"):
        Method.parse(f"last:{most + 1}").apply(fresh(name), 0)


@every_model
def test_head_moves_what_stands_behind_the_stack(name):
    model = fresh(name)
    Method.parse("head").apply(model, 0)
    behind = {
        id(weight)
        for parameter, weight in model.named_parameters(remove_duplicate=False)
        if parameter.startswith(("head.", "pooling.", "transform."))
    }
    assert {id(w) for w in model.parameters() if w.requires_grad} == behind
    assert parameter_counts(model).trained < parameter_counts(model).all


def test_a_body_without_a_head_is_refused():
    with pytest.raises(UsageError, match="no head"):
        Method.parse("head").apply(bert(BERT).build(), 0)


@every_model
def test_lora_begins_as_nothing_moves_alone_and_merges(name):
    model = fresh(name)
    before, names = run(model), list(dict(model.named_parameters()))
    if name in RECURRENT:
        with pytest.raises(UsageError, match="LSTM"):
            Method.parse("lora:4").apply(model, 0)
        return
    Method.parse("lora:4").apply(model, 1)
    assert torch.equal(run(model), before)
    new = {n for n in moving(model) if n.endswith((".up", ".down"))}
    behind = ("head.", "pooling.") if "classifier" in name or name == "vit" else ()
    assert moving(model) - new == {n for n in names if n.startswith(behind or "nothing")}
    run(model).square().sum().backward()
    for _, layer in lora.layers(model):
        assert layer.up.grad is not None and layer.up.grad.abs().max() > 0
        assert layer.base.weight.grad is None
        with torch.no_grad():
            layer.up.normal_(0, 0.3, generator=torch.Generator().manual_seed(2))
    changed = run(model)
    assert (changed - before).abs().max() > 1e-3
    assert list(lora.own_parameters(model)) == names
    lora.merge(model)
    assert list(dict(model.named_parameters())) == names
    # Weights off by a last bit move these by 2e-5: what a layer says first is small, and normed.
    bound = 1e-4 if name in ("qwen3.5", "olmo2") else 1e-5
    assert torch.allclose(run(model), changed, rtol=1e-5, atol=bound)
    assert moving(model) == set(names)


def test_the_same_seed_draws_the_same_factors():
    models = [fresh("qwen3") for _ in range(3)]
    for model, seed in zip(models, (1, 1, 2), strict=True):
        Method.parse("lora:4").apply(model, seed)
    one, same, other = ([layer.down for _, layer in lora.layers(model)] for model in models)
    assert all(torch.equal(a, b) for a, b in zip(one, same, strict=True))
    assert not torch.equal(one[0], other[0])


def test_every_linear_map_of_the_stack_has_a_layer():
    found = lora.targets(fresh("qwen3"))
    parts = [n.rpartition(".")[2] for n in found if ".0." in n or ".1." in n]
    assert parts == ["query", "key", "value", "output", "gate", "up", "down"]
    assert {n.rpartition(".")[2] for n in lora.targets(fresh("mamba2"))} == {"input"}


def test_a_rank_wider_than_a_map_is_refused():
    with pytest.raises(UsageError, match="rank must be 1 to 16"):
        Method.parse("lora:17").apply(fresh("qwen3"), 0)


def test_dropout_hides_channels_from_the_factors_alone():
    model = fresh("qwen3")
    Method.parse({"kind": "lora", "rank": 4, "dropout": 0.5}, "a recipe").apply(model, 0)
    before = run(model)
    model.train()
    assert torch.equal(run(model), before)  # the factors add nothing yet
    for _, layer in lora.layers(model):
        torch.nn.init.normal_(layer.up)
    assert not torch.equal(run(model), run(model))
    model.eval()
    assert torch.equal(run(model), run(model))
