"""Answers that come and go while others run: the same text as alone, whole characters, no leaks."""

import random
import re
import threading
import time

import pytest

from hornbook.core.errors import HornbookError
from hornbook.generate.decode import decode
from hornbook.generate.native_decoder import NativeDecoder
from hornbook.generate.sampling import SamplingConfig
from hornbook.generate.scheduler import SchedulerConfig
from hornbook.generate.service import Busy, GenerationService, keeping
from hornbook.generate.text import Answer, Writing
from hornbook.generate.watched import WatchedModel
from hornbook.models.kernel_weights import decoder_weights
from hornbook.models.pack import from_weights, pack
from hornbook.models.presets import PRESETS, qwen3
from hornbook.tokenize.train import train_tokenizer
from tests.tiny import QUIET, decoder_sizes, loud, need_kernels

SLOTS = SchedulerConfig(slots=3, step_tokens=8, kept=3)
GREEDY = SamplingConfig(temperature=0, max_tokens=12)
END = frozenset({0})


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    """Hardly more than bytes: every Chinese character and emoji is several tokens."""
    return train_tokenizer(["春眠不覺曉 😀 the tablet"], 270, tmp_path_factory.mktemp("t"), QUIET)


@pytest.fixture(scope="module")
def model(tokenizer):
    return loud(qwen3(decoder_sizes(vocab=tokenizer.vocab_size, context=96)).build())


@pytest.fixture
def service(model):
    made = GenerationService(model, SLOTS, waiting=4)
    yield made
    made.close()


class Reader:
    """Who waits for an answer."""

    def __init__(self, service, tokenizer, prompt, config=GREEDY, submit=True, **other):
        answer = Answer(tokenizer.encode(prompt))
        self.writing = Writing(tokenizer, answer, END, config, **other)
        self.pieces, self.ended = [], threading.Event()
        if submit:
            (self.ticket,) = service.submit((self.writing, self.take))

    def take(self, piece):
        self.pieces.append(piece)
        if piece.finished or piece.error:
            self.ended.set()

    def wait(self):
        assert self.ended.wait(20)
        return "".join(piece.text for piece in self.pieces)


def alone(model, tokenizer, prompt, config=GREEDY, **other):
    writing = Writing(tokenizer, Answer(tokenizer.encode(prompt)), END, config, **other)
    return "".join(writing.stream(model)), writing.answer


def wait_for(condition):
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def test_many_at_once_give_what_each_gives_alone(service, model, tokenizer):
    drawn = SamplingConfig(temperature=1.0, seed=4, max_tokens=25, repetition_penalty=1.2)
    prompts = ["the tablet", "春眠", "😀", "the", "tab 曉", "the tablet 春"]
    configs = [GREEDY, drawn, drawn, GREEDY, drawn, GREEDY]
    readers = [Reader(service, tokenizer, *one) for one in zip(prompts, configs, strict=True)]
    for reader, prompt, config in zip(readers, prompts, configs, strict=True):
        text, answer = alone(model, tokenizer, prompt, config)
        assert reader.wait() == text == reader.writing.answer.text
        assert reader.writing.answer.token_ids == answer.token_ids
        assert reader.pieces[-1].finished == answer.finish_reason
        assert [piece.id for piece in reader.pieces] == answer.token_ids
    assert service.generated_tokens == sum(len(r.writing.answer.token_ids) for r in readers)


class Speak:
    """A constraint that lets the model say one text only, byte by byte."""

    def __init__(self, ids, vocab):
        self._ids, self._vocab, self._said = ids, vocab, 0

    def allowed(self):
        import numpy as np

        return np.arange(self._vocab) == self._ids[self._said]

    def advance(self, id):
        self._said += 1


@pytest.mark.parametrize("text", ["春眠不覺曉", "a😀b👩‍👩‍👧c", "é" * 5, "曉"])
def test_no_piece_holds_a_part_of_a_character(service, tokenizer, text):
    ids = [*tokenizer.encode(text), 0]
    reader = Reader(
        service, tokenizer, "the", SamplingConfig(max_tokens=60),
        constraint=Speak(ids, tokenizer.vocab_size),
    )  # fmt: skip
    assert reader.wait() == text
    assert all("\ufffd" not in piece.text for piece in reader.pieces)
    assert reader.pieces[-1].finished == "stop"


