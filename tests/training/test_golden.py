"""Twenty steps of every kind of run, on real text and images, with the rates its users get.

Models are small, weights are float32, tokens are bytes. A run is planned with a hundred steps and
cut at the tenth, so that warm-up, plateau, fall and cut are all seen. `python
tests/training/test_golden.py` writes the curves anew: after a change that is meant to move them.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from hornbook.adapt.method import Method
from hornbook.batches.conversations import Example, PackedConversations
from hornbook.batches.images import Augment, ImageBatches, pixel_statistics
from hornbook.batches.labelled import LabelledTexts
from hornbook.batches.masking import MaskedWindows
from hornbook.batches.packing import PackedWindows
from hornbook.batches.preferences import PreferencePair, PreferencePairs
from hornbook.batches.translation import EncodedPair, PairBatches
from hornbook.models.causal_lm import CausalLM
from hornbook.models.classifier import on_backbone
from hornbook.models.encoder_presets import BertSizes, bert, bert_masked_lm
from hornbook.models.presets import PRESETS
from hornbook.nn.dropout import Dropout
from hornbook.training import optimiser, schedule
from hornbook.training.image_dial import WantedImages, choose_images
from hornbook.training.loop import Batches, LoopConfig, train
from hornbook.training.objective import (
    Objective,
    answer_token,
    class_label,
    masked_token,
    next_token,
)
from hornbook.training.optimiser import Optimiser, OptimiserConfig
from hornbook.training.pair_dial import WantedPairs, choose_pairs
from hornbook.training.preference import Reference, prefer
from hornbook.training.schedule import Cut, ScheduleConfig
from hornbook.training.state import TrainState
from hornbook.training.translation import next_target
from hornbook.training.vocabulary import TextSize
from hornbook.workflows.projects.answers import request as answers
from hornbook.workflows.projects.images import project as images
from hornbook.workflows.projects.labels import rates as labels
from tests.tiny import decoder_sizes

HERE = Path(__file__).parent
CURVES = HERE / "golden.json"
SEEN = 1e-4
"""Nats from which a curve has moved."""
STEPS, CUT, PLANNED = 20, 10, 100
ROWS, CONTEXT, END, MASK, VOCAB = 8, 48, 256, 257, 258
LINES = [line.split("\t") for line in (HERE / "sentences.tsv").read_text("utf-8").splitlines()]
ENGLISH, CHINESE, TOPICS = (list(column) for column in zip(*LINES, strict=True))
SIZES = decoder_sizes(vocab=VOCAB, width=32, context=128, kv_heads=1, head=16, hidden=48)
BERT = BertSizes(vocab=VOCAB, width=32, depth=2, context=128, heads=2, hidden=48)


@dataclass(frozen=True)
class Course:
    """One kind of run before its first step."""

    model: torch.nn.Module
    objective: Objective
    batches: Batches
    optimiser: OptimiserConfig
    schedule: ScheduleConfig

    def losses(self) -> list[float]:
        found: list[float] = []

        def look(state: TrainState) -> None:
            found.append(state.loss)
            if state.step == CUT:
                state.cuts.append(Cut(CUT, STEPS))

        state = TrainState(self.model, Optimiser(self.model, self.optimiser, torch.float32))
        loop = LoopConfig(
            steps=PLANNED, micro_rows=ROWS // 2, schedule=self.schedule, device="cpu",
            dtype="float32",
        )  # fmt: skip
        train(state, self.objective, self.batches, loop, [look])
        return found


Change = Callable[[Course], Course]


def ids(text: str) -> np.ndarray:
    return np.frombuffer(text.encode(), np.uint8).astype(np.int64)


class Stream:
    """What packing sees of token shards: all sentences, one after the other."""

    def __init__(self) -> None:
        self.ids = np.concatenate([np.append(ids(text), END) for text in ENGLISH + CHINESE])
        self.eos, self.tokens = END, len(self.ids)

    def read(self, start: int, stop: int) -> np.ndarray:
        return self.ids[start:stop]


def text(preset: str) -> Course:
    windows = PackedWindows(Stream(), CONTEXT, ROWS, seed=0)
    model = PRESETS[preset](SIZES).build(seed=1)
    return Course(model, next_token, windows, OptimiserConfig(), ScheduleConfig())


def masked() -> Course:
    windows = PackedWindows(Stream(), CONTEXT, ROWS, seed=0)
    batches = MaskedWindows(windows, np.arange(END), MASK, seed=0)
    model = bert_masked_lm(BERT).build(seed=1)
    return Course(model, masked_token, batches, optimiser.MASKED, schedule.POST_NORM)


def pairs() -> Course:
    wanted = WantedPairs(vocab=VOCAB, depth=1, width=32, heads=2, hidden=48, tokens=ROWS * 100)
    plan, _ = choose_pairs("transformer", 1e9, TextSize(10_000), 60, wanted)
    encoded = [EncodedPair(ids(en), ids(zh)) for en, zh in zip(ENGLISH, CHINESE, strict=True)]
    batches = PairBatches(encoded, plan.tokens, 0, start=VOCAB, end=END)
    model = plan.config("transformer", VOCAB).build(seed=1)
    objective = next_target(plan.smoothing)
    return Course(model, objective, batches, optimiser.POST_NORM, schedule.POST_NORM)


def digits() -> Course:
    from sklearn.datasets import load_digits

    found = load_digits()
    pixels = (found.images[:200, :, :, None] * 15).astype(np.uint8)
    wanted = WantedImages(patch=2, depth=2, width=32, heads=2, hidden=48, rows=ROWS)
    plan, _ = choose_images(1e9, (8, 8, 1), 60, wanted)
    batches = ImageBatches(
        pixels, found.target[:200], plan.rows, 0, *pixel_statistics(pixels), Augment()
    )
    model = plan.config(8, 1, "0123456789").build(seed=1)
    return Course(model, class_label, batches, images._OPTIMISER, images._SCHEDULE)


def example(question: str, answer: str) -> Example:
    both = np.concatenate([ids(question), [END], ids(answer), [END]])
    return Example(both, np.arange(len(both)) > len(question.encode()))


def tuned(method: str, preference: bool) -> tuple[CausalLM, OptimiserConfig]:
    """A decoder whose layers say something, and ten times the rates: twenty steps have to show."""
    model = PRESETS["qwen3"](SIZES).build(seed=1)
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(torch.empty(weight.shape).normal_(0, 0.05, generator=generator))
    how = Method.parse(method)
    how.apply(model, 0)
    rates, _ = answers.rates(how, SIZES.width, None, preference)
    names = ("matrix_rate", "embedding_rate", "head_rate", "scalar_rate")
    return model, updated(rates, dict.fromkeys(names, lambda rate: 10 * rate))


def answered() -> Course:
    model, rates = tuned("lora", preference=False)
    examples = [example(en, zh) for en, zh in zip(ENGLISH, CHINESE, strict=True)]
    batches = PackedConversations(examples, 128, ROWS, seed=0, padding=0)
    return Course(model, answer_token, batches, rates, answers.SCHEDULE)


def preferred() -> Course:
    model, rates = tuned("full", preference=True)
    both = [
        PreferencePair(example(en, zh), example(en, other))
        for en, zh, other in zip(ENGLISH, CHINESE, CHINESE[1:] + CHINESE[:1], strict=True)
    ]
    batches = PreferencePairs(both, Reference(model, 0, "cpu", "float32"), 4, 0, padding=0)
    return Course(model, prefer(0.1), batches, rates, answers.SCHEDULE)


def labelled(fresh: bool) -> Course:
    how = Method(kind="full")
    model = on_backbone(bert(BERT), ["reading", "training"], labels.pooling_of(how, fresh)).build(1)
    classes = np.array([topic == "training" for topic in TOPICS]).astype(np.int64)
    batches = LabelledTexts([ids(en) for en in ENGLISH], classes, ROWS, 0, 0, alike=True)
    rates = labels.rates_of(how, fresh, BERT.width).optimiser
    return Course(model, class_label, batches, rates, labels.SCHEDULE)


DECODERS = ("qwen3", "gpt2", "mamba2", "lfm2", "qwen3.5", "qwen3-moe", "lstm")
KINDS: dict[str, Callable[[], Course]] = {
    **{preset: partial(text, preset) for preset in DECODERS},
    "bert": masked,
    "pairs": pairs,
    "images": digits,
    "answers": answered,
    "preferences": preferred,
    "labels": partial(labelled, fresh=False),
    "fresh labels": partial(labelled, fresh=True),
}
ADAMW = ("answers", "preferences", "labels")
"""Nothing of these is Muon's."""


