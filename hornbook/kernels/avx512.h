// Sixteen floats at a time: AVX-512, and VNNI where it is there. `vector.h` includes it.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace {

constexpr int kLanes = 16;
using Floats = __m512;
using Ints = __m512i;  // 32 bits each, or four bytes side by side

Floats zeros() { return _mm512_setzero_ps(); }
Floats all(float x) { return _mm512_set1_ps(x); }
Floats load(const float* x) { return _mm512_loadu_ps(x); }
void store(float* to, Floats x) { _mm512_storeu_ps(to, x); }
Floats add(Floats a, Floats b) { return _mm512_add_ps(a, b); }
Floats subtract(Floats a, Floats b) { return _mm512_sub_ps(a, b); }
Floats multiply(Floats a, Floats b) { return _mm512_mul_ps(a, b); }
Floats divide(Floats a, Floats b) { return _mm512_div_ps(a, b); }
Floats multiply_add(Floats a, Floats b, Floats c) { return _mm512_fmadd_ps(a, b, c); }
Floats larger(Floats a, Floats b) { return _mm512_max_ps(a, b); }
Floats absolute(Floats a) { return _mm512_abs_ps(a); }
Floats rounded(Floats a) { return _mm512_roundscale_ps(a, 0); }
float sum(Floats a) { return _mm512_reduce_add_ps(a); }
float largest(Floats a) { return _mm512_reduce_max_ps(a); }

// x times 2^n, n whole and above -126.
Floats scale_by_power(Floats x, Floats n) { return _mm512_scalef_ps(x, n); }

// Half floats.
Floats load_halves(const uint16_t* x) {
  return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(x)));
}
void store_halves(uint16_t* to, Floats x) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(to),
                      _mm512_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT));
}

// Floats of 16 bits with the exponent of 32.
Floats load_bfloats(const uint16_t* x) {
  const __m256i halves = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(x));
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(halves), 16));
}

// Floats as their bits, and the upper halves of such.
Ints as_ints(Floats x) { return _mm512_castps_si512(x); }
void store_upper(uint16_t* to, Ints x) {
  const __m256i halves = _mm512_cvtepi32_epi16(_mm512_srli_epi32(x, 16));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), halves);
}

// to (4,) = the sums of four, times `by`.
void store_sums(float* to, const Floats* x, float by) {
  const __m512 a = _mm512_add_ps(_mm512_unpacklo_ps(x[0], x[1]), _mm512_unpackhi_ps(x[0], x[1]));
  const __m512 b = _mm512_add_ps(_mm512_unpacklo_ps(x[2], x[3]), _mm512_unpackhi_ps(x[2], x[3]));
  const __m512d c = _mm512_castps_pd(a), d = _mm512_castps_pd(b);
  const __m512 four = _mm512_add_ps(_mm512_castpd_ps(_mm512_unpacklo_pd(c, d)),
                                    _mm512_castpd_ps(_mm512_unpackhi_pd(c, d)));
  const __m256 two = _mm256_add_ps(_mm512_castps512_ps256(four), _mm512_extractf32x8_ps(four, 1));
  const __m128 found = _mm_add_ps(_mm256_castps256_ps128(two), _mm256_extractf128_ps(two, 1));
  _mm_storeu_ps(to, _mm_mul_ps(found, _mm_set1_ps(by)));
}

Ints no_ints() { return _mm512_setzero_si512(); }
Ints all_ints(int32_t x) { return _mm512_set1_epi32(x); }
Ints all_bytes(int8_t x) { return _mm512_set1_epi8(x); }
Ints load_bytes(const uint8_t* x) { return _mm512_loadu_si512(x); }
Ints both(Ints a, Ints b) { return _mm512_and_si512(a, b); }
Ints either(Ints a, Ints b) { return _mm512_or_si512(a, b); }
Ints add(Ints a, Ints b) { return _mm512_add_epi32(a, b); }
Ints subtract(Ints a, Ints b) { return _mm512_sub_epi32(a, b); }
template <int kBy>
Ints times_power(Ints x) { return _mm512_slli_epi32(x, kBy); }
template <int kBy>
Ints over_power(Ints x) { return _mm512_srai_epi32(x, kBy); }
int sum(Ints x) { return _mm512_reduce_add_epi32(x); }
Ints to_ints(Floats x) { return _mm512_cvtps_epi32(x); }
Floats to_floats(Ints x) { return _mm512_cvtepi32_ps(x); }
Floats as_floats(Ints x) { return _mm512_castsi512_ps(x); }  // the same bits
void store_whole(uint8_t* to, Ints x) { _mm512_storeu_si512(to, x); }
void store_bytes(int8_t* to, Ints x) { _mm_storeu_si128((__m128i*)to, _mm512_cvtepi32_epi8(x)); }

// Bits moved by so many to the right, or to the left; what comes from the byte beside is no matter.
template <int kBy>
Ints shifted(Ints x) {
  if constexpr (kBy >= 0) return _mm512_srli_epi16(x, kBy);
  else return _mm512_slli_epi16(x, -kBy);
}

// Sixteen bytes for each part of a register, and those of them at places 0 to 15.
Ints sixteen_bytes(const uint8_t* x) {
  return _mm512_broadcast_i32x4(_mm_loadu_si128(reinterpret_cast<const __m128i*>(x)));
}
Ints entries(Ints table, Ints places) { return _mm512_shuffle_epi8(table, places); }

// Bytes as floats: with a sign, and the lower and upper four bits of each.
__m128i sixteen(const int8_t* x) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(x)); }
Floats load_steps(const int8_t* x) { return to_floats(_mm512_cvtepi8_epi32(sixteen(x))); }
Floats lower_steps(const int8_t* x) {
  return to_floats(both(_mm512_cvtepu8_epi32(sixteen(x)), all_ints(15)));
}
Floats upper_steps(const int8_t* x) {
  return to_floats(over_power<4>(_mm512_cvtepu8_epi32(sixteen(x))));
}

// See `vector.h`.
template <int kBits, int kCount, int M>
void products_of_bytes(const Ints* w, const int32_t* x, int step, Ints* found) {
#ifdef __AVX512VNNI__
  for (int m = 0; m < M; m++) found[m] = no_ints();
  for (int j = 0; j < kCount; j++)
    for (int m = 0; m < M; m++) found[m] = _mm512_dpbusd_epi32(found[m], w[j], all_ints(x[m * step + j]));
#else
  // Two products side by side in 16 bits, where eight such sums of four-bit codes have room.
  const Ints ones = _mm512_set1_epi16(1);
  for (int m = 0; m < M; m++) {
    Ints lower = no_ints(), upper = no_ints();
    for (int j = 0; j < kCount; j++) {
      const Ints four = all_ints(x[m * step + j]);
      if constexpr (kBits <= 4) {
        lower = _mm512_add_epi16(lower, _mm512_maddubs_epi16(w[j], four));
      } else {
        const Ints high = both(shifted<4>(w[j]), all_bytes(15));
        lower = _mm512_add_epi16(lower, _mm512_maddubs_epi16(both(w[j], all_bytes(15)), four));
        upper = _mm512_add_epi16(upper, _mm512_maddubs_epi16(high, four));
      }
    }
    found[m] = _mm512_madd_epi16(lower, ones);
    if constexpr (kBits > 4)
      found[m] = add(found[m], times_power<4>(_mm512_madd_epi16(upper, ones)));
  }
#endif
}

}  // namespace
