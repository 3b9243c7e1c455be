// Products with matrices of floats where there is a grid, which multiplies floats of 16 bits with
// eight digits only, but eight times as many as other instructions do.
//
// So weights and inputs are sums of an upper and a lower such float: of weights exactly, of inputs to
// sixteen digits, about as many as their codes have elsewhere. Three products of parts make one; what
// the lower parts come to together is less than what was rounded. The grid adds up in an order of its
// own, and a row that is computed without it keeps this order: the same bits in any company.
#pragma once

#include <algorithm>
#include <cstdint>

#include "ahead.h"
#include "amx.h"
#include "forms.h"
#include "inputs.h"

namespace {

#if HORNBOOK_GRID

// Parts of weights: floats with eight digits have no lower one.
template <class F>
constexpr int kWeightParts = F::kExponent == 8 ? 1 : 2;
constexpr int kPartBytes = 2 * kTile * kGroup;  // of a group of a tile, of each part
constexpr float kLeast = 0x1p-60f;              // the grid takes floats near the least for zeros

// Of weights: cut off, as this takes less time than to round, and the lower part holds all the rest.
struct Parts {
  Floats upper, lower;

  explicit Parts(Floats w) : upper(cut(w)), lower(subtract(w, upper)) {}
};

// The parts of a row's floats: of 16 bits each where a grid reads them, else as they are multiplied.
void split_floats(const Inputs& x, int64_t row, bool on_grid) {
  uint16_t* to = x.split + row * x.split_step();
  float* floats = reinterpret_cast<float*>(to);
  for (int k = 0; k < x.inputs; k += kLanes) {
    const Floats whole = not_below(load(x.floats + row * x.inputs + k), kLeast);
    const Floats upper = shortened(whole), lower = shortened(subtract(whole, upper));
    if (on_grid) {
      store_short(to + k, upper);
      store_short(to + x.inputs + k, lower);
    } else {
      store(floats + k, upper);
      store(floats + x.inputs + k, lower);
    }
  }
}

// An opened tile: of each group the upper parts of its pairs of inputs, then the lower ones.
template <class F>
void split_open(const uint8_t* tile, int inputs, uint8_t* to) {
  const uint16_t* w = reinterpret_cast<const uint16_t*>(tile);
  for (int k = 0; k < inputs; k += 2, w += 2 * kTile, to += 4 * kTile) {
    if (k > 0 && k % kGroup == 0) to += (kWeightParts<F> - 1) * kPartBytes;
    const Parts even(F::read(w)), odd(F::read(w + kTile));
    store_whole(to, side_by_side(even.upper, odd.upper));
    if (kWeightParts<F> > 1) store_whole(to + kPartBytes, side_by_side(even.lower, odd.lower));
  }
}

// Sums of upper parts, of lower inputs, and of lower weights, if there are some.
template <class F>
constexpr int kSums = 1 + kWeightParts<F>;

// found: `kSums` of them.
template <class F>
Floats split_total(const Floats* found) {
  if constexpr (kSums<F> == 2) return add(found[0], found[1]);
  else return add(found[0], add(found[1], found[2]));
}

// out (16,): a row times a tile, in the order of the grid.
template <class F>
void split_one(const uint8_t* tile, const Inputs& x, int64_t row, float* out) {
  const float* upper = reinterpret_cast<const float*>(x.split + row * x.split_step());
  const float* lower = upper + x.inputs;
  const uint16_t* w = reinterpret_cast<const uint16_t*>(tile);
  Floats found[kSums<F>];
  std::fill(found, found + kSums<F>, zeros());
  for (int g = 0; g < x.inputs; g += kGroup) {
    Floats even[kSums<F>], odd[kSums<F>];
    for (int i = 0; i < kSums<F>; i++) even[i] = odd[i] = zeros();
    const auto add_input = [&](int k, Floats* sums) {
      const Parts own(F::read(w + kTile * k));
      sums[0] = multiply_add(own.upper, all(upper[k]), sums[0]);
      sums[1] = multiply_add(own.upper, all(lower[k]), sums[1]);
      if constexpr (kWeightParts<F> > 1) sums[2] = multiply_add(own.lower, all(upper[k]), sums[2]);
    };
    for (int k = g; k < g + kGroup; k += 2) {
      ask_for(tile + 2 * kTile * k, 4 * kTile);
      add_input(k, even);
      add_input(k + 1, odd);
    }
    for (int i = 0; i < kSums<F>; i++) found[i] = add(found[i], add(even[i], odd[i]));
  }
  store(out, split_total<F>(found));
}

// out (M, 16): as many rows as the thread's grid has, from `row` on, times an opened tile.
template <class F, int M>
void split_on_grid(const uint8_t* opened, const Inputs& x, int64_t row, Ahead ahead, float* out) {
  const uint16_t* from = x.split + row * x.split_step();
  const int64_t step = 2 * x.split_step();
  unrolled<kSums<F>>([](auto i) { grid_zero<i>(); });
  for (int g = 0; g < x.groups(); g++, opened += kWeightParts<F> * kPartBytes, from += kGroup) {
    ahead.fetch(g);
    grid_load<kGridUpper>(opened, 4 * kTile);
    grid_load<kGridFloats>(from, step);
    grid_add_floats<0, kGridFloats, kGridUpper>();
    if constexpr (kWeightParts<F> > 1) {
      grid_load<kGridLower>(opened + kPartBytes, 4 * kTile);
      grid_add_floats<2, kGridFloats, kGridLower>();
    }
    grid_load<kGridFloats>(from + x.inputs, step);
    grid_add_floats<1, kGridFloats, kGridUpper>();
  }
  alignas(64) Floats sums[kSums<F>][M];
  unrolled<kSums<F>>([&](auto i) { grid_store<i>(sums[i], 4 * kTile); });
  for (int m = 0; m < M; m++) {
    Floats found[kSums<F>];
    for (int i = 0; i < kSums<F>; i++) found[i] = sums[i][m];
    store(out + m * kTile, split_total<F>(found));
  }
}

#endif

}  // namespace
