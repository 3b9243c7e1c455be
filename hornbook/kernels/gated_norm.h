// Norms by the root mean square with a gate before or behind them, as training needs them: of bfloats,
// and back. Sums over tokens are made in parts of one size, as in `norms.h`.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "norms.h"

namespace {

// norm(x silu(gate)) if `before`, else norm(x) silu(gate), of each group by itself, the norm times
// weight: (groups, size) if `before`, else (size,) for all. x, gate, y and their gradients: (rows,
// groups, tokens, size), bfloats. dweight: as weight. 16 divides size.
struct GatedNorm {
  int32_t rows, groups, tokens, size, before;
  float epsilon;
  Slab x, gate, y, dy, dx, dgate;
  const float* weight;
  float* dweight;

  int64_t all() const { return int64_t(rows) * tokens; }
  int64_t parts() const { return (all() + kTokens - 1) / kTokens; }
  int64_t weights() const { return before ? int64_t(groups) * size : size; }
  int64_t weight_at(int64_t group) const { return before ? group * size : 0; }
};

// A group of a token: what is normed, 1 over its root mean square, and the sigmoids of the gates.
struct GatedHead {
  float normed[kWidest], sigmoid[kWidest];
  float root;

  GatedHead(const GatedNorm& n, const uint16_t* x, const uint16_t* gate) {
    Floats squares = zeros();
    for (int i = 0; i < n.size; i += kLanes) {
      const Floats g = load_bfloats(gate + i), s = divide(all(1), one_and_power(g));
      const Floats v = n.before ? multiply(load_bfloats(x + i), multiply(g, s)) : load_bfloats(x + i);
      squares = multiply_add(v, v, squares);
      store(normed + i, v);
      store(sigmoid + i, s);
    }
    root = 1 / std::sqrt(sum(squares) / n.size + n.epsilon);
  }
};

void norm_gated(const GatedNorm& n, int64_t row, int64_t group, int64_t token) {
  const uint16_t* gate = n.gate.of<const uint16_t>(row, group, token);
  const GatedHead h(n, n.x.of<const uint16_t>(row, group, token), gate);
  const float* weight = n.weight + n.weight_at(group);
  uint16_t* y = n.y.of<uint16_t>(row, group, token);
  for (int i = 0; i < n.size; i += kLanes) {
    const Floats v = multiply(multiply(load(h.normed + i), all(h.root)), load(weight + i));
    const Floats by = multiply(load_bfloats(gate + i), load(h.sigmoid + i));
    store_bfloats(y + i, n.before ? v : multiply(v, by));
  }
}

// dweight: of a part of the tokens, what is added to it.
void norm_gated_back(const GatedNorm& n, int64_t row, int64_t group, int64_t token, float* dweight) {
  const auto *x = n.x.of<const uint16_t>(row, group, token);
  const auto *gate = n.gate.of<const uint16_t>(row, group, token);
  const auto *dy = n.dy.of<const uint16_t>(row, group, token);
  auto *dx = n.dx.of<uint16_t>(row, group, token);
  auto *dgate = n.dgate.of<uint16_t>(row, group, token);
  const GatedHead h(n, x, gate);
  const float* weight = n.weight + n.weight_at(group);
  float* own = dweight + n.weight_at(group);
  const Floats by = all(h.root);
  // What the norm, times its weight, should change by.
  const auto slope = [&](int i) {
    const Floats s = load_bfloats(dy + i);
    return n.before ? s : multiply(s, multiply(load_bfloats(gate + i), load(h.sigmoid + i)));
  };
  Floats along = zeros();
  for (int i = 0; i < n.size; i += kLanes) {
    const Floats s = slope(i), v = load(h.normed + i);
    store(own + i, multiply_add(multiply(s, v), by, load(own + i)));
    along = multiply_add(multiply(s, load(weight + i)), v, along);
  }
  const Floats back = all(h.root * h.root * sum(along) / n.size);
  for (int i = 0; i < n.size; i += kLanes) {
    const Floats v = load(h.normed + i), w = load(weight + i), g = load_bfloats(gate + i);
    const Floats sigmoid = load(h.sigmoid + i), silu = multiply(g, sigmoid);
    const Floats steep = multiply_add(silu, subtract(all(1), sigmoid), sigmoid);
    const Floats left = multiply(subtract(multiply(slope(i), w), multiply(v, back)), by);
    const Floats behind = multiply(multiply(load_bfloats(dy + i), w), multiply(v, by));
    store_bfloats(dx + i, n.before ? multiply(left, silu) : left);
    store_bfloats(dgate + i, multiply(n.before ? multiply(left, load_bfloats(x + i)) : behind, steep));
  }
}

// Groups of the tokens of a part.
template <typename Job>
void each_group(const GatedNorm& n, int64_t part, Job job) {
  for (int64_t t = part * kTokens; t < std::min(n.all(), (part + 1) * kTokens); t++)
    for (int64_t g = 0; g < n.groups; g++) job(t / n.tokens, g, t % n.tokens);
}

void norm_gated(Member& team, const GatedNorm& n) {
  team.each(n.parts(), [&](int64_t first, int64_t stop) {
    for (int64_t part = first; part < stop; part++)
      each_group(n, part, [&](int64_t row, int64_t group, int64_t token) {
        norm_gated(n, row, group, token);
      });
  });
}

// sums: (parts, weights).
void norm_gated_back(Member& team, const GatedNorm& n, float* sums) {
  const int64_t weights = n.weights();
  team.each(n.parts(), [&](int64_t first, int64_t stop) {
    for (int64_t part = first; part < stop; part++) {
      float* own = sums + part * weights;
      std::fill(own, own + weights, 0.0f);
      each_group(n, part, [&](int64_t row, int64_t group, int64_t token) {
        norm_gated_back(n, row, group, token, own);
      });
    }
  });
  add_parts(team, sums, n.parts(), weights, n.dweight);
}

}  // namespace
