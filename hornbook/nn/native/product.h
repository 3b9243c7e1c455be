// Products with codes of four or eight bits.
//
// Weights are stored in blocks of 16 outputs by a group of 32 inputs, in the order in which they
// are read: 16 scales and 16 least values (float16), then the codes, four inputs of an output side
// by side, as VPDPBUSD takes them. Of four bits, the low halves of a byte are the first 16 inputs.
// Inputs become fifteen bits in groups of 32 with a scale each, in two halves, which cost a product
// each. With eight bits, as in llama.cpp's Q8_1 blocks, prompts are read faster by half; but a last
// bit that another order of sums gives then turns a code around, and greedy answers part ways soon.
#pragma once

#include <immintrin.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>

#include "team.h"

namespace {

constexpr int kTile = 16, kGroup = 32, kRows = 8;
constexpr float kLargest = 127 * 128;  // code of an input

struct Matrix {
  const uint8_t* blocks;
  const float* bias;  // or null
  int32_t outputs, inputs, bits;
};

// Inputs of a product: per row and group 32 upper and 32 lower halves of codes, q = 128 upper +
// lower, a scale, and scale * sum.
struct Inputs {
  int8_t* codes;
  float *scales, *sums;
  int inputs;

  int groups() const { return inputs / kGroup; }
};

// Memory of a call, given out piece by piece; with no base it only counts.
struct Arena {
  uint8_t* base = nullptr;
  size_t used = 0;

  Arena() = default;
  explicit Arena(size_t size) : base(static_cast<uint8_t*>(std::aligned_alloc(64, size))) {}
  Arena(const Arena&) = delete;
  ~Arena() { std::free(base); }

  template <typename T>
  T* take(size_t count) {
    T* found = reinterpret_cast<T*>(base + used);
    used += (count * sizeof(T) + 63) / 64 * 64;
    return base ? found : nullptr;
  }

  Inputs inputs(int rows, int size) {
    const size_t codes = size_t(rows) * size;
    int8_t* first = take<int8_t>(2 * codes);
    float* scales = take<float>(codes / kGroup);
    return {first, scales, take<float>(codes / kGroup), size};
  }
};

void quantise(const float* x, const Inputs& to, int64_t row) {
  for (int g = 0; g < to.groups(); g++) {
    const __m512 a = _mm512_loadu_ps(x + g * kGroup), b = _mm512_loadu_ps(x + g * kGroup + 16);
    const float most = _mm512_reduce_max_ps(_mm512_max_ps(_mm512_abs_ps(a), _mm512_abs_ps(b)));
    const __m512 by = _mm512_set1_ps(most > 0 ? kLargest / most : 0);
    const __m512i codes[2] = {_mm512_cvtps_epi32(_mm512_mul_ps(a, by)),
                              _mm512_cvtps_epi32(_mm512_mul_ps(b, by))};
    int8_t* high = to.codes + 2 * (row * to.inputs + g * kGroup);
    for (int i = 0; i < 2; i++) {
      const __m512i half = _mm512_set1_epi32(64);
      const __m512i upper = _mm512_srai_epi32(_mm512_add_epi32(codes[i], half), 7);
      const __m512i lower = _mm512_sub_epi32(codes[i], _mm512_slli_epi32(upper, 7));
      _mm_storeu_si128((__m128i*)(high + 16 * i), _mm512_cvtepi32_epi8(upper));
      _mm_storeu_si128((__m128i*)(high + kGroup + 16 * i), _mm512_cvtepi32_epi8(lower));
    }
    to.scales[row * to.groups() + g] = most / kLargest;
    const int sum = _mm512_reduce_add_epi32(_mm512_add_epi32(codes[0], codes[1]));
    to.sums[row * to.groups() + g] = most / kLargest * float(sum);
  }
}

template <int kBits>
constexpr int kBlock = 4 * kTile + kTile * kGroup * kBits / 8;

// out (M, 16): M rows from `row` on times one tile of 16 outputs.
template <int kBits, int M>
void tile(const uint8_t* block, const Inputs& x, int64_t row, float* out) {
  const int groups = x.groups();
  const int8_t* codes = x.codes + 2 * row * x.inputs;
  const float *scales = x.scales + row * groups, *sums = x.sums + row * groups;
  __m512 sum[M];
  for (int m = 0; m < M; m++) sum[m] = _mm512_setzero_ps();
  for (int g = 0; g < groups; g++, block += kBlock<kBits>) {
    const __m512 scale = _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i*)block));
    const __m512 least = _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i*)(block + 32)));
    const uint8_t* stored = block + 64;
    __m512i w[8];
    if (kBits == 4) {
      const __m512i low = _mm512_set1_epi8(15);
      for (int j = 0; j < 4; j++) {
        const __m512i both = _mm512_loadu_si512(stored + 64 * j);
        w[j] = _mm512_and_si512(both, low);
        w[j + 4] = _mm512_and_si512(_mm512_srli_epi16(both, 4), low);
      }
    } else {
      for (int j = 0; j < 8; j++) w[j] = _mm512_loadu_si512(stored + 64 * j);
    }
    for (int m = 0; m < M; m++) {
      const int32_t* high = (const int32_t*)(codes + 2 * (m * x.inputs + g * kGroup));
      const int32_t* low = high + kGroup / 4;
      __m512i a = _mm512_setzero_si512(), b = a;
      for (int j = 0; j < 8; j++) {
        a = _mm512_dpbusd_epi32(a, w[j], _mm512_set1_epi32(high[j]));
        b = _mm512_dpbusd_epi32(b, w[j], _mm512_set1_epi32(low[j]));
      }
      const __m512i whole = _mm512_add_epi32(_mm512_slli_epi32(a, 7), b);
      const __m512 by = _mm512_mul_ps(scale, _mm512_set1_ps(scales[m * groups + g]));
      sum[m] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(whole), by, sum[m]);
      sum[m] = _mm512_fmadd_ps(least, _mm512_set1_ps(sums[m * groups + g]), sum[m]);
    }
  }
  for (int m = 0; m < M; m++) _mm512_storeu_ps(out + m * kTile, sum[m]);
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
void multiply(Member& team, const Matrix& w, const Inputs& x, int64_t rows, float* y) {
  products(team, w.outputs / kTile, rows, [&](int64_t t, int64_t row, int count) {
    float out[kRows * kTile];
    product(w, t, x, row, count, out);
    for (int m = 0; m < count; m++) {
      float* to = y + (row + m) * w.outputs + t * kTile;
      const __m512 found = _mm512_loadu_ps(out + m * kTile);
      _mm512_storeu_ps(to, kAdd ? _mm512_add_ps(_mm512_loadu_ps(to), found) : found);
    }
  });
}

}  // namespace
