// Products of floats of 16 bits with the exponent of 32 (bfloat16), summed in 32: on AMX's grid, by
// AVX-512's dot products of pairs, or as floats.
//
// The left factor lies row by row. The right one, (depth, columns), lies in strips of 16 columns in
// which the pairs of two rows are side by side: (columns / 16, depth / 2, 16) pairs, as the grid and
// the dot products read them. Sizes are padded with zeros to whole blocks.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "amx.h"
#include "vector.h"

namespace {

constexpr int kBlock = 32;  // rows and columns of a block of a product; its depth is a multiple
constexpr int kStrip = 16;

int64_t whole_blocks(int64_t size) { return (size + kBlock - 1) / kBlock * kBlock; }

// A float's nearest of 16 bits in the upper half of what is given back.
uint32_t rounded_bits(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  return bits + 0x7fff + (bits >> 16 & 1);
}

uint16_t to_bfloat(float x) { return uint16_t(rounded_bits(x) >> 16); }

float of_bfloat(uint16_t x) {
  const uint32_t bits = uint32_t(x) << 16;
  float found;
  std::memcpy(&found, &bits, sizeof found);
  return found;
}

// The same of many at a time.
Ints rounded_bits(Floats x) {
  const Ints bits = as_ints(x), odd = both(over_power<16>(bits), all_ints(1));
  return add(bits, add(odd, all_ints(0x7fff)));
}

void store_bfloats(uint16_t* to, Floats x) { store_upper(to, rounded_bits(x)); }

// Pairs of bfloats side by side.
void store_pairs(uint32_t* to, Floats even, Floats odd) {
  const Ints lower = both(over_power<16>(rounded_bits(even)), all_ints(0xffff));
  const Ints upper = both(rounded_bits(odd), all_ints(int32_t(0xffff0000)));
  store_whole(reinterpret_cast<uint8_t*>(to), either(lower, upper));
}

// The grid of a thread, for blocks.
class BfloatGrid {
 public:
  const bool here;

