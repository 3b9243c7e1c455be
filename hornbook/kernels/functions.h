// Functions of floats that parts of a decoder share.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "vector.h"

namespace {

enum Kind : int32_t { kSilu, kGelu };

// y (size,) = x (size,) in half floats, as keys and values are kept: a token reads all of them, and
// half the bytes. 16 divides size.
void halve(const float* x, int size, uint16_t* y) {
  for (int i = 0; i < size; i += kLanes) store_halves(y + i, load(x + i));
}

constexpr float kLowest = -87;  // below it e^x is what it is there

// e^x for x <= 88, within 2 units of the last place: 2^n times a polynomial of the rest. What is no
// number stays none: `larger` gives its second argument then.
Floats exponential(Floats x) {
  x = larger(all(kLowest), x);
  const Floats n = rounded(multiply(x, all(1.44269504f)));
  Floats r = multiply_add(n, all(-0.693359375f), x);
  r = multiply_add(n, all(2.12194440e-4f), r);
  Floats p = all(1.0f / 5040);
  for (float c : {1.0f / 720, 1.0f / 120, 1.0f / 24, 1.0f / 6, 0.5f, 1.0f, 1.0f})
    p = multiply_add(p, r, all(c));
  return scale_by_power(p, n);
}

// x (size,) over its root mean square, times weight (Zhang & Sennrich 2019); 16 divides size.
void rms_norm(const float* x, const float* weight, int size, float epsilon, float* y) {
  Floats squares = zeros();
  for (int i = 0; i < size; i += kLanes) {
    const Floats v = load(x + i);
    squares = multiply_add(v, v, squares);
  }
  const Floats by = all(1 / std::sqrt(sum(squares) / size + epsilon));
  for (int i = 0; i < size; i += kLanes)
    store(y + i, multiply(multiply(load(x + i), by), load(weight + i)));
}

// The products of x and w (size,), added up; 16 divides size.
float dot(const float* x, const float* w, int size) {
  Floats found = zeros();
  for (int i = 0; i < size; i += kLanes) found = multiply_add(load(x + i), load(w + i), found);
  return sum(found);
}

// x (size,) with channel i turned with channel i + pairs (Su et al. 2021); what is behind stays.
void rotate(float* x, const float* cos, const float* sin, int pairs) {
  int i = 0;
  for (; i + kLanes <= pairs; i += kLanes) {
    const Floats a = load(x + i), b = load(x + i + pairs), c = load(cos + i), s = load(sin + i);
    store(x + i, subtract(multiply(a, c), multiply(b, s)));
    store(x + i + pairs, add(multiply(b, c), multiply(a, s)));
  }
  for (; i < pairs; i++) {
    const float a = x[i], b = x[i + pairs];
    x[i] = a * cos[i] - b * sin[i];
    x[i + pairs] = b * cos[i] + a * sin[i];
  }
}

// 1 + e^-x, not less than 1 + e^-80: what is divided by it is as good as the limit there.
Floats one_and_power(Floats x) {
  return add(all(1), exponential(subtract(zeros(), larger(x, all(-80)))));
}

Floats silu(Floats x) { return divide(x, one_and_power(x)); }

// How steep `silu` is.
Floats silu_slope(Floats x) {
  const Floats sigmoid = divide(all(1), one_and_power(x));
  return multiply_add(multiply(x, sigmoid), subtract(all(1), sigmoid), sigmoid);
}

// tanh(x), within 2e-7.
Floats hyperbolic_tangent(Floats x) {
  return subtract(divide(all(2), one_and_power(add(x, x))), all(1));
}

// x times a sigmoid: of x, or of what comes near to GELU (Hendrycks & Gimpel 2016).
template <Kind kKind>
Floats activated(Floats x) {
  if constexpr (kKind == kSilu) return silu(x);
  const Floats cubic = multiply_add(multiply(multiply(x, x), all(0.044715f)), x, x);
  return divide(x, one_and_power(multiply(cubic, all(1.5957691f))));  // twice the root of 2 / pi
}

}  // namespace
