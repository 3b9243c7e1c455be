// Norms by the root mean square, with rotary positions behind them, as training needs them: of bfloats
// or floats to bfloats, and back. Sums over tokens are made in parts of one size, so that no number of
// threads changes a bit.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "attend.h"
#include "bfloats.h"
#include "functions.h"
#include "team.h"

namespace {

constexpr int kTokens = 64;  // that are summed together
constexpr int kWidest = 8192;

// x: (rows, heads, tokens, head), floats if `wide`, else bfloats, over its root mean square times
// weight (head,), if there is one; then channel i turns with channel i + pairs by the angles of
// cos and sin, (rows or 1, tokens, pairs), `angles` apart from row to row. y, dy: bfloats; dx: as x.
// dweight: (head,). 16 divides head and pairs.
struct Norm {
  int32_t rows, heads, tokens, head, pairs, wide;
  float epsilon;
  Slab x, y, dy, dx;
  const float *weight, *cos, *sin;
  int64_t angles;
  float* dweight;

  int64_t all() const { return int64_t(rows) * tokens; }
  int64_t parts() const { return (all() + kTokens - 1) / kTokens; }
  int64_t turn(int64_t row, int64_t token) const { return row * angles + token * pairs; }
};

Floats load_any(const float* x) { return load(x); }
Floats load_any(const uint16_t* x) { return load_bfloats(x); }
void store_any(float* to, Floats x) { store(to, x); }
void store_any(uint16_t* to, Floats x) { store_bfloats(to, x); }

// 1 over the root mean square of a head, or 1 where nothing is normed.
template <typename T>
float inverse_root(const Norm& n, const T* x) {
  if (!n.weight) return 1;
  Floats squares = zeros();
  for (int i = 0; i < n.head; i += kLanes) {
    const Floats v = load_any(x + i);
    squares = multiply_add(v, v, squares);
  }
  return 1 / std::sqrt(sum(squares) / n.head + n.epsilon);
}

// Pairs of x turn by their angles, or with `back` the other way.
void turn_pairs(float* x, const float* cos, const float* sin, int pairs, bool back) {
  for (int i = 0; i < pairs; i += kLanes) {
    const Floats a = load(x + i), b = load(x + i + pairs), c = load(cos + i);
    const Floats s = back ? subtract(zeros(), load(sin + i)) : load(sin + i);
    store(x + i, subtract(multiply(a, c), multiply(b, s)));
    store(x + i + pairs, add(multiply(b, c), multiply(a, s)));
  }
}

template <typename T>
void norm_head(const Norm& n, int64_t row, int64_t head, int64_t token) {
  const T* x = n.x.of<const T>(row, head, token);
  uint16_t* y = n.y.of<uint16_t>(row, head, token);
  float made[kWidest];
  const Floats by = all(inverse_root(n, x));
  for (int i = 0; i < n.head; i += kLanes) {
    const Floats v = multiply(load_any(x + i), by);
    store(made + i, n.weight ? multiply(v, load(n.weight + i)) : v);
  }
  const int64_t at = n.turn(row, token);
  turn_pairs(made, n.cos + at, n.sin + at, n.pairs, false);
  for (int i = 0; i < n.head; i += kLanes) store_bfloats(y + i, load(made + i));
}

// dweight: of a part of the tokens, what is added to it.
template <typename T>
void norm_head_back(const Norm& n, int64_t row, int64_t head, int64_t token, float* dweight) {
  const T* x = n.x.of<const T>(row, head, token);
  const uint16_t* dy = n.dy.of<const uint16_t>(row, head, token);
  T* dx = n.dx.of<T>(row, head, token);
  float slope[kWidest];
  for (int i = 0; i < n.head; i += kLanes) store(slope + i, load_bfloats(dy + i));
  const int64_t at = n.turn(row, token);
  turn_pairs(slope, n.cos + at, n.sin + at, n.pairs, true);
  if (!n.weight) {
    for (int i = 0; i < n.head; i += kLanes) store_any(dx + i, load(slope + i));
    return;
  }
  const float by = inverse_root(n, x);
  Floats along = zeros();
  for (int i = 0; i < n.head; i += kLanes) {
    const Floats v = load_any(x + i), s = load(slope + i);
    const Floats g = multiply(s, load(n.weight + i));
    store(dweight + i, multiply_add(multiply(s, v), all(by), load(dweight + i)));
    along = multiply_add(g, v, along);
    store(slope + i, g);
  }
  const Floats back = all(by * by * sum(along) / n.head);
  for (int i = 0; i < n.head; i += kLanes) {
    const Floats left = subtract(load(slope + i), multiply(load_any(x + i), back));
    store_any(dx + i, multiply(left, all(by)));
  }
}

// Heads of the tokens of a part.
template <typename Job>
void each_head(const Norm& n, int64_t part, Job job) {
  for (int64_t t = part * kTokens; t < std::min(n.all(), (part + 1) * kTokens); t++)
    for (int64_t h = 0; h < n.heads; h++) job(t / n.tokens, h, t % n.tokens);
}

void norm(Member& team, const Norm& n) {
  team.each(n.parts(), [&](int64_t first, int64_t stop) {
    for (int64_t part = first; part < stop; part++)
      each_head(n, part, [&](int64_t row, int64_t head, int64_t token) {
        (n.wide ? norm_head<float> : norm_head<uint16_t>)(n, row, head, token);
      });
  });
}

// to (size,) = the sums of parts, (parts, size), in their order; 16 divides size.
void add_parts(Member& team, const float* sums, int64_t parts, int64_t size, float* to) {
  team.each(size / kStrip, [&](int64_t first, int64_t stop) {
    std::fill(to + first * kStrip, to + stop * kStrip, 0.0f);
    for (int64_t part = 0; part < parts; part++)
      for (int64_t i = first * kStrip; i < stop * kStrip; i++) to[i] += sums[part * size + i];
  });
}

// sums: (parts, head).
void norm_back(Member& team, const Norm& n, float* sums) {
  team.each(n.parts(), [&](int64_t first, int64_t stop) {
    for (int64_t part = first; part < stop; part++) {
      float* own = sums + part * n.head;
      std::fill(own, own + n.head, 0.0f);
      each_head(n, part, [&](int64_t row, int64_t head, int64_t token) {
        (n.wide ? norm_head_back<float> : norm_head_back<uint16_t>)(n, row, head, token, own);
      });
    }
  });
  if (n.weight) add_parts(team, sums, n.parts(), n.head, n.dweight);
}

// silu(gate) up, (rows, width) bfloats, and the gradients of gate and up. All in one piece.
struct Gated {
  int64_t size;
  const uint16_t *gate, *up;
  uint16_t* y;
  const uint16_t* dy;
  uint16_t *dgate, *dup;
};

void gate(const Gated& g, int64_t at) {
  store_bfloats(g.y + at, multiply(silu(load_bfloats(g.gate + at)), load_bfloats(g.up + at)));
}

void gate_back(const Gated& g, int64_t at) {
  const Floats x = load_bfloats(g.gate + at), dy = load_bfloats(g.dy + at);
  const Floats sigmoid = divide(all(1), one_and_power(x)), y = multiply(x, sigmoid);
  const Floats slope = multiply_add(y, subtract(all(1), sigmoid), sigmoid);
  store_bfloats(g.dup + at, multiply(dy, y));
  store_bfloats(g.dgate + at, multiply(multiply(dy, load_bfloats(g.up + at)), slope));
}

}  // namespace
