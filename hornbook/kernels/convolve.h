// Causal convolutions of single channels (LeCun et al. 1989), with SiLU behind them or without, as
// training needs them: of bfloats, and back. A job is some channels of a row, which go through its
// tokens side by side: what was last seen, and what is not yet whole, stays in registers.
#pragma once

#include <algorithm>
#include <cstdint>

#include "attend.h"
#include "bfloats.h"
#include "functions.h"

namespace {

constexpr int kAbreastChannels = 64;  // of a job
constexpr int kMostTaps = 4;

// y_t = bias + sum_k weight_k x_(t-taps+1+k), or SiLU of it if `active`; values before a token's segment
// are 0. x, y and their gradients: (rows, 1, tokens, channels), bfloats. weight: (taps, channels); bias:
// (channels,) or null. begin: as `Fades` has it. dweight: (rows, taps + 1, channels), that of the bias
// last. 16 divides channels; at most kMostTaps.
struct Convolution {
  int32_t rows, tokens, channels, taps, active;
  Slab x, y, dy, dx;
  const float *weight, *bias;
  const int32_t* begin;
  float* dweight;

  int64_t blocks() const { return (channels + kAbreastChannels - 1) / kAbreastChannels; }
  bool begins(int64_t row, int64_t t) const {
    return t == 0 || (begin && begin[row * tokens + t] == t);
  }
};

// A register of channels of a row, from `at` on. Of taps the newest comes first.
template <int kTaps>
struct Strand {
  const Convolution& v;
  const int64_t row, at;
  Floats weight[kTaps], seen[kTaps], bias;

  Strand(const Convolution& v, int64_t row, int64_t at)
      : v(v), row(row), at(at), bias(v.bias ? load(v.bias + at) : zeros()) {
    for (int k = 0; k < kTaps; k++) weight[k] = load(v.weight + (kTaps - 1 - k) * v.channels + at);
  }

  template <typename T>
  T* of(const Slab& x, int64_t t) const {
    return x.of<T>(row, 0, t) + at;
  }

  // What is summed up at a token.
  Floats next(int64_t t) {
    for (int k = kTaps - 1; k > 0; k--) seen[k] = v.begins(row, t) ? zeros() : seen[k - 1];
    seen[0] = load_bfloats(of<const uint16_t>(v.x, t));
    Floats found = bias;
    for (int k = 0; k < kTaps; k++) found = multiply_add(weight[k], seen[k], found);
    return found;
  }

  void forward() {
    for (int64_t t = 0; t < v.tokens; t++) {
      const Floats found = next(t);
      store_bfloats(of<uint16_t>(v.y, t), v.active ? silu(found) : found);
    }
  }

  void back() {
    Floats waiting[kTaps], sums[kTaps + 1];  // of the last tokens, and of the taps and the bias
    for (Floats& each : sums) each = zeros();
    int64_t first = 0;  // token of the segment
    // Tokens before t that wait for no other of their segment.
    const auto end = [&](int64_t t) {
      for (int k = 0; k + 1 < kTaps && t - 1 - k >= first; k++)
        store_bfloats(of<uint16_t>(v.dx, t - 1 - k), waiting[k]);
    };
    for (int64_t t = 0; t < v.tokens; t++) {
      const Floats found = next(t), dy = load_bfloats(of<const uint16_t>(v.dy, t));
      const Floats slope = v.active ? multiply(dy, silu_slope(found)) : dy;
      if (v.begins(row, t)) {
        end(t);
        first = t;
        for (Floats& each : waiting) each = zeros();
      }
      for (int k = kTaps - 1; k > 0; k--) waiting[k] = multiply_add(weight[k], slope, waiting[k - 1]);
      waiting[0] = multiply(weight[0], slope);
      if (t + 1 - kTaps >= first) store_bfloats(of<uint16_t>(v.dx, t + 1 - kTaps), waiting[kTaps - 1]);
      for (int k = 0; k < kTaps; k++) sums[k] = multiply_add(slope, seen[k], sums[k]);
      sums[kTaps] = add(sums[kTaps], slope);
    }
    end(v.tokens);
    float* to = v.dweight + row * (kTaps + 1) * v.channels + at;
    for (int k = 0; k < kTaps; k++) store(to + (kTaps - 1 - k) * v.channels, sums[k]);
    store(to + kTaps * v.channels, sums[kTaps]);
  }
};

template <int kTaps>
void convolve(const Convolution& v, int64_t job, bool back) {
  const int64_t first = job % v.blocks() * kAbreastChannels;
  for (int64_t c = first; c < std::min<int64_t>(first + kAbreastChannels, v.channels); c += kLanes) {
    Strand<kTaps> strand(v, job / v.blocks(), c);
    if (back) strand.back();
    else strand.forward();
  }
}

}  // namespace
