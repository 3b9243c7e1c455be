// The gated delta rule (Yang et al. 2024) of rows of tokens, between the projections of its layer.
//
// Each row of a head's matrix of memory is a recurrence of its own: it stays where it was computed,
// and goes through all tokens of a piece at once. A prompt, a chunk of it and a single token are the
// same sums in the same order.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "functions.h"
#include "product.h"
#include "team.h"

namespace {

constexpr int kValues = 4;     // rows of a memory that are computed together, as sums are stored
constexpr int kChannels = 64;  // that are convolved together

// Sizes and numbers of a layer. conv: (taps, convolved). spread: heads of values that share a key do
// not lie together: the first of each key stands first, then the second of each. 16 divides head and
// key.
struct Delta {
  int32_t heads, head, key_heads, key, taps, spread;
  float epsilon;
  const float *conv, *step_bias, *decay_log, *norm;

  int keys() const { return key_heads * key; }
  int inner() const { return heads * head; }
  int convolved() const { return 2 * keys() + inner(); }
  int key_of(int64_t h) const { return int(spread ? h % key_heads : h / (heads / key_heads)); }
};

// Pieces of sequences in rows of tokens: `count` of them, at the most `longest`, whose places are those
// of `token` from `first` on, with what is remembered at `slot`. mixed: (tokens, convolved), queries, keys and values
// as they are projected; gate: (tokens, inner); rate, step: (tokens, heads); all in rows so far apart.
// past: (slots, taps - 1, convolved) and state: (slots, heads, head, key), read and overwritten. y:
// (tokens, inner).
struct DeltaPieces {
  int32_t tokens, pieces, longest;
  const int32_t *first, *count, *slot, *token;
  const float *mixed, *gate, *rate, *step;
  int64_t mixed_step, gate_step, strength_step;
  float *past, *state, *y;

  int64_t place(int64_t piece, int64_t t) const { return token[first[piece] + t]; }
};

// Memory of a call. mixed: convolved. kept, written: of each token's head, e^decay and the rate.
struct DeltaWork {
  float *mixed = nullptr, *kept = nullptr, *written = nullptr;

