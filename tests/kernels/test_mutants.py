"""Mistakes in the kernels: each is seen by the check that a library passes before it is kept."""

import shutil

import pytest

from hornbook.kernels import builder, recipe

MUTATIONS = {
    "turned backwards": ("functions.h", "subtract(multiply(a, c)", "add(multiply(a, c)"),
    "the rest turned backwards": ("functions.h", "a * cos[i] - b", "a * cos[i] + b"),
    "another scale of scores": ("attention.h", "all(x.scale)", "all(0.5f)"),
    "no cap": ("attention.h", "x.cap > 0", "x.cap > 9"),
    "weights of another query": ("attention.h", "x.score(m + j, p)", "x.score(j / 2, p)"),
    "what one sees alone": ("attention.h", "std::max(to, x.first[m])", "x.stop[m]"),
    "keys of another place": ("attention.h", "position % kAbreast;", "position % 8;"),
    "keys of another head": ("decoder.h", "place.kv * pass.head", "0 * pass.head"),
    "the next token seen": ("decoder.h", "pass.position[row] + 1;", "pass.position[row] + 2;"),
    "no window": ("decoder.h", "layer.window > 0", "layer.window > 99"),
    "keys of another layer": ("decoder.h", "attend(x, pass.keys[number]", "attend(x, pass.keys[0]"),
    "other angles": ("decoder.h", "table * layer.angles", "table * 0"),
    "all are turned": ("decoder.h", "if (layer.angles >= 0)", "if (true)"),
    "no norm of queries": ("decoder.h", "if (norm && !layer.whole)", "if (false)"),
    "heads normed one by one": ("decoder.h", "if (layer.whole && layer.q", "if (false && layer.q"),
    "no bias": ("product.h", "if (bias_)", "if (false)"),
    "one stream": ("decoder.h", "multiply_all<true>", "multiply_all<false>"),
    "gates and values swapped": ("mlp.h", "load(gates + m", "load(ups + m"),
    "another activation": ("kernels.cpp", "layer.activation == kSilu", "true"),
    "no norm behind": ("decoder.h", "rms_norm(added, after", "if (false) rms_norm(added, after"),
    "another share of a layer": ("decoder.h", "all(residual), load", "all(1), load"),
    "another expert": ("mlp.h", "layer.expert[own]", "layer.expert[0]"),
    "the best expert alone": ("mlp.h", "weight[k] *= by", "weight[k] = k == 0"),
    "an expert twice": ("mlp.h", "share[chosen[k]] = -1", "share[chosen[k]] = 1"),
    "no norm behind experts": ("mlp.h", "if (layer.mlp_after) rms", "if (false) rms"),
    "no offsets": ("product.h", "found[m] = multiply_add(offset", "multiply_add(offset"),
    "one scale for two parts": ("product.h", "p, w.scale[p]", "p, w.scale[0]"),
    "a row twice": ("product.h", "facts[m * step]", "facts[m / 2 * step]"),
    "another table": ("forms.h", "{1,   24", "{2,   24"),
    "bits of others": ("forms.h", "kWidth * field - kAt", "kWidth * field"),
    "no multiples": ("forms.h", "multiply(scale, load_steps(step))", "scale"),
    "offsets in pairs": ("forms.h", "upper_steps(step)", "lower_steps(step)"),
    "no gates": ("decoder.h", "if (!d.gated) return;", "return;"),
    "gates of another head": ("decoder.h", "x.q[m] + d.gates()", "x.q[0] + d.gates()"),
    "keys of another head of values": ("delta.h", "? h % key_heads", "? h / 2"),
    "steps for rates": ("recall.h", "own.strengths + heads, recall", "own.strengths, recall"),
    "gates of a token before": ("recall.h", "own.projected + convolved", "own.projected"),
    "what others remember": ("delta.h", "rows.slot[piece]) * d.heads", "0) * d.heads"),
    "another token of a piece": ("delta.h", "token[first[piece] + t]", "token[first[piece]]"),
    "weights that come to another sum": ("mlp.h", "? of_chosen : all_of", "? all_of : of_chosen"),
    "form": ("product.h", "Codes<3, 16, 256>", "Codes<6, 16, 256>"),
    "another epsilon": ("functions.h", "size + epsilon", "size + 0"),
    "fields swapped": ("decoder.h", "int32_t rows, reach,", "int32_t reach, rows,"),
}
"""Where, what stands there, and what a mistake makes of it."""


@pytest.mark.slow
@pytest.mark.parametrize("name", [None, *MUTATIONS])
def test_kernels_that_compute_something_else_are_not_kept(name, tools, tmp_path, monkeypatch):
    folder = tmp_path / "source"
    shutil.copytree(recipe.SOURCE.parent, folder)
    if name:
        file, right, wrong = MUTATIONS[name]
        source = (folder / file).read_text()
        assert right in source
        (folder / file).write_text(source.replace(right, wrong, 1))
    monkeypatch.setattr(recipe, "SOURCE", folder / "kernels.cpp")
    monkeypatch.setattr(recipe, "OPTIONS", (*recipe.OPTIONS, "-O0"))
    monkeypatch.setenv("HORNBOOK_HOME", str(tmp_path))
    assert (builder.build(tools) is None) == bool(name)
    if name:
        reason = builder.failure(tools.place())
        assert (
            "other structures" if name in ("fields swapped", "form") else "something else"
        ) in reason
