// Eight floats at a time: AVX2, and VNNI where it is there without AVX-512. `vector.h` includes it.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace {

constexpr int kLanes = 8;
using Floats = __m256;
using Ints = __m256i;  // 32 bits each, or four bytes side by side

Floats zeros() { return _mm256_setzero_ps(); }
Floats all(float x) { return _mm256_set1_ps(x); }
Floats load(const float* x) { return _mm256_loadu_ps(x); }
void store(float* to, Floats x) { _mm256_storeu_ps(to, x); }
Floats add(Floats a, Floats b) { return _mm256_add_ps(a, b); }
Floats subtract(Floats a, Floats b) { return _mm256_sub_ps(a, b); }
Floats multiply(Floats a, Floats b) { return _mm256_mul_ps(a, b); }
Floats divide(Floats a, Floats b) { return _mm256_div_ps(a, b); }
Floats multiply_add(Floats a, Floats b, Floats c) { return _mm256_fmadd_ps(a, b, c); }
Floats larger(Floats a, Floats b) { return _mm256_max_ps(a, b); }
Floats absolute(Floats a) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), a); }
Floats rounded(Floats a) {
  return _mm256_round_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
float sum(Floats a) {
  __m128 x = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
  x = _mm_add_ps(x, _mm_movehl_ps(x, x));
  return _mm_cvtss_f32(_mm_add_ss(x, _mm_movehdup_ps(x)));
}
float largest(Floats a) {
  __m128 x = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
  x = _mm_max_ps(x, _mm_movehl_ps(x, x));
  return _mm_cvtss_f32(_mm_max_ss(x, _mm_movehdup_ps(x)));
}

// x times 2^n, n whole and above -126.
Floats scale_by_power(Floats x, Floats n) {
  const __m256i exponent = _mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127));
  return _mm256_mul_ps(x, _mm256_castsi256_ps(_mm256_slli_epi32(exponent, 23)));
}

// Half floats.
Floats load_halves(const uint16_t* x) {
  return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(x)));
}
void store_halves(uint16_t* to, Floats x) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(to), _mm256_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT));
}

// Floats of 16 bits with the exponent of 32.
Floats load_bfloats(const uint16_t* x) {
  const __m128i halves = _mm_loadu_si128(reinterpret_cast<const __m128i*>(x));
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(halves), 16));
}

// Floats as their bits, and the upper halves of such.
Ints as_ints(Floats x) { return _mm256_castps_si256(x); }
void store_upper(uint16_t* to, Ints x) {
  const __m256i halves = _mm256_srli_epi32(x, 16);
  const __m256i each = _mm256_permute4x64_epi64(_mm256_packus_epi32(halves, halves), 8);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(to), _mm256_castsi256_si128(each));
}

// to (4,) = the sums of four, times `by`.
void store_sums(float* to, const Floats* x, float by) {
  const __m256 a = _mm256_hadd_ps(x[0], x[1]), b = _mm256_hadd_ps(x[2], x[3]);
  const __m256 two = _mm256_hadd_ps(a, b);
  const __m128 found = _mm_add_ps(_mm256_castps256_ps128(two), _mm256_extractf128_ps(two, 1));
  _mm_storeu_ps(to, _mm_mul_ps(found, _mm_set1_ps(by)));
}

Ints no_ints() { return _mm256_setzero_si256(); }
Ints all_ints(int32_t x) { return _mm256_set1_epi32(x); }
Ints all_bytes(int8_t x) { return _mm256_set1_epi8(x); }
Ints load_bytes(const uint8_t* x) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(x));
}
Ints both(Ints a, Ints b) { return _mm256_and_si256(a, b); }
Ints either(Ints a, Ints b) { return _mm256_or_si256(a, b); }
Ints add(Ints a, Ints b) { return _mm256_add_epi32(a, b); }
Ints subtract(Ints a, Ints b) { return _mm256_sub_epi32(a, b); }
template <int kBy>
Ints times_power(Ints x) { return _mm256_slli_epi32(x, kBy); }
template <int kBy>
Ints over_power(Ints x) { return _mm256_srai_epi32(x, kBy); }
int sum(Ints x) {
  __m128i y = _mm_add_epi32(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1));
  y = _mm_add_epi32(y, _mm_shuffle_epi32(y, 0x4e));
  return _mm_cvtsi128_si32(_mm_add_epi32(y, _mm_shuffle_epi32(y, 0xb1)));
}
Ints to_ints(Floats x) { return _mm256_cvtps_epi32(x); }
Floats to_floats(Ints x) { return _mm256_cvtepi32_ps(x); }
Floats as_floats(Ints x) { return _mm256_castsi256_ps(x); }  // the same bits
void store_whole(uint8_t* to, Ints x) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), x);
}
void store_bytes(int8_t* to, Ints x) {
  const __m128i shorts =
      _mm_packs_epi32(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1));
  _mm_storel_epi64(reinterpret_cast<__m128i*>(to), _mm_packs_epi16(shorts, shorts));
}

// Bits moved by so many to the right, or to the left; what comes from the byte beside is no matter.
template <int kBy>
Ints shifted(Ints x) {
  if constexpr (kBy >= 0) return _mm256_srli_epi16(x, kBy);
  else return _mm256_slli_epi16(x, -kBy);
}

// Sixteen bytes for each part of a register, and those of them at places 0 to 15.
Ints sixteen_bytes(const uint8_t* x) {
  return _mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(x)));
}
Ints entries(Ints table, Ints places) { return _mm256_shuffle_epi8(table, places); }

// Bytes as floats: with a sign, and the lower and upper four bits of each.
__m128i eight(const int8_t* x) { return _mm_loadl_epi64(reinterpret_cast<const __m128i*>(x)); }
Floats load_steps(const int8_t* x) { return to_floats(_mm256_cvtepi8_epi32(eight(x))); }
Floats lower_steps(const int8_t* x) {
  return to_floats(both(_mm256_cvtepu8_epi32(eight(x)), all_ints(15)));
}
Floats upper_steps(const int8_t* x) {
  return to_floats(over_power<4>(_mm256_cvtepu8_epi32(eight(x))));
}

// See `vector.h`.
template <int kBits, int kCount, int M>
void products_of_bytes(const Ints* w, const int32_t* x, int step, Ints* found) {
#ifdef __AVXVNNI__
  for (int m = 0; m < M; m++) found[m] = no_ints();
  for (int j = 0; j < kCount; j++)
    for (int m = 0; m < M; m++) found[m] = _mm256_dpbusd_avx_epi32(found[m], w[j], all_ints(x[m * step + j]));
#else
  // Two products side by side in 16 bits, where eight such sums of four-bit codes have room.
  const Ints ones = _mm256_set1_epi16(1);
  for (int m = 0; m < M; m++) {
    Ints lower = no_ints(), upper = no_ints();
    for (int j = 0; j < kCount; j++) {
      const Ints four = all_ints(x[m * step + j]);
      if constexpr (kBits <= 4) {
        lower = _mm256_add_epi16(lower, _mm256_maddubs_epi16(w[j], four));
      } else {
        const Ints high = both(shifted<4>(w[j]), all_bytes(15));
        lower = _mm256_add_epi16(lower, _mm256_maddubs_epi16(both(w[j], all_bytes(15)), four));
        upper = _mm256_add_epi16(upper, _mm256_maddubs_epi16(high, four));
      }
    }
    found[m] = _mm256_madd_epi16(lower, ones);
    if constexpr (kBits > 4)
      found[m] = add(found[m], times_power<4>(_mm256_madd_epi16(upper, ones)));
  }
#endif
}

}  // namespace
