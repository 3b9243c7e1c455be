// What an attention computes of the heads of a row.
#pragma once

#include <immintrin.h>

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace {

constexpr int kHeads = 4;  // that are computed together at the most

// 16 half floats, as keys and values are kept: a token reads all of them, and half the bytes.
__m512 halves(const uint16_t* x) {
  return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(x)));
}

// y (size,) = x (size,) in half floats; 16 divides size.
void halve(const float* x, int size, uint16_t* y) {
  for (int i = 0; i < size; i += 16)
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(y + i),
                        _mm512_cvtps_ph(_mm512_loadu_ps(x + i), _MM_FROUND_TO_NEAREST_INT));
}

// e^x for x <= 88, within 2 units of the last place: 2^n times a polynomial of the rest.
__m512 exponential(__m512 x) {
  x = _mm512_max_ps(x, _mm512_set1_ps(-87.0f));
  const __m512 n = _mm512_roundscale_ps(_mm512_mul_ps(x, _mm512_set1_ps(1.44269504f)), 0);
  __m512 r = _mm512_fnmadd_ps(n, _mm512_set1_ps(0.693359375f), x);
  r = _mm512_fnmadd_ps(n, _mm512_set1_ps(-2.12194440e-4f), r);
  __m512 p = _mm512_set1_ps(1.0f / 5040);
  for (float c : {1.0f / 720, 1.0f / 120, 1.0f / 24, 1.0f / 6, 0.5f, 1.0f, 1.0f})
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(c));
  return _mm512_scalef_ps(p, n);
}

// x (size,) over its root mean square, times weight (Zhang & Sennrich 2019); 16 divides size.
void rms_norm(const float* x, const float* weight, int size, float epsilon, float* y) {
  __m512 squares = _mm512_setzero_ps();
  for (int i = 0; i < size; i += 16) {
    const __m512 v = _mm512_loadu_ps(x + i);
    squares = _mm512_fmadd_ps(v, v, squares);
  }
  const float by = 1 / std::sqrt(_mm512_reduce_add_ps(squares) / size + epsilon);
  for (int i = 0; i < size; i += 16)
    _mm512_storeu_ps(y + i, _mm512_mul_ps(_mm512_mul_ps(_mm512_loadu_ps(x + i), _mm512_set1_ps(by)),
                                          _mm512_loadu_ps(weight + i)));
}

// x (2 half,) turned: channel i with channel i + half (Su et al. 2021).
void turn(float* x, const float* cos, const float* sin, int half) {
  for (int i = 0; i < half; i++) {
    const float a = x[i], b = x[i + half];
    x[i] = a * cos[i] - b * sin[i];
    x[i + half] = b * cos[i] + a * sin[i];
  }
}

// The sums of four vectors.
__m128 sums(const __m512* x) {
  const __m512 a = _mm512_add_ps(_mm512_unpacklo_ps(x[0], x[1]), _mm512_unpackhi_ps(x[0], x[1]));
  const __m512 b = _mm512_add_ps(_mm512_unpacklo_ps(x[2], x[3]), _mm512_unpackhi_ps(x[2], x[3]));
  const __m512d c = _mm512_castps_pd(a), d = _mm512_castps_pd(b);
  const __m512 four = _mm512_add_ps(_mm512_castpd_ps(_mm512_unpacklo_pd(c, d)),
                                    _mm512_castpd_ps(_mm512_unpackhi_pd(c, d)));
  const __m256 two = _mm256_add_ps(_mm512_castps512_ps256(four), _mm512_extractf32x8_ps(four, 1));
  return _mm_add_ps(_mm256_castps256_ps128(two), _mm256_extractf128_ps(two, 1));
}

// scores (H, room) = e^(q keys^T / sqrt(size) - their largest), with zeros after the last; over
// (H,) = one over their sum. 16 divides size and room.
template <int H>
void weigh(const float* q, const uint16_t* keys, int count, int size, float* scores, int room,
           float* over) {
  const __m128 scale = _mm_set1_ps(1 / std::sqrt(float(size)));
  for (int p = 0; p < count; p += 4) {
    const uint16_t* key[4];  // after the last one it comes again
    for (int j = 0; j < 4; j++) key[j] = keys + int64_t(std::min(p + j, count - 1)) * size;
    __m512 sum[H][4];
    for (int h = 0; h < H; h++)
      for (int j = 0; j < 4; j++) sum[h][j] = _mm512_setzero_ps();
    for (int i = 0; i < size; i += 16) {
      __m512 k[4];
      for (int j = 0; j < 4; j++) k[j] = halves(key[j] + i);
      for (int h = 0; h < H; h++) {
        const __m512 x = _mm512_loadu_ps(q + h * size + i);
        for (int j = 0; j < 4; j++) sum[h][j] = _mm512_fmadd_ps(x, k[j], sum[h][j]);
      }
    }
    for (int h = 0; h < H; h++)
      _mm_storeu_ps(scores + h * int64_t(room) + p, _mm_mul_ps(sums(sum[h]), scale));
  }
  for (int h = 0; h < H; h++) {
    float* score = scores + h * int64_t(room);
    const float most = *std::max_element(score, score + count);
    __m512 total = _mm512_setzero_ps();
    for (int p = 0; p < count; p += 16) {
      const __mmask16 mask = count - p >= 16 ? 0xffff : (1 << (count - p)) - 1;
      const __m512 x = _mm512_maskz_loadu_ps(mask, score + p);
      const __m512 found = exponential(_mm512_sub_ps(x, _mm512_set1_ps(most)));
      _mm512_storeu_ps(score + p, _mm512_maskz_mov_ps(mask, found));
      total = _mm512_add_ps(total, _mm512_maskz_mov_ps(mask, found));
    }
    over[h] = 1 / _mm512_reduce_add_ps(total);
  }
}

// y (H, size) = softmax(q keys^T / sqrt(size)) values, of H heads that share keys and values
// (count, size); 16 divides size.
template <int H>
void attend(const float* q, const uint16_t* keys, const uint16_t* values, int count, int size,
            float* scores, int room, float* y) {
  float over[H];
  weigh<H>(q, keys, count, size, scores, room, over);
  for (int i = 0; i < size; i += 32) {
    const int parts = std::min(2, (size - i) / 16);
    __m512 sum[H][2];
    for (int h = 0; h < H; h++) sum[h][0] = sum[h][1] = _mm512_setzero_ps();
    for (int p = 0; p < count; p++) {
      const uint16_t* value = values + int64_t(p) * size + i;
      const __m512 a = halves(value);
      const __m512 b = parts == 2 ? halves(value + 16) : a;
      for (int h = 0; h < H; h++) {
        const __m512 weight = _mm512_set1_ps(scores[h * int64_t(room) + p]);
        sum[h][0] = _mm512_fmadd_ps(weight, a, sum[h][0]);
        sum[h][1] = _mm512_fmadd_ps(weight, b, sum[h][1]);
      }
    }
    for (int h = 0; h < H; h++)
      for (int k = 0; k < parts; k++)
        _mm512_storeu_ps(y + h * size + i + 16 * k,
                         _mm512_mul_ps(sum[h][k], _mm512_set1_ps(over[h])));
  }
}

}  // namespace
