// Products with matrices in the forms of `forms.h`.
//
// Inputs become fifteen bits in groups of 32 with a scale each, in two halves, which cost a product
// each. With eight bits, as in llama.cpp's Q8_1 blocks, prompts are read faster by half; but a last
// bit that another order of sums gives then turns a value around, and greedy answers part ways soon.
// With weights that are floats they stay floats, or become two of 16 bits (`split.h`).
//
// For one row a tile is read as it lies; for several it is opened first, into codes of a byte or
// floats that lie in the cache, and read as often as there are rows. Both ways make the same sums.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <initializer_list>

#include "ahead.h"
#include "amx.h"
#include "forms.h"
#include "inputs.h"
#include "split.h"
#include "team.h"
#include "vector.h"

namespace {

// form: its place in `kForms`.
struct Matrix {
  const uint8_t* blocks;
  const float* bias;  // or null
  int32_t outputs, inputs, form;
};

// found (M,) += what the sums of products of a part of a group come to, those with the upper and with
// the lower halves of inputs. facts: of the first row, `step` apart.
template <int kParts, int M>
void add_part(int p, Floats scale, Floats offset, const Ints* upper, const Ints* lower,
              const Facts* facts, int step, Floats* found) {
  for (int m = 0; m < M; m++) {
    const Facts& own = facts[m * step];
    const Floats by = multiply(scale, all(own.scale));
    found[m] = multiply_add(to_floats(add(times_power<7>(upper[m]), lower[m])), by, found[m]);
    found[m] = multiply_add(offset, all(kParts == 1 ? own.sum : own.sums[p]), found[m]);
  }
}

constexpr int kBeside = 4;  // rows whose sums are made side by side, where a group has two parts

// found (M,) += the inputs of M rows times the codes of a group.
template <class F, int M>
void add_group(const Group<F>& w, const Inputs& x, int64_t row, int g, Floats* found) {
  constexpr int kWords = kGroup / F::kParts / 4;
  const Facts* facts = x.facts + row * x.groups() + g;
  const int32_t* high = (const int32_t*)(x.values + 2 * (row * x.inputs + g * kGroup));
  const int step = x.inputs / 2;  // words of a row
  constexpr int kSide = F::kParts == 1 || M < kBeside ? M : kBeside;
  for (int p = 0; p < F::kParts; p++) {
    const int at = kWords * p;
    for (int m = 0; m < M; m += kSide) {
      const int32_t* from = high + m * step + at;
      Ints upper[kSide], lower[kSide];
      products_of_bytes<F::kByteBits, kWords, kSide>(w.codes + at, from, step, upper);
      products_of_bytes<F::kByteBits, kWords, kSide>(w.codes + at, from + kGroup / 4, step, lower);
      add_part<F::kParts, kSide>(p, w.scale[p], w.offset[p], upper, lower, facts + m * x.groups(),
                                 x.groups(), found + m);
    }
  }
}

// out (16,): a row times one tile of 16 outputs.
template <class F>
void one_row(const uint8_t* tile, const Inputs& x, int64_t row, float* out) {
  for (int lane = 0; lane < kTile; lane += kLanes) {
    Floats found = zeros();
    if constexpr (F::kFloats) {
      Floats odd = zeros();
      const float* from = x.floats + row * x.inputs;
      const uint16_t* w = reinterpret_cast<const uint16_t*>(tile) + lane;
      for (int k = 0; k < x.inputs; k += 2) {
        if (lane == 0) ask_for(tile + 2 * kTile * k, 4 * kTile);
        found = multiply_add(F::read(w + kTile * k), all(from[k]), found);
        odd = multiply_add(F::read(w + kTile * (k + 1)), all(from[k + 1]), odd);
      }
      found = add(found, odd);
    } else {
      constexpr int kBytes = F::kBytes / (F::kUnit / kGroup);  // of a group
      each_group<F>(tile, lane, x.groups(), [&](int g, const Group<F>& w) {
        if (lane == 0) ask_for(tile + int64_t(g) * kBytes, kBytes);
        add_group<F, 1>(w, x, row, g, &found);
      });
    }
    store(out + lane, found);
  }
}

// Opened tiles. Of codes, by groups: the codes, a byte each, then scales and offsets.
template <class F>
void open(const uint8_t* tile, int inputs, uint8_t* to) {
  for (int lane = 0; lane < kTile; lane += kLanes) {
    if constexpr (F::kFloats) {
      const uint16_t* w = reinterpret_cast<const uint16_t*>(tile) + lane;
      float* floats = reinterpret_cast<float*>(to) + lane;
      for (int k = 0; k < inputs; k++) store(floats + kTile * k, F::read(w + kTile * k));
    } else {
      each_group<F>(tile, lane, inputs / kGroup,
                    [&](int g, const Group<F>& w) { w.keep(to + g * Group<F>::kBytes, lane); });
    }
  }
}

// out (M, 16): M rows from `row` on times an opened tile.
template <class F, int M>
void some_rows(const uint8_t* opened, const Inputs& x, int64_t row, Ahead ahead, float* out) {
  for (int lane = 0; lane < kTile; lane += kLanes) {
    Floats found[M];
    for (int m = 0; m < M; m++) found[m] = zeros();
    if constexpr (F::kFloats) {
      Floats odd[M];
      for (int m = 0; m < M; m++) odd[m] = zeros();
      const float* from = x.floats + row * x.inputs;
      const float* w = reinterpret_cast<const float*>(opened) + lane;
      for (int k = 0; k < x.inputs; k += 2) {
        if (k % kGroup == 0) ahead.fetch(k / kGroup);
        const Floats first = load(w + kTile * k), second = load(w + kTile * (k + 1));
        for (int m = 0; m < M; m++) {
          found[m] = multiply_add(first, all(from[m * x.inputs + k]), found[m]);
          odd[m] = multiply_add(second, all(from[m * x.inputs + k + 1]), odd[m]);
        }
      }
      for (int m = 0; m < M; m++) found[m] = add(found[m], odd[m]);
    } else {
      for (int g = 0; g < x.groups(); g++) {
        ahead.fetch(g);
        const Group<F> w(opened + g * Group<F>::kBytes, lane);
        add_group<F, M>(w, x, row, g, found);
      }
    }
    for (int m = 0; m < M; m++) store(out + m * kTile + lane, found[m]);
  }
}

// Whether sums with a form are made on a grid. Where halves of a group have scales of their own, the
// way through memory costs more than the grid saves (docs/log.md).
template <class F>
constexpr bool kOnGrid = kHasGrid && !F::kFloats && F::kShared == kGroup;

// As `some_rows`, of as many rows as the thread's grid has. The sums of the next groups are on their
// way while those of one are scaled.
template <class F, int M>
void grid_rows(const uint8_t* opened, const Inputs& x, int64_t row, Ahead ahead, float* out) {
  if constexpr (kHasGrid && !F::kFloats) {
    constexpr int kAhead = 2;  // what was stored a moment ago is read slowly
    alignas(64) Ints sums[2 * kAhead][2][M];
    const int8_t* from = x.values + 2 * row * x.inputs;
    const int groups = x.groups();
    const auto start = [&](int g, auto side) {
      if (g >= groups) return;
      ahead.fetch(g);
      grid_load<kGridCodes>(opened + g * Group<F>::kBytes, 4 * kTile);
      unrolled<2>([&](auto half) {
        constexpr int kTo = (2 * side + half) % kGridSums;
        grid_zero<kTo>();
        grid_load<kGridInputs>(from + (2 * g + half) * kGroup, 2 * x.inputs);
        grid_add_products<kTo, kGridInputs, kGridCodes>();
        grid_store<kTo>(sums[side][half], 4 * kTile);
      });
    };
    Floats found[M];
    for (int m = 0; m < M; m++) found[m] = zeros();
    const auto finish = [&](int g, int side) {
      if (g >= groups) return;
      const float* floats = (const float*)(opened + g * Group<F>::kBytes + Group<F>::kCodes);
      add_part<1, M>(0, load(floats), load(floats + kTile), sums[side][0], sums[side][1],
                     x.facts + row * groups + g, groups, found);
    };
    unrolled<kAhead>([&](auto side) { start(side, side); });
    for (int g = 0; g < groups; g += 2 * kAhead) {
      unrolled<2 * kAhead>([&](auto side) {
        start(g + side + kAhead, std::integral_constant<int, (side + kAhead) % (2 * kAhead)>());
        finish(g + side, side);
      });
    }
    for (int m = 0; m < M; m++) store(out + m * kTile, found[m]);
  }
}

// What computes with a form. Those that are alike once they are opened share `some`. split: it reads
// the parts of floats.
struct Kernel {
  int unit, bytes;  // inputs of a unit, and its bytes
  int bits, group, offsets, table, exponent;
  void (*one)(const uint8_t* tile, const Inputs& x, int64_t row, float* out);
  void (*open)(const uint8_t* tile, int inputs, uint8_t* to);
  using Rows = void (*)(const uint8_t* opened, const Inputs& x, int64_t row, Ahead ahead, float* out);
  Rows some[4], grid[2];  // 1, 2, 4 and 8 rows; 8 and 16 on a grid
  bool on_grid, split;
};

template <class F>
constexpr Kernel kernel() {
  using Opened = typename F::Opened;
  return {F::kUnit,    F::kBytes,
          F::kBits,    F::kShared,
          F::kOffsets, F::kTable,
          F::kExponent, one_row<F>,
          open<F>,     {some_rows<Opened, 1>, some_rows<Opened, 2>, some_rows<Opened, 4>,
                        some_rows<Opened, 8>},
          {grid_rows<Opened, 8>, grid_rows<Opened, 16>}, kOnGrid<F>, false};
}

// In the order of `structures.FORMS`.
constexpr Kernel kForms[] = {
    kernel<Codes<4, 32, 32, kOwnOffsets>>(), kernel<Codes<8, 32, 32, kOwnOffsets>>(),
    kernel<Codes<4, 32, 32>>(),              kernel<Codes<5, 32, 32>>(),
    kernel<Codes<5, 32, 32, kOwnOffsets>>(), kernel<Codes<8, 32, 32>>(),
    kernel<Codes<4, 32, 32, kInTable>>(),    kernel<Codes<2, 16, 256, kOwnOffsets>>(),
    kernel<Codes<3, 16, 256>>(),             kernel<Codes<4, 32, 256, kOwnOffsets>>(),
    kernel<Codes<5, 32, 256, kOwnOffsets>>(), kernel<Codes<6, 16, 256>>(),
    kernel<Codes<4, 32, 256, kInTable>>(),   kernel<Halves>(),
    kernel<Bfloats>(),
};

#if HORNBOOK_GRID
template <class F>
constexpr Kernel split_kernel() {
  Kernel found = kernel<F>();
  found.one = split_one<F>, found.open = split_open<F>;
  found.grid[0] = split_on_grid<F, 8>, found.grid[1] = split_on_grid<F, 16>;
  found.on_grid = found.split = true;
  return found;
}
constexpr Kernel kSplit[] = {split_kernel<Halves>(), split_kernel<Bfloats>()};
#endif

// One for all calls of a process: a row gives the same bits in each.
const Kernel& kernel_of(const Matrix& w) {
#if HORNBOOK_GRID
  const int exponent = kForms[w.form].exponent;
  if (exponent && grid_allowed()) return kSplit[exponent == Bfloats::kExponent];
#endif
  return kForms[w.form];
}

// Makes what products with these matrices read of a row, from its floats. grid: of the call.
void make_inputs(std::initializer_list<const Matrix*> matrices, const Inputs& x, int64_t row,
                 [[maybe_unused]] const Grid& grid) {
  bool coded = false, split = false;
  for (const Matrix* w : matrices) {
    coded = coded || kForms[w->form].exponent == 0;
    split = split || kernel_of(*w).split;
  }
  if (coded) quantise(x, row);
#if HORNBOOK_GRID
  if (split) split_floats(x, row, grid.rows() > 0);
#endif
}

// What a tile takes that is opened for so many rows.
size_t open_bytes(int rows, int inputs) { return rows > 1 ? size_t(kOpenBytes) * inputs : 0; }

// A tile of a matrix, ready for so many rows. grid: of this thread. room: `open_bytes` of it.
class Tile {
 public:
  Tile(const Matrix& w, int64_t number, int64_t rows, const Grid& grid, uint8_t* room)
      : kernel_(kernel_of(w)), on_grid_(kernel_.on_grid ? grid.rows() : 0), bias_(w.bias ? w.bias + kTile * number : nullptr),
        tile_(w.blocks + number * (w.inputs / kernel_.unit) * kernel_.bytes), opened_(room),
        next_{nullptr, 0},
        single_(rows == 1 && !(kernel_.split && on_grid_)) {
    const int64_t size = int64_t(w.inputs / kernel_.unit) * kernel_.bytes;
    if (kTile * (number + 1) < w.outputs) next_ = {tile_ + size, kernel_.bytes / (kernel_.unit / kGroup)};
    if (!single_) kernel_.open(tile_, w.inputs, room);
  }

