"""Single tokens by recorded work: the same logits as the model's own, whatever the rows hold."""

import pytest
import torch

from hornbook.generate.decode import decode
from hornbook.generate.sampling import SamplingConfig
from hornbook.models import graphed
from hornbook.models.graphed import GraphedDecoder, recordable
from hornbook.models.presets import PRESETS
from tests.tiny import decoder_sizes, loud

GREEDY = SamplingConfig(temperature=0, max_tokens=12)


def played_back(work):
    """As a CUDA graph would: done once before, and then always the same work into one result."""
    found = work().clone()

    def again():
        found.copy_(work())
        return found

    return again


@pytest.mark.parametrize("preset", ["qwen3", "gpt2", "gemma3"])
@pytest.mark.parametrize("rows", [1, 3])
def test_tokens_are_those_of_the_model(preset, rows, monkeypatch):
    """Over the border from one graph to the next, and after a row has ended."""
    monkeypatch.setattr(graphed, "_STEP", 8)
    model = loud(PRESETS[preset](decoder_sizes()).build())
    prompts = [list(range(1, 6 + row)) for row in range(rows)]
    ended = frozenset({7})

    def tokens(of):
        return [(one.row, one.id) for one in decode(of, prompts, GREEDY, ended)]

    assert recordable(model)
    assert tokens(GraphedDecoder(model, played_back)) == tokens(model)


def test_logits_differ_by_rounding_only():
    model = loud(PRESETS["qwen3"](decoder_sizes()).build())
    ours, theirs = GraphedDecoder(model, played_back).sequences(2), model.sequences(2)
    for new in ({0: [1, 2, 3], 1: [4, 5, 6]}, {0: [7], 1: [8]}, {0: [9], 1: [1]}):
        found, right = ours.go_on(new), theirs.go_on(new)
        for row in right:
            torch.testing.assert_close(
                torch.from_numpy(found[row]), torch.from_numpy(right[row]), rtol=0, atol=1e-5
            )


@pytest.mark.parametrize("preset", ["mamba2", "qwen3-moe"])
def test_what_is_not_the_same_work_twice_is_not_recorded(preset):
    assert not recordable(PRESETS[preset](decoder_sizes()).build())