def moved(**values: Any) -> Change:
    """Other rates; a function is of the rate that is there."""
    return lambda course: replace(course, optimiser=updated(course.optimiser, values))


def timed(**values: Any) -> Change:
    return lambda course: replace(course, schedule=updated(course.schedule, values))


def updated(config: Any, values: dict[str, Any]) -> Any:
    new = {k: v(getattr(config, k)) if callable(v) else v for k, v in values.items()}
    return config.model_copy(update=new)


def undropped(course: Course) -> Course:
    for part in course.model.modules():
        if isinstance(part, Dropout):
            part.dropped = 0
    return course


def twice(value: float) -> float:
    return 2 * value


def half(value: float) -> float:
    return value / 2


CHANGES: dict[str, tuple[Change, set[str]]] = {
    "no weight decay": (moved(weight_decay=0.0), set(KINDS) - {*ADAMW}),
    "momentum": (moved(momentum=0.9), set(KINDS) - {*ADAMW}),
    "betas": (moved(betas=(0.9, 0.99)), set(KINDS)),
    "scalar rate": (moved(scalar_rate=twice), set(KINDS) - {"answers"}),
    "embedding rate": (moved(embedding_rate=twice), set(KINDS) - {"answers"}),
    "head rate": (moved(head_rate=twice), set(KINDS) - {"answers", "bert", "pairs"}),
    "matrix rate": (moved(matrix_rate=twice), set(KINDS)),
    "no clipping": (moved(clip=None), set(KINDS)),
    "half the warm-up": (timed(warmup=half), set(KINDS)),
    "twice the warm-up": (timed(warmup=twice), set(KINDS)),
    "half the fall": (timed(cooldown=half), set(KINDS)),
    "no dropout": (undropped, {"pairs"}),
    "no smoothing": (lambda course: replace(course, objective=next_target(0.0)), {"pairs"}),
}
"""What a curve must notice, and the kinds of run that have it."""


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("kind", KINDS)
def test_follows_the_golden_curve(kind: str) -> None:
    """Other instructions (AVX-512, AVX2, SSE4.1) move a loss by at most 3e-6 of itself.

    Besides what `CHANGES` tries, these were put into the package, and each was noticed by a kind
    that it concerns: Muon without weight decay or without its look-ahead, no clipping, other
    default rates, momentum, betas, warm-up and fall of each kind, dropout that drops nothing,
    smoothing whose gradient is left out, dropout and smoothing that the dial of pairs leaves out.
    """
    assert KINDS[kind]().losses() == pytest.approx(json.loads(CURVES.read_text())[kind], abs=SEEN)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_a_curve_notices(kind: str) -> None:
    golden = np.array(json.loads(CURVES.read_text())[kind])
    for name, (change, kinds) in CHANGES.items():
        if kind in kinds:
            found = change(KINDS[kind]()).losses()
            assert np.abs(found - golden).max() > 1.3 * SEEN, name


if __name__ == "__main__":
    torch.set_num_threads(1)
    rows = [f'"{kind}": {[round(x, 5) for x in make().losses()]}' for kind, make in KINDS.items()]
    CURVES.write_text("{\n" + ",\n".join(rows) + "\n}\n")
