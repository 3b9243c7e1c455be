// Sums of products of bytes, and of floats of 16 bits, on AMX's grid, where there is one. `product.h`
// includes it.
//
// The grid multiplies some rows of inputs with sixteen outputs at once. In whole numbers these are the
// sums of `products_of_bytes`; in floats they have an order of their own, which `split.h` keeps. A
// thread tells it the number of rows when its part of a call begins, and lets go of it at the end; the
// system has to allow it, once for the process.
#pragma once

#include <cstdint>

#include "vector.h"

#if defined(__AMX_INT8__) && defined(__AMX_BF16__) && defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#define HORNBOOK_GRID 1
#else
#define HORNBOOK_GRID 0
#endif

namespace {

constexpr bool kHasGrid = HORNBOOK_GRID;
constexpr int kGridSums = 4;  // registers of sums, the first ones
constexpr int kGridInputs = 4, kGridCodes = 5;
// Of floats: the inputs of some rows, and the upper and lower parts of weights.
constexpr int kGridFloats = 3, kGridUpper = 6, kGridLower = 7;

// The instructions themselves: the compiler's own leave out that they read and write memory.
template <int kRegister>
void grid_zero() {
#if HORNBOOK_GRID
  __asm__ volatile("tilezero %%tmm%c0" ::"i"(kRegister));
#endif
}
template <int kRegister>
void grid_load(const void* x, int64_t stride) {
#if HORNBOOK_GRID
  __asm__ volatile("tileloadd (%1,%2,1), %%tmm%c0" ::"i"(kRegister), "r"(x), "r"(stride) : "memory");
#endif
}
template <int kRegister>
void grid_store(void* to, int64_t stride) {
#if HORNBOOK_GRID
  __asm__ volatile("tilestored %%tmm%c0, (%1,%2,1)" ::"i"(kRegister), "r"(to), "r"(stride) : "memory");
#endif
}
// to += inputs, with a sign, times codes, without.
template <int kTo, int kInputs, int kCodes>
void grid_add_products() {
#if HORNBOOK_GRID
  __asm__ volatile("tdpbsud %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(kTo), "i"(kInputs), "i"(kCodes));
#endif
}

// to += inputs times weights, pairs of floats of 16 bits with the exponent of 32 side by side. Of 32
// inputs the even and the odd ones are summed up by themselves, from zero and rounded after each, and
// what both come to is added.
template <int kTo, int kInputs, int kWeights>
void grid_add_floats() {
#if HORNBOOK_GRID
  __asm__ volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(kTo), "i"(kInputs), "i"(kWeights));
#endif
}

#if HORNBOOK_GRID
// The upper 16 bits of x, themselves a float, and the nearest such float.
Floats cut(Ints x) { return _mm512_castsi512_ps(both(x, all_ints(int32_t(0xffff0000)))); }
Floats cut(Floats x) { return cut(_mm512_castps_si512(x)); }
Floats shortened(Floats x) { return cut(add(_mm512_castps_si512(x), all_ints(0x8000))); }
// Short floats side by side, the even one in the lower half.
Ints side_by_side(Floats even, Floats odd) {
  return either(_mm512_srli_epi32(_mm512_castps_si512(even), 16), _mm512_castps_si512(odd));
}
// to (16,) = short floats as 16 bits each.
void store_short(uint16_t* to, Floats x) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(to),
                      _mm512_cvtepi32_epi16(_mm512_srli_epi32(_mm512_castps_si512(x), 16)));
}
// x, or 0 where it is smaller than `least`.
Floats not_below(Floats x, float least) {
  return _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(absolute(x), all(least), _CMP_GE_OQ), x);
}
#endif

// Whether the system lets this process have the grid.
bool grid_allowed() {
#if HORNBOOK_GRID
  constexpr long kAsk = 0x1023, kTiles = 18;  // ARCH_REQ_XCOMP_PERM of arch_prctl
  static const bool found = syscall(SYS_arch_prctl, kAsk, kTiles) == 0;
  return found;
#else
  return false;
#endif
}

// The grid of a thread, for calls of so many rows.
class Grid {
 public:
  explicit Grid(int64_t rows) : rows_(rows < 2 || !grid_allowed() ? 0 : rows < 16 ? 8 : 16) {
#if HORNBOOK_GRID
    if (rows_ == 0) return;
    struct alignas(64) {
      uint8_t palette = 1, start = 0, none[14] = {};
      uint16_t bytes[16] = {64, 64, 64, 64, 32, 64, 64, 64};  // of a row of each register
      uint8_t rows[16] = {};
    } shapes{};
    for (int i = 0; i < 5; i++) shapes.rows[i] = uint8_t(rows_);
    shapes.rows[kGridCodes] = 8, shapes.rows[kGridUpper] = shapes.rows[kGridLower] = 16;
    __asm__ volatile("ldtilecfg %0" ::"m"(shapes));
#endif
  }
  Grid(const Grid&) = delete;
  ~Grid() {
#if HORNBOOK_GRID
    if (rows_) __asm__ volatile("tilerelease");
#endif
  }

  int rows() const { return rows_; }  // that it takes at a time; 0 where there is none

 private:
  const int rows_;
};

}  // namespace
