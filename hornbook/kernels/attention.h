// What an attention computes: queries of several heads and rows that look at the same keys, together.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "functions.h"
#include "vector.h"

namespace {

constexpr int kHeads = 4;                        // of a row that are computed together at the most
constexpr int kQueries = kLanes == 16 ? 8 : 6;   // of several rows
constexpr int kAbreast = 16;                     // keys that are read at once
constexpr float kNowhere = -3e38f;               // the score of what is not seen

// Where the key of a position begins: those of 16 positions lie side by side, channel after channel,
// so that one is read of all of them at once.
int64_t key_place(int64_t position, int size) {
  return position / kAbreast * kAbreast * size + position % kAbreast;
}

// x (size,) in half floats as the key of a position. keys: those of all positions.
void keep_key(const float* x, int64_t position, int size, uint16_t* keys) {
  alignas(64) uint16_t halves[kAbreast];
  uint16_t* to = keys + key_place(position, size);
  for (int i = 0; i < size; i += kAbreast) {
    halve(x + i, kAbreast, halves);
    for (int j = 0; j < kAbreast; j++, to += kAbreast) *to = halves[j];
  }
}

// M queries (size,) that look at the same keys, each from position `first` up to `stop`. y: what each
// finds, (size,). scores: (M, room), of positions, cap tanh(scale q k / cap), or without a cap where it
// is 0. 16 divides size and room.
template <int M>
struct Queries {
  int size, room;
  float scale, cap;
  float* scores;
  const float* q[M];
  float* y[M];
  int first[M], stop[M];

  float* score(int m, int position) const { return scores + m * int64_t(room) + position; }
};

// The scores of positions [p, p + 16 kBlocks).
template <int kBlocks, int M>
void score(const Queries<M>& x, const uint16_t* keys, int p) {
  constexpr int kEach = kAbreast / kLanes, kAll = kBlocks * kEach;
  Floats found[M][kAll];
  for (int m = 0; m < M; m++)
    for (int b = 0; b < kAll; b++) found[m][b] = zeros();
  const uint16_t* from = keys + key_place(p, x.size);
  const int64_t block = int64_t(kAbreast) * x.size;
  for (int i = 0; i < x.size; i++, from += kAbreast) {
    Floats k[kAll];
    for (int b = 0; b < kAll; b++) k[b] = load_halves(from + b / kEach * block + b % kEach * kLanes);
    for (int m = 0; m < M; m++) {
      const Floats q = all(x.q[m][i]);
      for (int b = 0; b < kAll; b++) found[m][b] = multiply_add(q, k[b], found[m][b]);
    }
  }
  for (int m = 0; m < M; m++) {
    for (int b = 0; b < kAll; b++) {
      Floats s = multiply(found[m][b], all(x.scale));
      if (x.cap > 0) s = multiply(all(x.cap), hyperbolic_tangent(divide(s, all(x.cap))));
      store(x.score(m, p + b * kLanes), s);
    }
  }
}

// scores become e^(score - their largest) where a query looks, with zeros around it to whole blocks;
// returns 1 / their sum.
float soften(float* scores, int first, int stop) {
  const int from = first / kAbreast * kAbreast;
  const int to = (stop + kAbreast - 1) / kAbreast * kAbreast;
  const auto around = [&](float x) {
    std::fill(scores + from, scores + first, x);
    std::fill(scores + stop, scores + to, x);
  };
  around(kNowhere);
  Floats most = all(kNowhere), total = zeros();
  for (int p = from; p < to; p += kLanes) most = larger(most, load(scores + p));
  most = all(largest(most));
  for (int p = from; p < to; p += kLanes)
    store(scores + p, exponential(subtract(load(scores + p), most)));
  around(0);
  for (int p = from; p < to; p += kLanes) total = add(total, load(scores + p));
  return 1 / sum(total);
}

// kWide registers of channels from i on of y of kCount queries, from the m-th on, += the values of
// positions [from, to) times their scores.
template <int kWide, int kCount, int M>
void add_values(const Queries<M>& x, int m, const uint16_t* values, int from, int to, int i) {
  Floats found[kCount][kWide];
  for (int j = 0; j < kCount; j++)
    for (int k = 0; k < kWide; k++) found[j][k] = load(x.y[m + j] + i + kLanes * k);
  for (int p = from; p < to; p++) {
    Floats v[kWide];
    for (int k = 0; k < kWide; k++)
      v[k] = load_halves(values + int64_t(p) * x.size + i + kLanes * k);
    for (int j = 0; j < kCount; j++) {
      const Floats weight = all(*x.score(m + j, p));
      for (int k = 0; k < kWide; k++) found[j][k] = multiply_add(weight, v[k], found[j][k]);
    }
  }
  for (int j = 0; j < kCount; j++)
    for (int k = 0; k < kWide; k++) store(x.y[m + j] + i + kLanes * k, found[j][k]);
}

// Positions that all see are read once for all, those before and behind by each alone: what a query
// finds is added up in the order of positions, whoever looks beside it.
template <int kWide, int M>
void add_channels(const Queries<M>& x, const uint16_t* values, int i) {
  const int from = *std::max_element(x.first, x.first + M);
  const int to = std::max(from, *std::min_element(x.stop, x.stop + M));
  for (int m = 0; m < M; m++)
    add_values<kWide, 1>(x, m, values, x.first[m], std::min(from, x.stop[m]), i);
  add_values<kWide, M>(x, 0, values, from, to, i);
  for (int m = 0; m < M; m++)
    add_values<kWide, 1>(x, m, values, std::max(to, x.first[m]), x.stop[m], i);
}

// y = softmax(scores) values of each query.
template <int M>
void attend(const Queries<M>& x, const uint16_t* keys, const uint16_t* values) {
  constexpr int kHeld = kLanes == 16 ? 24 : 12;  // registers of sums
  constexpr int kBlocks = std::clamp(kHeld * kLanes / kAbreast / M, 1, 4);
  constexpr int kWide = kHeld / M >= 4 ? 4 : 2;
  const int to = *std::max_element(x.stop, x.stop + M);
  int p = *std::min_element(x.first, x.first + M) / kAbreast * kAbreast;
  for (; p + (kBlocks - 1) * kAbreast < to; p += kBlocks * kAbreast) score<kBlocks>(x, keys, p);
  for (; p < to; p += kAbreast) score<1>(x, keys, p);
  float over[M];
  for (int m = 0; m < M; m++) {
    over[m] = soften(x.score(m, 0), x.first[m], x.stop[m]);
    std::fill(x.y[m], x.y[m] + x.size, 0.0f);
  }
  int i = 0;
  for (; i + kWide * kLanes <= x.size; i += kWide * kLanes) add_channels<kWide>(x, values, i);
  for (; i < x.size; i += kLanes) add_channels<1>(x, values, i);
  for (int m = 0; m < M; m++)
    for (int c = 0; c < x.size; c += kLanes)
      store(x.y[m] + c, multiply(load(x.y[m] + c), all(over[m])));
}

}  // namespace
