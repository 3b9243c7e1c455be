// Causal convolutions of single channels (LeCun et al. 1989), with SiLU behind them or without, as
// training needs them: of bfloats, and back. A job is some channels of a row.
#pragma once

#include <algorithm>
#include <cstdint>

#include "attend.h"
#include "bfloats.h"
#include "functions.h"

namespace {

constexpr int kAbreastChannels = 64;  // of a job

// y_t = bias + sum_k weight_k x_(t-taps+1+k), or SiLU of it if `active`; values before a token's segment
// are 0. x, y and their gradients: (rows, 1, tokens, channels), bfloats. weight: (taps, channels); bias:
// (channels,) or null. begin: as `Fades` has it. dweight: (rows, taps + 1, channels), that of the bias
// last. 16 divides channels.
struct Convolution {
  int32_t rows, tokens, channels, taps, active;
  Slab x, y, dy, dx;
  const float *weight, *bias;
  const int32_t* begin;
  float* dweight;

  int64_t blocks() const { return (channels + kAbreastChannels - 1) / kAbreastChannels; }
  int64_t begins(int64_t row, int64_t t) const { return begin ? begin[row * tokens + t] : 0; }
  // How far a token looks back.
  int64_t lags(int64_t row, int64_t t) const {
    return std::min<int64_t>(taps - 1, t - begins(row, t));
  }
  const float* tap(int64_t lag) const { return weight + (taps - 1 - lag) * channels; }
};

// Channels [first, stop) of a row.
struct Strand {
  int64_t row, first, stop;

  Strand(const Convolution& v, int64_t job)
      : row(job / v.blocks()), first(job % v.blocks() * kAbreastChannels),
        stop(std::min<int64_t>(first + kAbreastChannels, v.channels)) {}
};

Floats convolved(const Convolution& v, const uint16_t* x, int64_t lags, int64_t c) {
  Floats found = v.bias ? load(v.bias + c) : zeros();
  for (int64_t lag = 0; lag <= lags; lag++)
    found = multiply_add(load(v.tap(lag) + c), load_bfloats(x - lag * v.x.token + c), found);
  return found;
}

void convolve(const Convolution& v, const Strand& s) {
  for (int64_t t = 0; t < v.tokens; t++) {
    const uint16_t* x = v.x.of<const uint16_t>(s.row, 0, t);
    uint16_t* y = v.y.of<uint16_t>(s.row, 0, t);
    const int64_t lags = v.lags(s.row, t);
    for (int64_t c = s.first; c < s.stop; c += kLanes) {
      const Floats found = convolved(v, x, lags, c);
      store_bfloats(y + c, v.active ? silu(found) : found);
    }
  }
}

// How steep SiLU is.
Floats silu_slope(Floats x) {
  const Floats sigmoid = divide(all(1), one_and_power(x));
  return multiply_add(multiply(x, sigmoid), subtract(all(1), sigmoid), sigmoid);
}

// slopes: (tokens, kAbreastChannels), of what was summed up.
void convolve_back(const Convolution& v, const Strand& s, float* slopes) {
  float* dweight = v.dweight + s.row * (v.taps + 1) * v.channels;
  const auto grow = [&](float* to, Floats by, Floats x) { store(to, multiply_add(by, x, load(to))); };
  for (int64_t k = 0; k <= v.taps; k++)
    std::fill(dweight + k * v.channels + s.first, dweight + k * v.channels + s.stop, 0.0f);
  for (int64_t t = 0; t < v.tokens; t++) {
    const uint16_t* x = v.x.of<const uint16_t>(s.row, 0, t);
    const uint16_t* dy = v.dy.of<const uint16_t>(s.row, 0, t);
    const int64_t lags = v.lags(s.row, t);
    for (int64_t c = s.first; c < s.stop; c += kLanes) {
      Floats slope = load_bfloats(dy + c);
      if (v.active) slope = multiply(slope, silu_slope(convolved(v, x, lags, c)));
      store(slopes + t * kAbreastChannels + c - s.first, slope);
      grow(dweight + v.taps * v.channels + c, slope, all(1));
      for (int64_t lag = 0; lag <= lags; lag++)
        grow(dweight + (v.taps - 1 - lag) * v.channels + c, slope,
             load_bfloats(x - lag * v.x.token + c));
    }
  }
  for (int64_t t = 0; t < v.tokens; t++) {
    uint16_t* dx = v.dx.of<uint16_t>(s.row, 0, t);
    int64_t seen = 1;  // by so many tokens from its own on
    while (seen < v.taps && t + seen < v.tokens && v.begins(s.row, t + seen) <= t) seen++;
    for (int64_t c = s.first; c < s.stop; c += kLanes) {
      Floats found = zeros();
      for (int64_t lag = 0; lag < seen; lag++)
        found = multiply_add(load(v.tap(lag) + c),
                             load(slopes + (t + lag) * kAbreastChannels + c - s.first), found);
      store_bfloats(dx + c, found);
    }
  }
}

}  // namespace