def test_what_is_cut_off_within_a_character_leaves_it_out(service, tokenizer):
    ids = tokenizer.encode("春眠")
    config = SamplingConfig(max_tokens=len(ids) - 1)
    reader = Reader(service, tokenizer, "the", config, constraint=Speak(ids, tokenizer.vocab_size))
    assert len(ids) > 2 and reader.wait() == "春"
    assert reader.pieces[-1].finished == "length"


def test_a_text_that_stops_it_is_never_shown(service, model, tokenizer):
    text, _ = alone(model, tokenizer, "the tablet")
    stop = text[len(text) // 2 :][:2]
    config = GREEDY.model_copy(update={"stop": (stop,)})
    reader = Reader(service, tokenizer, "the tablet", config)
    assert reader.wait() == text[: text.index(stop)]
    assert reader.pieces[-1].finished == "stop"
    wait_for(lambda: service.running == 0)


def test_who_leaves_frees_the_place_and_disturbs_nobody(service, model, tokenizer):
    long = SamplingConfig(temperature=0, max_tokens=90)
    gone = [Reader(service, tokenizer, "a" * n, long) for n in (1, 2, 3, 4)]
    kept = Reader(service, tokenizer, "the tablet")
    service.cancel([reader.ticket for reader in gone])
    assert kept.wait() == alone(model, tokenizer, "the tablet")[0]
    wait_for(lambda: service.open == 0)
    assert not any(reader.ended.is_set() for reader in gone)
    count = [len(reader.pieces) for reader in gone]
    assert Reader(service, tokenizer, "the").wait()
    assert count == [len(reader.pieces) for reader in gone]


def test_the_queue_is_bounded_and_several_are_taken_all_or_none(service, tokenizer):
    hold = threading.Event()
    first = Reader(service, tokenizer, "the", submit=False)
    service.submit((first.writing, lambda piece: (hold.wait(20), first.take(piece))))
    others = [Reader(service, tokenizer, "tab") for _ in range(5)]
    pair = [Reader(service, tokenizer, "x", submit=False) for _ in range(2)]
    with pytest.raises(Busy, match="6 answers run or wait, and 7 may"):
        service.submit(*((reader.writing, reader.take) for reader in pair))
    others.append(Reader(service, tokenizer, "the last"))
    with pytest.raises(Busy):
        Reader(service, tokenizer, "x")
    hold.set()
    for reader in (first, *others):
        reader.wait()
    assert Reader(service, tokenizer, "x").wait() is not None


def test_answers_to_one_prompt_read_it_once(service, model, tokenizer):
    configs = [SamplingConfig(seed=2, max_tokens=6, answer=n) for n in range(3)]
    prompt = "the tablet 春眠不覺曉 the tablet"
    readers = [Reader(service, tokenizer, prompt, one, submit=False) for one in configs]
    service.submit(*((reader.writing, reader.take) for reader in readers))
    texts = [reader.wait() for reader in readers]
    assert texts == [alone(model, tokenizer, prompt, one)[0] for one in configs]
    assert len(set(texts)) == 3
    size = len(tokenizer.encode(prompt))
    assert service.prompt_tokens == size + 2  # of the others, the last token alone
    assert sorted(r.writing.answer.reused_tokens for r in readers) == [0, size - 1, size - 1]


def test_what_is_kept_is_bounded_by_memory(model):
    """As far as a model takes memory as it goes; one of torch keeps what its slots hold."""

    class Lazy:
        vocab, context, lazy, cuttable = 9, 1000, True, True

        def sequences(self, rows, capacity=None):
            return self

        def bytes_of_position(self):
            return 100

    usual = SchedulerConfig(slots=4)
    assert keeping(usual, model, None, 10**9) == usual
    kept = keeping(usual, Lazy(), None, 10**6)
    assert (kept.kept, kept.kept_tokens) == (16, 10_000)
    few = keeping(usual, Lazy(), None, 50_000)
    assert (few.kept, few.kept_tokens) == (4, 500)
    assert keeping(usual, Lazy(), 100, 50_000).kept == 16


def test_mistakes_are_raised_where_they_are_made(service, tokenizer):
    with pytest.raises(HornbookError, match="97 tokens; this model takes 1 to 95"):
        answer = Answer([5] * 97)
        service.submit((Writing(tokenizer, answer, END, GREEDY), lambda piece: None))
    assert service.open == 0


class Fails:
    """A constraint that fails after a token."""

    def allowed(self):
        return None

    def advance(self, id):
        raise HornbookError("The rule cannot be followed.")


def test_one_that_fails_says_so_and_others_go_on(service, model, tokenizer):
    kept = Reader(service, tokenizer, "the tablet")
    broken = Reader(service, tokenizer, "the", constraint=Fails())
    broken.wait()
    assert "cannot be followed" in str(broken.pieces[-1].error)
    assert kept.wait() == alone(model, tokenizer, "the tablet")[0]


def test_an_engine_that_breaks_ends_its_answers_and_serves_the_next(
    service, model, tokenizer, monkeypatch, caplog
):
    def broken(*given):
        raise MemoryError("no more")

    with monkeypatch.context() as patch:
        patch.setattr(service._engine._sequences, "go_on", broken)
        reader = Reader(service, tokenizer, "the tablet")
        reader.wait()
        assert "no more" in str(reader.pieces[-1].error)
        wait_for(lambda: service.open == 0)
    assert "the engine failed" in caplog.text
    again = Reader(service, tokenizer, "the tablet")
    assert again.wait() == alone(model, tokenizer, "the tablet")[0]


def test_closing_finishes_what_runs_within_its_patience(model, tokenizer):
    service = GenerationService(model, SLOTS)
    reader = Reader(service, tokenizer, "the tablet")
    service.close(patience_s=20)
    assert reader.wait() == alone(model, tokenizer, "the tablet")[0]
    with pytest.raises(Busy, match="stopping"):
        Reader(service, tokenizer, "x")
    service = GenerationService(model, SLOTS)
    hold = threading.Event()
    reader = Reader(service, tokenizer, "the tablet", submit=False)
    service.submit((reader.writing, lambda piece: (hold.wait(0.05), reader.take(piece))))
    service.close(patience_s=0.01)
    assert "stopped before" in str(reader.pieces[-1].error)


@pytest.mark.slow
def test_a_crowd_that_comes_and_goes_gets_what_each_gets_alone(tokenizer):
    """In our kernels, bit for bit: threads that submit, leave in the middle and come back with the
    next turn of their conversation."""
    need_kernels()
    sizes = decoder_sizes(vocab=288, width=64, context=256, heads=4, head=16, hidden=160, tied=True)
    packed = loud(PRESETS["llama"](sizes).build())
    pack(packed, from_weights(8))
    decoder = NativeDecoder(decoder_weights(packed))
    config = SchedulerConfig(slots=4, step_tokens=16, kept=6, kept_tokens=400)
    service, wrong, compared = GenerationService(decoder, config, waiting=40), [], []

    def talk(seed):
        chance, ids = random.Random(seed), tokenizer.encode("the tablet 春眠")
        for turn in range(5):
            ids = [*ids, *(chance.randrange(1, 200) for _ in range(chance.randint(1, 12)))]
            drawn = SamplingConfig(
                temperature=chance.choice((0, 0.9)), seed=turn, max_tokens=chance.randint(1, 16),
                repetition_penalty=chance.choice((1, 1.2)),
            )  # fmt: skip
            writing, ended = Writing(tokenizer, Answer(ids), END, drawn), threading.Event()
            (ticket,) = service.submit((writing, lambda piece, e=ended: piece.finished and e.set()))
            if chance.random() < 0.3:
                time.sleep(chance.random() / 50)
                service.cancel([ticket])
                continue
            assert ended.wait(60)
            steps = list(decode(decoder, [ids], drawn, END))
            compared.append(len(steps))
            if [step.id for step in steps] != writing.answer.token_ids:
                wrong.append((seed, turn))
            ids = [*ids, *writing.answer.token_ids]

    threads = [threading.Thread(target=talk, args=(seed,)) for seed in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wait_for(lambda: service.open == 0)
    assert service.running == 0
    service.close()
    assert not wrong
    assert len(compared) > 30
    assert service.reused_tokens > 300


def test_whoever_waits_is_woken_as_soon_as_the_next_step_computes_or_there_is_none(
    model, tokenizer
):
    """Not in between: what it does would keep the engine's thread from Python, and so computing."""
    events = []
    watched = WatchedModel(model, lambda: events.append("begins"))
    service = GenerationService(watched, SLOTS, delivered=lambda: events.append("woken"))
    reader = Reader(service, tokenizer, "the tablet", submit=False)

    def take(piece):
        events.append("piece")
        reader.take(piece)

    service.submit((reader.writing, take))
    reader.wait()
    service.close()
    told = "".join(event[0] for event in events)
    assert re.fullmatch(r"w?(bw)+(pbw)+pw+", told), told
