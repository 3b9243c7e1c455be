"""The arithmetic of docs/scale.md is what `training.scale` reckons of models as they are built."""

import pytest

from hornbook.models.presets import qwen3
from hornbook.models.sizes import DecoderSizes
from hornbook.training.dial import flops_per_token
from hornbook.training.optimiser import is_hidden_matrix
from hornbook.training.scale import Cluster, DecoderShape, needs
from tests.sources import ROOT

SIZES = {
    "1 B": DecoderSizes(
        vocab=50304, width=2048, depth=18, context=2048, heads=16, kv_heads=16, head=128,
        hidden=5632, tied=True,
    ),
    "7 B": DecoderSizes(
        vocab=64000, width=4096, depth=32, context=4096, heads=32, kv_heads=32, head=128,
        hidden=11008, tied=True,
    ),
}  # fmt: skip
H100 = {
    "together": 8, "memory_bytes": 80e9, "flops": 989e12, "utilisation": 0.4, "inside": 400e9,
    "between": 50e9, "hourly": 2.5,
}  # fmt: skip
RUNS = [
    ("1 B", 8, 20e9, 2**19, 8, False, False),
    ("1 B", 8, 20e9, 2**19, 8, True, True),
    ("7 B", 64, 2e12, 2**22, 8, True, True),
    ("7 B", 512, 2e12, 2**22, 2, True, True),
]


def decoder(name):
    sizes = SIZES[name]
    model = qwen3(sizes).outline()
    hidden = sum(w.numel() for n, w in model.named_parameters() if is_hidden_matrix(n, w))
    whole = sum(weight.numel() for weight in model.parameters())
    return DecoderShape(whole, hidden, sizes.width, sizes.depth, sizes.context)


def row(name, count, tokens, step_tokens, rows, sharded, recompute):
    found = needs(
        decoder(name), Cluster(count, **H100), tokens, step_tokens, rows,
        sharded=sharded, recompute=recompute,
    )  # fmt: skip
    how = ("shards" if sharded else "whole") + (", recomputed" if recompute else "")
    return (
        f"| {name}, {tokens / 1e9:,.0f} B | {count} | {how} | {found.held_bytes / 1e9:.1f} + "
        f"{found.layers_bytes / 1e9:.1f} | {found.step_s:.2f} | {found.sent_bytes / 1e9:.0f}, "
        f"{found.sending_s:.2f} | {found.days:.1f} | {found.price:,.0f} |"
    )


@pytest.mark.parametrize("name", SIZES)
def test_arithmetic_is_that_of_the_dial(name):
    config = qwen3(SIZES[name])
    assert decoder(name).flops_per_token() == pytest.approx(flops_per_token(config), rel=0.02)


@pytest.mark.parametrize("page", ["scale.md", "scale.zh.md"])
def test_the_tables_are_what_is_reckoned(page):
    text = (ROOT / "docs" / page).read_text("utf-8")
    words = {"whole": "整个", "shards": "分片", ", recomputed": "，重算"}
    for run in RUNS:
        expected = row(*run)
        if page.endswith(".zh.md"):
            for word, other in words.items():
                expected = expected.replace(word, other)
        assert expected in text, expected


if __name__ == "__main__":
    print("\n".join(row(*run) for run in RUNS))