  DeltaWork() = default;
  DeltaWork(Arena& arena, const Delta& d, int64_t tokens) {
    mixed = arena.take<float>(size_t(tokens) * d.convolved());
    kept = arena.take<float>(size_t(tokens) * d.heads);
    written = arena.take<float>(size_t(tokens) * d.heads);
  }
};

// Channels [first, stop) of a piece over time; `past` becomes what comes before the next call.
void convolve(const Delta& d, const DeltaPieces& rows, const DeltaWork& work, int64_t piece, int first,
              int stop) {
  const int lags = d.taps - 1, size = d.convolved(), count = rows.count[piece];
  float* past = rows.past + int64_t(rows.slot[piece]) * lags * size;
  const auto at = [&](int64_t t) {
    return t < 0 ? past + (lags + t) * size : rows.mixed + rows.place(piece, t) * rows.mixed_step;
  };
  for (int t = 0; t < count; t++) {
    float* to = work.mixed + rows.place(piece, t) * size;
    for (int c = first; c < stop; c += kLanes) {
      Floats found = zeros();
      for (int k = 0; k < d.taps; k++)
        found = multiply_add(load(d.conv + k * size + c), load(at(t - lags + k) + c), found);
      store(to + c, silu(found));
    }
  }
  for (int i = 0; i < lags; i++) {
    const float* from = at(count - lags + i);
    if (count > 0) std::copy(from + first, from + stop, past + i * size + first);
  }
}

// x (size,) over its length, times `by`.
void to_length(float* x, int size, float by) {
  Floats squares = zeros();
  for (int i = 0; i < size; i += kLanes) {
    const Floats v = load(x + i);
    squares = multiply_add(v, v, squares);
  }
  const Floats over = all(by / std::sqrt(sum(squares) + 1e-6f));
  for (int i = 0; i < size; i += kLanes) store(x + i, multiply(load(x + i), over));
}

// Queries and keys of a token get their lengths, and its strengths are made of what was projected.
void prepare(const Delta& d, const DeltaPieces& rows, const DeltaWork& work, int64_t token) {
  float* x = work.mixed + token * d.convolved();
  for (int h = 0; h < d.key_heads; h++) {
    to_length(x + h * d.key, d.key, 1 / std::sqrt(float(d.key)));
    to_length(x + d.keys() + h * d.key, d.key, 1);
  }
  for (int h = 0; h < d.heads; h++) {
    const int64_t at = token * d.heads + h, from = token * rows.strength_step + h;
    const float step = rows.step[from] + d.step_bias[h];
    const float size = step > 20 ? step : std::log1p(std::exp(step));
    work.kept[at] = std::exp(-std::exp(d.decay_log[h]) * size);
    work.written[at] = 1 / (1 + std::exp(-rows.rate[from]));
  }
}

// kValues rows of the memory of a head, from `first` on, through all tokens of a piece.
void remember(const Delta& d, const DeltaPieces& rows, const DeltaWork& work, int64_t piece, int64_t h,
              int64_t first) {
  const int size = d.key;
  float* state = rows.state + ((int64_t(rows.slot[piece]) * d.heads + h) * d.head + first) * size;
  for (int t = 0; t < rows.count[piece]; t++) {
    const int64_t token = rows.place(piece, t);
    const float* x = work.mixed + token * d.convolved();
    const float* query = x + d.key_of(h) * size;
    const float* key = query + d.keys();
    const float* value = x + 2 * d.keys() + h * d.head + first;
    const float kept = work.kept[token * d.heads + h];
    const float rate = work.written[token * d.heads + h];
    Floats known[kValues], found[kValues], written[kValues];
    for (int v = 0; v < kValues; v++) known[v] = found[v] = zeros();
    for (int i = 0; i < size; i += kLanes) {
      const Floats k = load(key + i);
      for (int v = 0; v < kValues; v++)
        known[v] = multiply_add(load(state + v * size + i), k, known[v]);
    }
    float had[kValues];
    store_sums(had, known, kept);
    for (int v = 0; v < kValues; v++) written[v] = all(rate * (value[v] - had[v]));
    const Floats lasting = all(kept);
    for (int i = 0; i < size; i += kLanes) {
      const Floats k = load(key + i), q = load(query + i);
      for (int v = 0; v < kValues; v++) {
        float* at = state + v * size + i;
        const Floats now = multiply_add(written[v], k, multiply(load(at), lasting));
        store(at, now);
        found[v] = multiply_add(now, q, found[v]);
      }
    }
    store_sums(rows.y + token * d.inner() + h * d.head + first, found, 1);
  }
}

// What a head found at a token is normed and gated.
void finish(const Delta& d, const DeltaPieces& rows, int64_t token, int64_t h) {
  float* y = rows.y + token * d.inner() + h * d.head;
  const float* gate = rows.gate + token * rows.gate_step + h * d.head;
  rms_norm(y, d.norm, d.head, d.epsilon, y);
  for (int i = 0; i < d.head; i += kLanes)
    store(y + i, multiply(load(y + i), silu(load(gate + i))));
}

void delta_rule(Member& team, const Delta& d, const DeltaPieces& rows, const DeltaWork& work) {
  // one(job) of each of `count` jobs, those of tokens that are there.
  const auto each = [&](int64_t count, auto one) {
    team.each(count, [&](int64_t first, int64_t stop) {
      for (int64_t job = first; job < stop; job++) one(job);
    });
  };
  const auto each_token = [&](int64_t parts, auto one) {
    each(int64_t(rows.pieces) * rows.longest * parts, [&](int64_t job) {
      const int64_t place = job / parts, piece = place / rows.longest, t = place % rows.longest;
      if (t < rows.count[piece]) one(rows.place(piece, t), job % parts);
    });
  };
  const int64_t blocks = (d.convolved() + kChannels - 1) / kChannels, parts = d.head / kValues;
  each(rows.pieces * blocks, [&](int64_t job) {
    const int from = int(job % blocks) * kChannels;
    convolve(d, rows, work, job / blocks, from, std::min(from + kChannels, d.convolved()));
  });
  each_token(1, [&](int64_t token, int64_t) { prepare(d, rows, work, token); });
  each(rows.pieces * d.heads * parts, [&](int64_t job) {
    const int64_t head = job / parts;
    remember(d, rows, work, head / d.heads, head % d.heads, job % parts * kValues);
  });
  each_token(d.heads, [&](int64_t token, int64_t h) { finish(d, rows, token, h); });
}

}  // namespace
