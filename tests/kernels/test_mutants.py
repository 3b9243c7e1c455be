"""Mistakes in the kernels: each is seen by the check before a library is kept, or by a test."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from hornbook.core.machine import cpu_flags
from hornbook.kernels import builder, recipe

ROOT = Path(__file__).parents[2]

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
    "a row's last block left out": (
        "product.h",
        "each_group<F>(tile, lane, x.groups(), [",
        "each_group<F>(tile, lane, x.groups() - 1, [",
    ),
    "rows' last block left out": ("product.h", "g < x.groups(); g++", "g < x.groups() - 1; g++"),
    "scales and offsets swapped": (
        "forms.h",
        "own = scale, zero = offset;",
        "own = offset, zero = scale;",
    ),
    "multiples of offsets for those of scales": (
        "forms.h",
        "multiply(offset, load_steps(step + kTile * F::kSteps))",
        "multiply(offset, load_steps(step))",
    ),
    "the middle code added": ("forms.h", "all(-F::kZeroCode)", "all(F::kZeroCode)"),
    "offsets taken away": (
        "product.h",
        "multiply_add(offset, all(kParts",
        "multiply_add(subtract(zeros(), offset), all(kParts",
    ),
    "the lower halves of inputs left out": (
        "product.h",
        "add(times_power<7>(upper[m]), lower[m])",
        "times_power<7>(upper[m])",
    ),
    "sums of the other half": ("product.h", "own.sums[p]", "own.sums[1 - p]"),
    "sums of a half": ("inputs.h", "scale * float(sums[0] + sums[1])", "scale * float(sums[0])"),
    "a group's first inputs for its largest": (
        "inputs.h",
        "i < kGroup; i += kLanes) most_of",
        "i < kLanes; i += kLanes) most_of",
    ),
    "keys behind whole blocks left out": (
        "attention.h",
        "for (; p < to; p += kAbreast) score<1>",
        "for (; p < to - kAbreast; p += kAbreast) score<1>",
    ),
    "channels behind whole registers left out": (
        "attention.h",
        "for (; i < x.size; i += kLanes) add_channels<1>",
        "for (; i < 0; i += kLanes) add_channels<1>",
    ),
    "turned by the next position": (
        "decoder.h",
        "+ position * d.pairs",
        "+ (position + (h < d.heads ? 1 : 0)) * d.pairs",
    ),
    "the rest of the pairs not turned": (
        "functions.h",
        "for (; i < pairs; i++)",
        "for (; i < 0; i++)",
    ),
    "heads of another group": ("decoder.h", "first = kv * share", "first = kv"),
    "a head's own token not seen": (
        "decoder.h",
        "pass.position[row] + 1;",
        "std::max(1, pass.position[row]);",
    ),
    "keys kept once": (
        "decoder.h",
        "keep_key(x, position, size, pass.keys[number] + at);",
        "if (position < 2) keep_key(x, position, size, pass.keys[number] + at);",
    ),
    "values of the place before": (
        "decoder.h",
        "pass.values[number] + at + position * size",
        "pass.values[number] + at + (position ? position - 1 : 0) * size",
    ),
    "memory not written": ("delta.h", "store(at, now);", ""),
    "nothing before the next call": ("delta.h", "if (count > 0) std::copy", "if (false) std::copy"),
    "a tap too late": ("delta.h", "at(t - lags + k)", "at(t - lags + k - (k > 0))"),
    "nothing forgotten": ("delta.h", "multiply(load(at), lasting)", "load(at)"),
    "no gate behind the rule": (
        "delta.h",
        "multiply(load(y + i), silu(load(gate + i)))",
        "load(y + i)",
    ),
    "the next key seen": (
        "attend.h",
        "std::min<int64_t>(q + 1, a.keys)",
        "std::min<int64_t>(q + 2, a.keys)",
    ),
    "hidden keys seen": ("attend.h", "seen[k] ? scores[k] : kNever", "scores[k]"),
    "the mean slope left": ("attend.h", "subtract(load(slopes + k), mean)", "load(slopes + k)"),
    "slopes without the scale": (
        "attend.h",
        "multiply(load(scores + k), all(a.scale))",
        "load(scores + k)",
    ),
    "gradients of keys and values swapped": (
        "attend.h",
        "put_sums(a, w.key_sums, a.dk, shared);\n  put_sums(a, w.value_sums, a.dv, shared);",
        "put_sums(a, w.key_sums, a.dv, shared);\n  put_sums(a, w.value_sums, a.dk, shared);",
    ),
    "a panel's first block alone": ("attend.h", "depth = (stop - from) * kBlock", "depth = kBlock"),
    "a loss without its bias": ("loss.h", "if (e.bias)", "if (false)"),
    "the last logits left out": ("loss.h", "z[i] = of_bfloat(from[i])", "z[i] = 0"),
    "a target that is not taken away": ("loss.h", "z[target] -= (1 - e.smoothing) * normal;", ""),
    "a cap without its slope": (
        "loss.h",
        "if (e.cap != 0) found = multiply(found, load(steep + i));",
        "",
    ),
    "a norm that does not feel its input": (
        "norms.h",
        "all(by * by * sum(along) / n.head)",
        "all(0)",
    ),
    "gradients turned on": (
        "norms.h",
        "back ? subtract(zeros(), load(sin + i)) : load(sin + i)",
        "load(sin + i)",
    ),
    "a gate's slope without its own": (
        "norms.h",
        "multiply_add(y, subtract(all(1), sigmoid), sigmoid)",
        "sigmoid",
    ),
    "no look ahead": (
        "muon.h",
        "return gradient + m.momentum * (buffer - gradient);",
        "return buffer;",
    ),
    "momentum by its rest": (
        "muon.h",
        "multiply_add(all(1 - m.momentum), subtract(g, old), old)",
        "multiply_add(all(m.momentum), subtract(g, old), old)",
    ),
    "tall matrices as wide ones": (
        "muon.h",
        "std::max(1.0f, float(at.rows) / float(at.columns))",
        "1.0f",
    ),
    "no cube": ("muon.h", "w.even, low, low, low, c[1], c[2]}", "w.even, low, low, low, c[1], 0}"),
    "pairs the other way": (
        "bfloats.h",
        "even[j] | uint32_t(odd[j]) << 16",
        "odd[j] | uint32_t(even[j]) << 16",
    ),
}
"""Where, what stands there, and what a mistake makes of it."""

BY_TESTS = {
    "a grid's last block left out": (
        "product.h",
        "const int groups = x.groups();",
        "const int groups = x.groups() - 1;",
        "kernels/test_products.py",
    ),
    "floats on the grid in another order": (
        "split.h",
        "found[i] = add(found[i], add(even[i], odd[i]))",
        "found[i] = add(add(found[i], even[i]), odd[i])",
        "kernels/test_products.py",
    ),
    "rows together whatever their sequence": (
        "decoder.h",
        "pass.slot[row] == pass.slot[row - 1] &&",
        "true &&",
        "generate/test_native_decoder.py",
    ),
    "keys of interleaved heads": (
        "attend.h",
        "shared.head * group + i}",
        "i * a.kv_heads + shared.head}",
        "kernels/test_attend_kernel.py",
    ),
    "nothing spread": (
        "loss.h",
        "found = subtract(multiply(load(z + i), all(over)), spread)",
        "found = multiply(load(z + i), all(over))",
        "kernels/test_loss_kernel.py",
    ),
    "a part of the tokens": (
        "norms.h",
        "part < n.parts(); part++)\n      for (int64_t i = first",
        "part < 1; part++)\n      for (int64_t i = first",
        "kernels/test_norm_kernel.py",
    ),
    "rounded down": (
        "bfloats.h",
        "bits + 0x7fff + (bits >> 16 & 1)",
        "bits",
        "kernels/test_norm_kernel.py",
    ),
    "lower inputs left out": (
        "split.h",
        "grid_add_floats<1, kGridFloats, kGridUpper>();",
        "",
        "kernels/test_products.py",
    ),
    "lower weights left out": (
        "split.h",
        "grid_add_floats<2, kGridFloats, kGridLower>();",
        "",
        "kernels/test_products.py",
    ),
    "a row's lower inputs left out": (
        "split.h",
        "sums[1] = multiply_add(own.upper, all(lower[k]), sums[1]);",
        "",
        "kernels/test_products.py",
    ),
}
"""Small or rare mistakes, which the check at a load is too short for: the tests that see them."""

ON_GRID = ("split.h", "product.h const int groups")
"""What a processor without a grid leaves out."""


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


@pytest.mark.slow
@pytest.mark.parametrize("name", BY_TESTS)
def test_what_the_check_does_not_see_a_test_does(name, tmp_path):
    file, right, wrong, tests = BY_TESTS[name]
    if f"{file} {right}".startswith(ON_GRID) and "amx_tile" not in cpu_flags():
        pytest.skip("this processor has no grid")
    for part in ("hornbook", "tests"):
        aside = shutil.ignore_patterns("__pycache__", "prebuilt")
        shutil.copytree(ROOT / part, tmp_path / part, ignore=aside)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    source = tmp_path / "hornbook/kernels" / file
    assert right in source.read_text()
    source.write_text(source.read_text().replace(right, wrong, 1))
    command = [sys.executable, "-m", "pytest", "-rs", "-p", "no:cacheprovider", f"tests/{tests}"]
    more = {"PYTHONPATH": str(tmp_path), "HORNBOOK_HOME": str(tmp_path / "home")}
    done = subprocess.run(
        command, cwd=tmp_path, env={**os.environ, **more}, capture_output=True, text=True
    )
    # Where a mistake is not so small here, the check sees it, and the tests find no kernels.
    assert re.search(r"\b\d+ failed|something else than", done.stdout), done.stdout[-2000:]