  BfloatGrid() : here(grid_allowed()) {
#if HORNBOOK_GRID
    if (!here) return;
    struct alignas(64) {
      uint8_t palette = 1, start = 0, none[14] = {};
      uint16_t bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
      uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
    } shapes{};
    __asm__ volatile("ldtilecfg %0" ::"m"(shapes));
#endif
  }
  BfloatGrid(const BfloatGrid&) = delete;
  ~BfloatGrid() {
#if HORNBOOK_GRID
    if (here) __asm__ volatile("tilerelease");
#endif
  }
};

// Factors of a block: rows of `a`, so many numbers apart, and two strips of pairs.
struct Factors {
  const uint16_t* a;
  int64_t a_stride;
  const uint32_t* b;
  int64_t strip;
  int64_t depth;
};

void multiply_on_grid(const Factors& f, float* c, int64_t stride, bool add) {
  constexpr int kRows = 16, kPair = 4;
  float* below = c + kRows * stride;
  if (add) {
    grid_load<0>(c, stride * 4);
    grid_load<1>(c + kStrip, stride * 4);
    grid_load<2>(below, stride * 4);
    grid_load<3>(below + kStrip, stride * 4);
  } else {
    grid_zero<0>();
    grid_zero<1>();
    grid_zero<2>();
    grid_zero<3>();
  }
  for (int64_t k = 0; k < f.depth; k += kBlock) {
    grid_load<4>(f.a + k, f.a_stride * 2);
    grid_load<5>(f.a + kRows * f.a_stride + k, f.a_stride * 2);
    grid_load<6>(f.b + k / 2 * kStrip, kStrip * kPair);
    grid_load<7>(f.b + f.strip + k / 2 * kStrip, kStrip * kPair);
    grid_add_floats<0, 4, 6>();
    grid_add_floats<1, 4, 7>();
    grid_add_floats<2, 5, 6>();
    grid_add_floats<3, 5, 7>();
  }
  grid_store<0>(c, stride * 4);
  grid_store<1>(c + kStrip, stride * 4);
  grid_store<2>(below, stride * 4);
  grid_store<3>(below + kStrip, stride * 4);
}

// c += the products of pairs.
Floats add_pairs(Ints a, Ints b, Floats c) {
#ifdef __AVX512BF16__
  return _mm512_dpbf16_ps(c, (__m512bh)a, (__m512bh)b);
#else
  const Ints upper = all_ints(int32_t(0xffff0000));
  c = multiply_add(as_floats(times_power<16>(a)), as_floats(times_power<16>(b)), c);
  return multiply_add(as_floats(both(a, upper)), as_floats(both(b, upper)), c);
#endif
}

void multiply_in_registers(const Factors& f, float* c, int64_t stride, bool add) {
  constexpr int kRows = kLanes == 16 ? 8 : 2, kEach = kBlock / kLanes;
  for (int first = 0; first < kBlock; first += kRows) {
    Floats sums[kRows][kEach];
    for (int r = 0; r < kRows; r++)
      for (int j = 0; j < kEach; j++)
        sums[r][j] = add ? load(c + (first + r) * stride + j * kLanes) : zeros();
    for (int64_t k = 0; k < f.depth; k += 2) {
      Ints b[kEach];
      for (int j = 0; j < kEach; j++) {
        const int column = j * kLanes;
        const uint32_t* at = f.b + column / kStrip * f.strip + k / 2 * kStrip + column % kStrip;
        b[j] = load_bytes(reinterpret_cast<const uint8_t*>(at));
      }
      for (int r = 0; r < kRows; r++) {
        int32_t pair;
        std::memcpy(&pair, f.a + (first + r) * f.a_stride + k, sizeof pair);
        for (int j = 0; j < kEach; j++) sums[r][j] = add_pairs(all_ints(pair), b[j], sums[r][j]);
      }
    }
    for (int r = 0; r < kRows; r++)
      for (int j = 0; j < kEach; j++) store(c + (first + r) * stride + j * kLanes, sums[r][j]);
  }
}

// c (32, 32) = the product, or with `add` more by it.
void multiply_block(const BfloatGrid& grid, const Factors& f, float* c, int64_t stride, bool add) {
  if (kHasGrid && grid.here) multiply_on_grid(f, c, stride, add);
  else multiply_in_registers(f, c, stride, add);
}

// Rows (rows, columns), `stride` apart, as (padded rows, padded columns) in one piece.
void pad(const uint16_t* from, int64_t stride, int64_t rows, int64_t columns, uint16_t* to) {
  const int64_t wide = whole_blocks(columns);
  for (int64_t r = 0; r < rows; r++) {
    std::copy(from + r * stride, from + r * stride + columns, to + r * wide);
    std::fill(to + r * wide + columns, to + (r + 1) * wide, uint16_t(0));
  }
  std::fill(to + rows * wide, to + whole_blocks(rows) * wide, uint16_t(0));
}

// Padded rows as the right factor whose depth they are.
void pairs_down(const uint16_t* x, int64_t rows, int64_t columns, uint32_t* to) {
  for (int64_t c = 0; c < columns; c += kStrip)
    for (int64_t r = 0; r < rows; r += 2) {
      const uint16_t *even = x + r * columns + c, *odd = even + columns;
      for (int j = 0; j < kStrip; j++) to[j] = even[j] | uint32_t(odd[j]) << 16;
      to += kStrip;
    }
}

// Padded rows as the right factor whose columns they are.
void pairs_across(const uint16_t* x, int64_t rows, int64_t columns, uint32_t* to) {
  for (int64_t r = 0; r < rows; r += kStrip)
    for (int64_t c = 0; c < columns; c += 2) {
      for (int j = 0; j < kStrip; j++)
        std::memcpy(to + j, x + (r + j) * columns + c, sizeof *to);
      to += kStrip;
    }
}

// Padded rows (rows, columns) as (columns, rows), these `stride` apart.
void turn(const uint16_t* x, int64_t rows, int64_t columns, uint16_t* to, int64_t stride) {
  for (int64_t r = 0; r < rows; r += kStrip)
    for (int64_t c = 0; c < columns; c++)
      for (int j = 0; j < kStrip; j++) to[c * stride + r + j] = x[(r + j) * columns + c];
}

}  // namespace
