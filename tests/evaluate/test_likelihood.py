"""Likelihoods: those of a plain loop, whatever is batched, shared or cut into windows."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hornbook.core.errors import HornbookError
from hornbook.evaluate import likelihood
from hornbook.evaluate.likelihood import likelihoods, windows
from hornbook.generate.likelihoods import LikelihoodRequest, encode_pair, likelihoods_of
from hornbook.models.presets import MASKED_PRESETS, PRESETS

IDS = st.lists(st.integers(0, 99), min_size=1, max_size=30)


@torch.no_grad()
def plain(model, request):
    ids = torch.tensor([[*request.context, *request.target]])
    logs = model(ids)[0].log_softmax(-1)
    at = range(len(request.context) - 1, ids.shape[1] - 1)
    right = all(int(logs[i].argmax()) == int(ids[0, i + 1]) for i in at)
    return sum(float(logs[i, ids[0, i + 1]]) for i in at), right


def draw(count, longest, seed, prefix=()):
    generator = torch.Generator().manual_seed(seed)

    def ids(least):
        size = int(torch.randint(least, longest, (), generator=generator))
        return torch.randint(100, (size,), generator=generator).tolist()

    return [LikelihoodRequest([*prefix, *ids(1)], ids(1)[:4]) for _ in range(count)]


@pytest.mark.parametrize("preset", sorted(set(PRESETS) - set(MASKED_PRESETS)))
@pytest.mark.parametrize("shared", [0, 40])
def test_they_are_those_of_a_plain_loop(monkeypatch, decoder, preset, shared):
    monkeypatch.setattr(likelihood, "_BATCH_TOKENS", {"cpu": 64})
    model = decoder(preset)
    requests = draw(12, 20, 3, prefix=list(range(shared)))
    read = []
    original = likelihood._read
    monkeypatch.setattr(likelihood, "_read", lambda *a: read.append(a) or original(*a))
    told = []
    found = likelihoods(model, requests, advance=told.append)
    assert (len(read), sum(told)) == (int(shared > 0), 12)
    for request, one in zip(requests, found, strict=True):
        logprob, greedy = plain(model, request)
        assert one.logprob == pytest.approx(logprob, abs=1e-4)
        assert (one.greedy, one.tokens) == (greedy, len(request.target))


@pytest.mark.parametrize("preset", sorted(set(PRESETS) - set(MASKED_PRESETS)))
def test_sequences_find_the_same(decoder, preset):
    model = decoder(preset)
    requests = draw(6, 20, 5, prefix=range(12)) + draw(3, 20, 6)
    requests += [requests[2]._replace(target=[3]), requests[2]._replace(target=[4, 5]), requests[0]]
    told = []
    found = likelihoods_of(model, requests, told.append)
    for one, other in zip(found, likelihoods(model, requests), strict=True):
        assert one.logprob == pytest.approx(other.logprob, abs=1e-4)
        assert (one.greedy, one.tokens) == (other.greedy, other.tokens)
    assert (sum(told), likelihoods_of(model, [])) == (len(requests), [])


def test_the_greedy_continuation_is_greedy(decoder):
    model = decoder()
    ids = [5, 6, 7]
    with torch.no_grad():
        for _ in range(3):
            ids.append(int(model(torch.tensor([ids]))[0, -1].argmax()))
    one, other = likelihoods(
        model, [LikelihoodRequest(ids[:3], ids[3:]), LikelihoodRequest(ids[:3], [ids[3] ^ 1])]
    )
    assert one.greedy and not other.greedy


def test_one_token_targets_of_a_context_are_read_once(monkeypatch, decoder):
    model, rows = decoder(), []
    original = likelihood._features
    monkeypatch.setattr(
        likelihood,
        "_features",
        lambda m, batch, *a: rows.append(len(batch)) or original(m, batch, *a),
    )
    found = likelihoods(model, [LikelihoodRequest([1, 2, 3], [i]) for i in range(20)])
    assert sum(rows) == 1 and len({one.logprob for one in found}) == 20


@settings(max_examples=80)
@given(IDS, IDS, st.integers(1, 20), st.integers(1, 20))
def test_windows_score_each_target_once(context, target, max_length, stride):
    parts = list(windows(LikelihoodRequest(context, target), max_length, min(stride, max_length)))
    assert [i for part in parts for i in part.target] == target
    stream, at = [*context, *target], len(context)
    for part in parts:
        assert part.context and part.target
        assert len(part.context) + len(part.target) - 1 <= max_length
        assert list(part.context) == stream[at - len(part.context) : at]
        at += len(part.target)
    if len(context) + len(target) - 1 <= max_length:
        assert parts == [LikelihoodRequest(context, target)]
    for part in parts[1:]:
        assert len(part.context) >= max_length - min(stride, max_length) + 1


def test_a_text_longer_than_the_context_is_scored_whole(decoder):
    model = decoder(context=16)
    (request,) = draw(1, 2, 0)
    request = LikelihoodRequest(request.context, list(range(50)))
    (found,) = likelihoods(model, [request], stride=5)
    by_hand = [plain(model, part)[0] for part in windows(request, 16, 5)]
    assert found.tokens == 50
    assert found.logprob == pytest.approx(sum(by_hand), abs=1e-4)


def test_pairs_are_cut_as_lm_eval_cuts_them(tokenizer):
    both = tokenizer.encode("The cat sat on the mat.")
    for context, target in (("The cat sat on the", " mat."), ("The cat sat on the ", "mat.")):
        found = encode_pair(tokenizer, context, target)
        assert [*found.context, *found.target] == both
        assert tokenizer.decode(found.target) == " mat."
    assert encode_pair(tokenizer, "", "The cat").context == [tokenizer.eos_id]
    joined = encode_pair(tokenizer, "春", "眠")
    assert tokenizer.decode(joined.context) == "春" and tokenizer.decode(joined.target) == "眠"
    with pytest.raises(HornbookError, match="empty"):
        encode_pair(tokenizer, "The cat", "")
