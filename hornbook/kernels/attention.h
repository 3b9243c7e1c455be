// What an attention computes of the heads of a row.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "vector.h"

namespace {

constexpr int kHeads = 4;  // that are computed together at the most

// y (size,) = x (size,) in half floats, as keys and values are kept: a token reads all of them, and
// half the bytes. 16 divides size.
void halve(const float* x, int size, uint16_t* y) {
  for (int i = 0; i < size; i += kLanes) store_halves(y + i, load(x + i));
}

// e^x for x <= 88, within 2 units of the last place: 2^n times a polynomial of the rest.
Floats exponential(Floats x) {
  x = larger(x, all(-87.0f));
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

// x (2 half,) rotated: channel i with channel i + half (Su et al. 2021).
void rotate(float* x, const float* cos, const float* sin, int half) {
  for (int i = 0; i < half; i++) {
    const float a = x[i], b = x[i + half];
    x[i] = a * cos[i] - b * sin[i];
    x[i + half] = b * cos[i] + a * sin[i];
  }
}

// scores (H, room) = e^(q keys^T / sqrt(size) - their largest), with zeros after the last; over
// (H,) = one over their sum. 16 divides size and room.
template <int H>
void weigh(const float* q, const uint16_t* keys, int count, int size, float* scores, int room,
           float* over) {
  const float scale = 1 / std::sqrt(float(size));
  for (int p = 0; p < count; p += 4) {
    const uint16_t* key[4];  // after the last one it comes again
    for (int j = 0; j < 4; j++) key[j] = keys + int64_t(std::min(p + j, count - 1)) * size;
    Floats found[H][4];
    for (int h = 0; h < H; h++)
      for (int j = 0; j < 4; j++) found[h][j] = zeros();
    for (int i = 0; i < size; i += kLanes) {
      Floats k[4];
      for (int j = 0; j < 4; j++) k[j] = load_halves(key[j] + i);
      for (int h = 0; h < H; h++) {
        const Floats x = load(q + h * size + i);
        for (int j = 0; j < 4; j++) found[h][j] = multiply_add(x, k[j], found[h][j]);
      }
    }
    for (int h = 0; h < H; h++) store_sums(scores + h * int64_t(room) + p, found[h], scale);
  }
  for (int h = 0; h < H; h++) {
    float* score = scores + h * int64_t(room);
    const float most = *std::max_element(score, score + count);
    Floats total = zeros();
    for (int p = 0; p < count; p += kLanes) {
      const Floats found = exponential(subtract(load(score + p), all(most)));
      const Floats real = first(found, count - p);  // behind them lies what was there before
      store(score + p, real);
      total = add(total, real);
    }
    over[h] = 1 / sum(total);
  }
}

// y (H, size) = softmax(q keys^T / sqrt(size)) values, of H heads that share keys and values
// (count, size); 16 divides size.
template <int H>
void attend(const float* q, const uint16_t* keys, const uint16_t* values, int count, int size,
            float* scores, int room, float* y) {
  float over[H];
  weigh<H>(q, keys, count, size, scores, room, over);
  for (int i = 0; i < size; i += 2 * kLanes) {
    const int parts = std::min(2, (size - i) / kLanes);
    Floats found[H][2];
    for (int h = 0; h < H; h++) found[h][0] = found[h][1] = zeros();
    for (int p = 0; p < count; p++) {
      const uint16_t* value = values + int64_t(p) * size + i;
      const Floats a = load_halves(value);
      const Floats b = parts == 2 ? load_halves(value + kLanes) : a;
      for (int h = 0; h < H; h++) {
        const Floats weight = all(scores[h * int64_t(room) + p]);
        found[h][0] = multiply_add(weight, a, found[h][0]);
        found[h][1] = multiply_add(weight, b, found[h][1]);
      }
    }
    for (int h = 0; h < H; h++)
      for (int k = 0; k < parts; k++)
        store(y + h * size + i + kLanes * k, multiply(found[h][k], all(over[h])));
  }
}

}  // namespace
