// Products with weights quantised to four or eight bits.
//
// Weights are stored in blocks of 16 outputs by a group of 32 inputs, in the order in which they
// are read: 16 scales and 16 offsets (float16), then the values, four inputs of an output side
// by side, as VPDPBUSD takes them. Of four bits, the low halves of a byte are the first 16 inputs.
// Inputs become fifteen bits in groups of 32 with a scale each, in two halves, which cost a product
// each. With eight bits, as in llama.cpp's Q8_1 blocks, prompts are read faster by half; but a last
// bit that another order of sums gives then turns a value around, and greedy answers part ways soon.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>

#include "team.h"
#include "vector.h"

namespace {

constexpr int kTile = 16, kGroup = 32, kRows = 8;
constexpr float kLargest = 127 * 128;  // value of an input

struct Matrix {
  const uint8_t* blocks;
  const float* bias;  // or null
  int32_t outputs, inputs, bits;
};

// Inputs of a product: per row and group 32 upper and 32 lower halves of values, q = 128 upper +
// lower, a scale, and scale * sum.
struct Inputs {
  int8_t* values;
  float *scales, *sums;
  int inputs;

  int groups() const { return inputs / kGroup; }
};

// Memory of a call, given out piece by piece; with no base it only counts. The base is null as well
// where there is no memory: whoever asked for some looks before he takes.
struct Arena {
  uint8_t* base = nullptr;
  size_t used = 0;

  Arena() = default;
  explicit Arena(size_t size)
      : base(static_cast<uint8_t*>(std::aligned_alloc(64, std::max<size_t>(size, 64)))) {}
  Arena(const Arena&) = delete;
  ~Arena() { std::free(base); }

  template <typename T>
  T* take(size_t count) {
    T* found = reinterpret_cast<T*>(base + used);
    used += (count * sizeof(T) + 63) / 64 * 64;
    return base ? found : nullptr;
  }

  Inputs inputs(int rows, int size) {
    const size_t values = size_t(rows) * size;
    int8_t* first = take<int8_t>(2 * values);
    float* scales = take<float>(values / kGroup);
    return {first, scales, take<float>(values / kGroup), size};
  }
};

void quantise(const float* x, const Inputs& to, int64_t row) {
  for (int g = 0; g < to.groups(); g++) {
    const float* from = x + g * kGroup;
    Floats most_of = zeros();
    for (int i = 0; i < kGroup; i += kLanes) most_of = larger(most_of, absolute(load(from + i)));
    const float most = largest(most_of);
    const Floats by = all(most > 0 ? kLargest / most : 0);
    int8_t* high = to.values + 2 * (row * to.inputs + g * kGroup);
    Ints total = no_ints();
    for (int i = 0; i < kGroup; i += kLanes) {
      const Ints value = to_ints(multiply(load(from + i), by));
      const Ints upper = over_power<7>(add(value, all_ints(64)));
      store_bytes(high + i, upper);
      store_bytes(high + kGroup + i, subtract(value, times_power<7>(upper)));
      total = add(total, value);
    }
    to.scales[row * to.groups() + g] = most / kLargest;
    to.sums[row * to.groups() + g] = most / kLargest * float(sum(total));
  }
}

template <int kBits>
constexpr int kBlock = 4 * kTile + kTile * kGroup * kBits / 8;

// out (M, 16): M rows from `row` on times one tile of 16 outputs.
template <int kBits, int M>
void tile(const uint8_t* blocks, const Inputs& x, int64_t row, float* out) {
  const int groups = x.groups();
  const int8_t* values = x.values + 2 * row * x.inputs;
  const float *scales = x.scales + row * groups, *totals = x.sums + row * groups;
  for (int lane = 0; lane < kTile; lane += kLanes) {
    const uint8_t* block = blocks;
    Floats found[M];
    for (int m = 0; m < M; m++) found[m] = zeros();
    for (int g = 0; g < groups; g++, block += kBlock<kBits>) {
      const uint16_t* halves = reinterpret_cast<const uint16_t*>(block) + lane;
      const Floats scale = load_halves(halves), offset = load_halves(halves + kTile);
      const uint8_t* stored = block + 4 * kTile + 4 * lane;
      Ints w[8];
      if (kBits == 4) {
        for (int j = 0; j < 4; j++) {
          const Ints pairs = load_bytes(stored + 4 * kTile * j);
          w[j] = both(pairs, all_bytes(15));
          w[j + 4] = upper_halves(pairs);
        }
      } else {
        for (int j = 0; j < 8; j++) w[j] = load_bytes(stored + 4 * kTile * j);
      }
      for (int m = 0; m < M; m++) {
        const int32_t* high = (const int32_t*)(values + 2 * (m * x.inputs + g * kGroup));
        const Ints a = products_of_bytes<kBits>(w, high);
        const Ints b = products_of_bytes<kBits>(w, high + kGroup / 4);
        const Floats by = multiply(scale, all(scales[m * groups + g]));
        found[m] = multiply_add(to_floats(add(times_power<7>(a), b)), by, found[m]);
        found[m] = multiply_add(offset, all(totals[m * groups + g]), found[m]);
      }
    }
    for (int m = 0; m < M; m++) store(out + m * kTile + lane, found[m]);
  }
}

template <int kBits>
void tile_of(const uint8_t* block, const Inputs& x, int64_t row, int rows, float* out) {
  switch (rows) {
    case 1: return tile<kBits, 1>(block, x, row, out);
    case 2: return tile<kBits, 2>(block, x, row, out);
    case 3: return tile<kBits, 3>(block, x, row, out);
    case 4: return tile<kBits, 4>(block, x, row, out);
    case 5: return tile<kBits, 5>(block, x, row, out);
    case 6: return tile<kBits, 6>(block, x, row, out);
    case 7: return tile<kBits, 7>(block, x, row, out);
    default: return tile<kBits, kRows>(block, x, row, out);
  }
}

// out (rows, 16), rows <= 8: outputs 16 t to 16 t + 15 with their bias.
void product(const Matrix& w, int64_t t, const Inputs& x, int64_t row, int rows, float* out) {
  const int64_t groups = x.groups();
  if (w.bits == 4) tile_of<4>(w.blocks + t * groups * kBlock<4>, x, row, rows, out);
  else tile_of<8>(w.blocks + t * groups * kBlock<8>, x, row, rows, out);
  if (w.bias)
    for (int m = 0; m < rows; m++)
      for (int i = 0; i < kTile; i++) out[m * kTile + i] += w.bias[t * kTile + i];
}

// Calls put(tile, row, rows) for every tile and all rows, eight at a time.
template <typename Put>
void products(Member& team, int64_t tiles, int64_t rows, Put put) {
  team.each(tiles, [&](int64_t first, int64_t stop) {
    for (int64_t t = first; t < stop; t++)
      for (int64_t row = 0; row < rows; row += kRows)
        put(t, row, int(std::min<int64_t>(kRows, rows - row)));
  });
}

// y (rows, outputs) = or += the product.
template <bool kAdd>
void multiply_all(Member& team, const Matrix& w, const Inputs& x, int64_t rows, float* y) {
  products(team, w.outputs / kTile, rows, [&](int64_t t, int64_t row, int count) {
    float out[kRows * kTile];
    product(w, t, x, row, count, out);
    for (int m = 0; m < count; m++) {
      for (int i = 0; i < kTile; i += kLanes) {
        float* to = y + (row + m) * w.outputs + t * kTile + i;
        const Floats found = load(out + m * kTile + i);
        store(to, kAdd ? add(load(to), found) : found);
      }
    }
  });
}

}  // namespace
