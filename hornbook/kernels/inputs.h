// Inputs of products: whole numbers of fifteen bits with a scale for 32 of them, beside the floats.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>

#include "amx.h"
#include "forms.h"
#include "vector.h"

namespace {

constexpr int kRows = 16;  // that are computed together at the most
constexpr float kLargest = 127 * 128;  // value of an input

// Of a group. sum: scale times the sum of its values; sums: those of its two halves.
struct Facts {
  float scale, sum, sums[2];
};

// Per row and group 32 upper and 32 lower halves of values, q = 128 upper + lower, and facts.
// floats: (rows, inputs), of whoever asked. split: of each row the upper and the lower parts of the
// floats, 16 bits each, where matrices of floats are multiplied with on a grid; see `split.h`.
struct Inputs {
  int8_t* values;
  Facts* facts;
  uint16_t* split;
  const float* floats;
  int inputs;

  int groups() const { return inputs / kGroup; }

  // From one row of `split` to the next, which has room for 32 bits of each part: a power of two would
  // give all rows the same places in the cache.
  int split_step() const { return 4 * inputs + kGroup; }

  // From a row on, of the same floats.
  Inputs from(int64_t row) const {
    uint16_t* own = split ? split + row * split_step() : nullptr;
    return {values + 2 * row * inputs, facts + row * groups(), own, floats, inputs};
  }
};

// Memory of a call, given out piece by piece; with no base it only counts. The base is null as well
// where there is no memory: whoever asked for some looks before he takes.
struct Arena {
  uint8_t* base = nullptr;
  size_t used = 0;
  bool lent = false;

  Arena() = default;
  explicit Arena(uint8_t* part) : base(part), lent(true) {}  // of another one
  explicit Arena(size_t size)
      : base(static_cast<uint8_t*>(std::aligned_alloc(64, std::max<size_t>(size, 64)))) {}
  Arena(const Arena&) = delete;
  ~Arena() {
    if (!lent) std::free(base);
  }

  template <typename T>
  T* take(size_t count) {
    T* found = reinterpret_cast<T*>(base + used);
    used += (count * sizeof(T) + 63) / 64 * 64;
    return base ? found : nullptr;
  }

  Inputs inputs(int rows, const float* floats, int size) {
    const size_t values = size_t(rows) * size;
    Inputs found{take<int8_t>(2 * values), take<Facts>(values / kGroup), nullptr, floats, size};
    // A grid always reads as many rows as it has.
    if (grid_allowed()) found.split = take<uint16_t>(size_t(rows + kRows - 1) * found.split_step());
    return found;
  }
};

// The values and facts of a row, from its floats.
void quantise(const Inputs& x, int64_t row) {
  for (int g = 0; g < x.groups(); g++) {
    const float* from = x.floats + row * x.inputs + g * kGroup;
    Floats most_of = zeros();
    for (int i = 0; i < kGroup; i += kLanes) most_of = larger(most_of, absolute(load(from + i)));
    const float most = largest(most_of);
    const Floats by = all(most > 0 ? kLargest / most : 0);
    int8_t* high = x.values + 2 * (row * x.inputs + g * kGroup);
    int sums[2];
    for (int half = 0; half < 2; half++) {
      Ints total = no_ints();
      for (int i = half * kGroup / 2; i < (half + 1) * kGroup / 2; i += kLanes) {
        const Ints value = to_ints(multiply(load(from + i), by));
        const Ints upper = over_power<7>(add(value, all_ints(64)));
        store_bytes(high + i, upper);
        store_bytes(high + kGroup + i, subtract(value, times_power<7>(upper)));
        total = add(total, value);
      }
      sums[half] = sum(total);
    }
    const float scale = most / kLargest;
    x.facts[row * x.groups() + g] = {
        scale, scale * float(sums[0] + sums[1]), {scale * float(sums[0]), scale * float(sums[1])}};
  }
}

}  // namespace