  // out (count, 16): rows from `row` on times the tile, with its bias; there is room for 16 rows.
  void times(const Inputs& x, int64_t row, int count, float* out) const {
    if (single_) kernel_.one(tile_, x, row, out);
    else {
      for (int done = 0; done < count;) {
        const int left = count - done, which = left >= 8 ? 3 : left >= 4 ? 2 : left >= 2 ? 1 : 0;
        // Parts of floats are made for the grid alone: it takes rows that nobody wants with them.
        const bool whole = on_grid_ > 0 && (left >= on_grid_ || kernel_.split);
        const auto rows = whole ? kernel_.grid[on_grid_ / 16] : kernel_.some[which];
        rows(opened_, x, row + done, row + done == 0 ? next_ : Ahead{nullptr, 0}, out + done * kTile);
        done += whole ? on_grid_ : 1 << which;
      }
    }
    if (bias_)
      for (int m = 0; m < count; m++)
        for (int i = 0; i < kTile; i++) out[m * kTile + i] += bias_[i];
  }

 private:
  const Kernel& kernel_;
  const int on_grid_;  // rows
  const float* bias_;
  const uint8_t *tile_, *opened_;
  Ahead next_;  // tile
  const bool single_;
};

// Calls put(row, count) for all rows, some at a time.
template <typename Put>
void each_rows(int64_t rows, Put put) {
  for (int64_t row = 0; row < rows; row += kRows) put(row, int(std::min<int64_t>(kRows, rows - row)));
}

// Calls job(first, stop) for parts of `count` jobs that read the products of x with matrices. ready(row)
// makes the floats of a row.
template <typename Ready, typename Job>
void each_of_products(Member& team, std::initializer_list<const Matrix*> matrices, const Inputs& x,
                      int64_t rows, Ready ready, int64_t count, Job job) {
  const auto make = [&](int64_t row) {
    ready(row);
    make_inputs(matrices, x, row, team.grid);
  };
  team.each_after(rows, make, count, job);
}

// y (rows, outputs of all) = the products with matrices side by side, or += `by` times them. ready: as
// above. room: of this thread.
template <bool kAdd, typename Ready>
void multiply_all(Member& team, std::initializer_list<const Matrix*> matrices, const Inputs& x,
                  int64_t rows, Ready ready, uint8_t* room, float* y, float by = 1) {
  int64_t outputs = 0;
  for (const Matrix* w : matrices) outputs += w->outputs;
  const auto one = [&](int64_t t) {
    int64_t own = t;
    auto w = matrices.begin();
    for (; own >= (*w)->outputs / kTile; w++) own -= (*w)->outputs / kTile;
    const Tile tile(**w, own, rows, team.grid, room);
    each_rows(rows, [&](int64_t row, int count) {
      float out[kRows * kTile];
      tile.times(x, row, count, out);
      for (int m = 0; m < count; m++) {
        for (int i = 0; i < kTile; i += kLanes) {
          float* to = y + (row + m) * outputs + t * kTile + i;
          const Floats found = load(out + m * kTile + i);
          store(to, kAdd ? multiply_add(found, all(by), load(to)) : found);
        }
      }
    });
  };
  each_of_products(team, matrices, x, rows, ready, outputs / kTile,
                   [&](int64_t first, int64_t stop) {
                     for (int64_t t = first; t < stop; t++) one(t);
                   });
}

}  // namespace
