// The gated delta rule (Yang et al. 2024) of rows of tokens, between the projections of its layer.
//
// Each row of a head's matrix of memory is a recurrence of its own: it stays where it was computed,
// and goes through all tokens of a call at once. A prompt, a chunk of it and a single token are the
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

// Of each row the first `count` tokens are real. mixed: (rows, time, convolved), queries, keys and
// values as they are projected; gate, y: (rows, time, heads * head); rate, step: (rows, time,
// heads). conv: (convolved, taps). past: (rows, taps - 1, convolved) and state: (rows, heads, head,
// key), read and overwritten. 16 divides head and key.
struct Delta {
  int32_t rows, time, heads, head, key_heads, key, taps;
  float epsilon;
  const int32_t* count;
  const float *mixed, *gate, *rate, *step;
  const float *conv, *step_bias, *decay_log, *norm;
  float *past, *state, *y;

  int keys() const { return key_heads * key; }
  int inner() const { return heads * head; }
  int convolved() const { return 2 * keys() + inner(); }
  int64_t token(int64_t row, int64_t t) const { return row * time + t; }
};

// Memory of a call. conv: (taps, convolved). mixed: convolved. kept, written: of each token's head,
// e^decay and the rate.
struct DeltaWork {
  float *conv, *mixed, *kept, *written;

  DeltaWork(Arena& arena, const Delta& d) {
    const size_t tokens = size_t(d.rows) * d.time;
    conv = arena.take<float>(size_t(d.rows) * d.taps * d.convolved());
    mixed = arena.take<float>(tokens * d.convolved());
    kept = arena.take<float>(tokens * d.heads);
    written = arena.take<float>(tokens * d.heads);
  }
};

// Channels [first, stop) of a row over time; `past` becomes what comes before the next call.
void convolve(const Delta& d, const DeltaWork& work, int64_t row, int first, int stop) {
  const int lags = d.taps - 1, size = d.convolved();
  float* past = d.past + row * lags * size;
  const float* x = d.mixed + d.token(row, 0) * size;
  const auto at = [&](int64_t t) { return t < 0 ? past + (lags + t) * size : x + t * size; };
  float* weight = work.conv + row * d.taps * size;
  for (int c = first; c < stop; c++)
    for (int k = 0; k < d.taps; k++) weight[k * size + c] = d.conv[c * d.taps + k];
  for (int t = 0; t < d.count[row]; t++) {
    float* to = work.mixed + d.token(row, t) * size;
    for (int c = first; c < stop; c += kLanes) {
      Floats found = zeros();
      for (int k = 0; k < d.taps; k++)
        found = multiply_add(load(weight + k * size + c), load(at(t - lags + k) + c), found);
      store(to + c, silu(found));
    }
  }
  for (int i = 0; i < lags; i++) {
    const float* from = at(d.count[row] - lags + i);
    if (d.count[row] > 0) std::copy(from + first, from + stop, past + i * size + first);
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
void prepare(const Delta& d, const DeltaWork& work, int64_t token) {
  float* x = work.mixed + token * d.convolved();
  for (int h = 0; h < d.key_heads; h++) {
    to_length(x + h * d.key, d.key, 1 / std::sqrt(float(d.key)));
    to_length(x + d.keys() + h * d.key, d.key, 1);
  }
  for (int h = 0; h < d.heads; h++) {
    const int64_t at = token * d.heads + h;
    const float step = d.step[at] + d.step_bias[h];
    const float size = step > 20 ? step : std::log1p(std::exp(step));
    work.kept[at] = std::exp(-std::exp(d.decay_log[h]) * size);
    work.written[at] = 1 / (1 + std::exp(-d.rate[at]));
  }
}

// kValues rows of the memory of a head, from `first` on, through all tokens of a row.
void remember(const Delta& d, const DeltaWork& work, int64_t row, int64_t h, int64_t first) {
  const int size = d.key;
  float* state = d.state + ((row * d.heads + h) * d.head + first) * size;
  for (int t = 0; t < d.count[row]; t++) {
    const int64_t token = d.token(row, t);
    const float* x = work.mixed + token * d.convolved();
    const float* query = x + h / (d.heads / d.key_heads) * size;
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
    store_sums(d.y + token * d.inner() + h * d.head + first, found, 1);
  }
}

// What a head found at a token is normed and gated; what is not real becomes 0.
void finish(const Delta& d, int64_t row, int64_t t, int64_t h) {
  const int64_t at = d.token(row, t) * d.inner() + h * d.head;
  float* y = d.y + at;
  if (t >= d.count[row]) {
    std::fill(y, y + d.head, 0.0f);
    return;
  }
  rms_norm(y, d.norm, d.head, d.epsilon, y);
  for (int i = 0; i < d.head; i += kLanes)
    store(y + i, multiply(load(y + i), silu(load(d.gate + at + i))));
}

void delta_rule(Member& team, const Delta& d, const DeltaWork& work) {
  const int64_t blocks = (d.convolved() + kChannels - 1) / kChannels;
  team.each(d.rows * blocks, [&](int64_t first, int64_t stop) {
    for (int64_t job = first; job < stop; job++) {
      const int from = int(job % blocks) * kChannels;
      convolve(d, work, job / blocks, from, std::min(from + kChannels, d.convolved()));
    }
  });
  team.each(int64_t(d.rows) * d.time, [&](int64_t first, int64_t stop) {
    for (int64_t token = first; token < stop; token++)
      if (token % d.time < d.count[token / d.time]) prepare(d, work, token);
  });
  const int64_t parts = d.head / kValues;
  team.each(d.rows * d.heads * parts, [&](int64_t first, int64_t stop) {
    for (int64_t job = first; job < stop; job++) {
      const int64_t head = job / parts;
      remember(d, work, head / d.heads, head % d.heads, job % parts * kValues);
    }
  });
  team.each(int64_t(d.rows) * d.time * d.heads, [&](int64_t first, int64_t stop) {
    for (int64_t job = first; job < stop; job++) {
      const int64_t token = job / d.heads;
      finish(d, token / d.time, token % d.time, job % d.heads);
    }
  });
}

}  // namespace
