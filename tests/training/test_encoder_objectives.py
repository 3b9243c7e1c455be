"""Masked words and labels: losses equal plain cross-entropy, training learns, scores count."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from hornbook.batches.batch import IGNORE, Batch
from hornbook.batches.images import Augment, ImageBatches
from hornbook.batches.labelled import LabelledBatch, LabelledTexts
from hornbook.batches.masking import MaskedWindows
from hornbook.batches.packing import PackedWindows
from hornbook.core.errors import HornbookError
from hornbook.models.classifier import on_decoder, on_encoder
from hornbook.models.encoder_presets import BertSizes, ViTSizes, bert, bert_masked_lm, vit
from hornbook.models.presets import qwen3
from hornbook.models.transfer import copy_backbone
from hornbook.training.loop import LoopConfig, train
from hornbook.training.objective import class_label, masked_token
from hornbook.training.optimiser import Optimiser, OptimiserConfig, is_hidden_matrix
from hornbook.training.schedule import ScheduleConfig
from hornbook.training.scores import score
from hornbook.training.state import TrainState
from tests.tiny import decoder_sizes, gradients

VOCAB, TIME = 31, 16
BERT = BertSizes(vocab=VOCAB, width=16, depth=2, context=TIME, heads=2, hidden=24)
DECODER = decoder_sizes(vocab=VOCAB, context=TIME, kv_heads=1, tied=True)
RATES = OptimiserConfig(embedding_rate=0.01)


def masked_batch(segments=None):
    draw = torch.Generator().manual_seed(1)
    tokens, targets = torch.randint(VOCAB, (2, 4, TIME), generator=draw).unbind()
    targets = targets.masked_fill(torch.rand(4, TIME, generator=draw) > 0.3, IGNORE)
    return Batch(tokens, targets, torch.arange(TIME)[None], segments)


def test_masked_loss_equals_cross_entropy_bias_included():
    model, batch = bert_masked_lm(BERT).build(seed=1), masked_batch()
    with torch.no_grad():
        model.head.bias.normal_(generator=torch.Generator().manual_seed(0))
    loss, count = masked_token(model, batch)
    assert count == int((batch.targets != IGNORE).sum())
    loss.backward()
    ours = gradients(model)
    logits = model(batch.tokens).flatten(0, 1)
    targets = batch.targets.flatten()
    expected = F.cross_entropy(logits, targets, ignore_index=IGNORE, reduction="sum")
    expected.backward()
    torch.testing.assert_close(loss, expected, rtol=1e-5, atol=1e-5)
    for name, gradient in gradients(model).items():
        torch.testing.assert_close(ours[name], gradient, rtol=1e-4, atol=1e-5)


def test_segments_do_not_see_each_other():
    model = bert_masked_lm(BERT).build(seed=1)
    segments = (torch.arange(TIME) >= 6).long().expand(4, -1)
    batch = masked_batch(segments)
    targets = batch.targets.clone()
    targets[:, :6] = IGNORE
    batch = batch._replace(targets=targets)
    changed = batch.tokens.clone()
    changed[:, :6] = 0
    same = [masked_token(model, batch._replace(tokens=x))[0] for x in (batch.tokens, changed)]
    torch.testing.assert_close(*same)


def test_no_masked_token_is_no_loss():
    model, batch = bert_masked_lm(BERT).build(), masked_batch()
    nothing = batch._replace(targets=torch.full_like(batch.targets, IGNORE))
    loss, count = masked_token(model, nothing)
    loss.backward()
    assert (float(loss.detach()), count) == (0.0, 0)


def test_every_matrix_of_the_body_is_muons():
    names = dict(bert_masked_lm(BERT).build().named_parameters())
    hidden = {name for name, weight in names.items() if is_hidden_matrix(name, weight)}
    assert "transform.dense.weight" in hidden
    assert {name.split(".")[0] for name in hidden} == {"stack", "transform"}


def run(model, objective, batches, steps, dtype="float32"):
    state = TrainState(model, Optimiser(model, RATES, torch.float32))
    loop = LoopConfig(
        steps=steps, micro_rows=64, schedule=ScheduleConfig(), device="cpu", dtype=dtype
    )
    losses = []
    train(state, objective, batches, loop, [lambda s: losses.append(s.loss)])
    return losses


def test_learns_to_fill_in_words(shards):
    """All tokens of a document are the same, so what is hidden can be known."""
    shards.ids = np.tile(np.repeat(np.arange(1, 12, dtype=np.uint16), 40), 4)
    shards.tokens = len(shards.ids)
    windows = PackedWindows(shards, TIME, 16, seed=0)
    batches = MaskedWindows(windows, np.arange(1, 12), 12, seed=0)
    model = bert_masked_lm(BERT).build()
    losses = run(model, masked_token, batches, 100)
    assert np.mean(losses[-5:]) < 1 < 2 < losses[0]
    loss, hidden = masked_token(model.eval(), batches.batch(99))
    assert hidden > 20 and float(loss.detach()) / hidden < 1


def texts():
    """Texts whose class is whether they hold the token 7, not always last."""
    draw = np.random.default_rng(0)
    sequences = [draw.integers(8, VOCAB, draw.integers(3, TIME)) for _ in range(64)]
    for ids in sequences[::2]:
        ids[draw.integers(len(ids))] = 7
    return LabelledTexts(sequences, np.arange(64) % 2, rows=32, seed=0, padding=0)


@pytest.mark.parametrize(
    "config", [on_encoder(bert(BERT), "ab"), on_decoder(qwen3(DECODER), "ab")], ids=["bert", "gpt"]
)
def test_classifiers_learn_and_are_scored(config):
    model = config.build()
    losses = run(model, class_label, texts(), 60)
    assert losses[-1] < 0.3 < losses[0]
    found = score(model, texts().in_order(), "cpu", "float32")
    assert len(found.labels) == 64 and found.accuracy.low > 0.85
    assert (found.guesses == found.labels).mean() == found.accuracy.value
    assert ((found.sure >= 0.5) & (found.sure <= 1)).all()
    padded = next(texts().in_order())
    logits = model(padded.inputs, padded.valid)
    for row in range(4):
        alone = padded.inputs[row : row + 1, : int(padded.valid[row].sum())]
        torch.testing.assert_close(model(alone)[0], logits[row], atol=1e-4, rtol=1e-4)


def test_images_learn_in_short_floats():
    draw = np.random.default_rng(0)
    labels = np.arange(60) % 3
    pixels = draw.integers(0, 60, (60, 8, 8, 1), np.uint8)
    for image, label in zip(pixels, labels, strict=True):
        image[:, 2 * label : 2 * label + 2] += 150
    batches = ImageBatches(pixels, labels, 20, 0, [0.3], [0.3], Augment(shift=0, flip=False))
    sizes = ViTSizes(size=8, patch=4, channels=1, width=16, depth=1, heads=2, hidden=24)
    model = vit(sizes, "abc").build()
    losses = run(model, class_label, batches, 60, dtype="bfloat16")
    assert losses[-1] < 0.4 < 1 < losses[0]
    found = score(model, batches.in_order(), "cpu", "bfloat16")
    assert found.accuracy.value > 0.95


def test_a_label_batch_splits_into_the_same_loss():
    model = on_encoder(bert(BERT), "abc").build()
    tokens = torch.randint(VOCAB, (5, TIME), generator=torch.Generator().manual_seed(0))
    batch = LabelledBatch(tokens, torch.arange(5) % 3, torch.ones(5, TIME, dtype=torch.bool))
    whole, _ = class_label(model, batch)
    parts = sum(class_label(model, part)[0] for part in batch.split(2))
    torch.testing.assert_close(whole, parts)


def test_a_pretrained_body_begins_a_classifier():
    source = bert_masked_lm(BERT).build(seed=1)
    target = on_encoder(bert(BERT), "ab").build(seed=2)
    head = target.head.weight.clone()
    copy_backbone(source, target)
    bodies = [model.stack.state_dict() for model in (source, target)]
    assert all(torch.equal(weight, bodies[1][name]) for name, weight in bodies[0].items())
    assert torch.equal(target.head.weight, head)
    wider = on_encoder(bert(BERT.model_copy(update={"vocab": 40})), "ab").build()
    with pytest.raises(HornbookError, match=r"embedding\.token\.weight is \(31, 16\).*\(40, 16\)"):
        copy_backbone(source, wider)
