// The cross-entropy of rows of logits in bfloats, which become its gradient where they lie.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "bfloats.h"
#include "functions.h"
#include "team.h"

namespace {

// logits: (rows, vocab), overwritten. bias: (vocab,) or null. cap: of what is a logit then, or 0.
// target: (rows,), below 0 where none is asked for: no loss, and no gradient. smoothing: the share of
// a target that is spread over all. loss: (rows,), in nats.
struct CrossEntropy {
  int32_t rows, vocab;
  float smoothing, cap;
  uint16_t* logits;
  const float* bias;
  const int64_t* target;
  float* loss;

  // Floats of a row in a thread's memory, whole registers of them.
  int64_t room() const { return whole_blocks(vocab); }
};

constexpr float kNoLogit = -std::numeric_limits<float>::infinity();

// A row's logits, and how steep a cap is at each where there is one; -inf behind them. The largest is
// given back.
float open_row(const CrossEntropy& e, int64_t row, float* z, float* steep) {
  const uint16_t* from = e.logits + row * e.vocab;
  const int whole = e.vocab / kLanes * kLanes;
  for (int i = 0; i < whole; i += kLanes) store(z + i, load_bfloats(from + i));
  for (int i = whole; i < e.vocab; i++) z[i] = of_bfloat(from[i]);
  std::fill(z + e.vocab, z + e.room(), 0.0f);
  if (e.bias)
    for (int i = 0; i < e.vocab; i++) z[i] += e.bias[i];
  for (int i = 0; e.cap != 0 && i < e.vocab; i += kLanes) {
    const Floats t = hyperbolic_tangent(divide(load(z + i), all(e.cap)));
    store(z + i, multiply(t, all(e.cap)));
    store(steep + i, subtract(all(1), multiply(t, t)));
  }
  std::fill(z + e.vocab, z + e.room(), kNoLogit);
  Floats most = all(kNoLogit);
  for (int i = 0; i < e.vocab; i += kLanes) most = larger(load(z + i), most);
  return largest(most);
}

// z becomes e^(z - top); their sum is given back.
float take_powers(const CrossEntropy& e, float top, float* z) {
  Floats total = zeros();
  for (int i = 0; i < e.vocab; i += kLanes) {
    const Floats each = exponential(subtract(load(z + i), all(top)));
    store(z + i, each);
    total = add(total, each);
  }
  return sum(total);
}

// The gradient is written: shares, what is spread subtracted, times how steep the cap is.
void put_gradient(const CrossEntropy& e, float over, const float* z, const float* steep,
                  uint16_t* to) {
  const Floats spread = all(e.smoothing / e.vocab);
  const int whole = e.vocab / kLanes * kLanes;
  float last[kLanes];
  for (int i = 0; i < e.vocab; i += kLanes) {
    Floats found = subtract(multiply(load(z + i), all(over)), spread);
    if (e.cap != 0) found = multiply(found, load(steep + i));
    if (i < whole) store_bfloats(to + i, found);
    else store(last, found);
  }
  for (int i = whole; i < e.vocab; i++) to[i] = to_bfloat(last[i - whole]);
}

void cross_entropy(const CrossEntropy& e, int64_t row, float* z, float* steep) {
  uint16_t* to = e.logits + row * e.vocab;
  const int64_t target = e.target[row];
  e.loss[row] = 0;
  if (target < 0) {
    std::fill(to, to + e.vocab, uint16_t(0));
    return;
  }
  const float top = open_row(e, row, z, steep), wanted = z[target];
  double mean = 0;
  for (int i = 0; e.smoothing > 0 && i < e.vocab; i++) mean += double(z[i]) / e.vocab;
  const float normal = take_powers(e, top, z), logarithm = top + std::log(normal);
  e.loss[row] = (1 - e.smoothing) * (logarithm - wanted);
  if (e.smoothing > 0) e.loss[row] += e.smoothing * (logarithm - float(mean));
  z[target] -= (1 - e.smoothing) * normal;
  put_gradient(e, 1 / normal, z, steep, to);
}

}  // namespace
