// Eight floats at a time in two registers: NEON of 64-bit ARM, and products of bytes by the dot
// product instructions (dotprod of ARMv8.2, i8mm of v8.6) where they are there. `vector.h` includes
// it. Eight, and not the four of a register, so that sums are made in the order of `avx2.h`.
#pragma once

#include <arm_neon.h>

#include <cstdint>

namespace {

constexpr int kLanes = 8;
struct Floats {
  float32x4_t low, high;
};
struct Ints {  // 32 bits each, or four bytes side by side
  int32x4_t low, high;
};

Floats zeros() { return {vdupq_n_f32(0), vdupq_n_f32(0)}; }
Floats all(float x) { return {vdupq_n_f32(x), vdupq_n_f32(x)}; }
Floats load(const float* x) { return {vld1q_f32(x), vld1q_f32(x + 4)}; }
void store(float* to, Floats x) {
  vst1q_f32(to, x.low);
  vst1q_f32(to + 4, x.high);
}
Floats add(Floats a, Floats b) { return {vaddq_f32(a.low, b.low), vaddq_f32(a.high, b.high)}; }
Floats subtract(Floats a, Floats b) {
  return {vsubq_f32(a.low, b.low), vsubq_f32(a.high, b.high)};
}
Floats multiply(Floats a, Floats b) {
  return {vmulq_f32(a.low, b.low), vmulq_f32(a.high, b.high)};
}
Floats divide(Floats a, Floats b) { return {vdivq_f32(a.low, b.low), vdivq_f32(a.high, b.high)}; }
Floats multiply_add(Floats a, Floats b, Floats c) {
  return {vfmaq_f32(c.low, a.low, b.low), vfmaq_f32(c.high, a.high, b.high)};
}
Floats larger(Floats a, Floats b) { return {vmaxq_f32(a.low, b.low), vmaxq_f32(a.high, b.high)}; }
Floats absolute(Floats a) { return {vabsq_f32(a.low), vabsq_f32(a.high)}; }
Floats rounded(Floats a) { return {vrndnq_f32(a.low), vrndnq_f32(a.high)}; }
float sum(Floats a) {
  const float32x4_t four = vaddq_f32(a.low, a.high);
  const float32x2_t two = vadd_f32(vget_low_f32(four), vget_high_f32(four));
  return vget_lane_f32(two, 0) + vget_lane_f32(two, 1);
}
float largest(Floats a) { return vmaxvq_f32(vmaxq_f32(a.low, a.high)); }

// x times 2^n, n whole and above -126.
Floats scale_by_power(Floats x, Floats n) {
  const auto power = [](float32x4_t n) {
    const int32x4_t exponent = vaddq_s32(vcvtnq_s32_f32(n), vdupq_n_s32(127));
    return vreinterpretq_f32_s32(vshlq_n_s32(exponent, 23));
  };
  return multiply(x, {power(n.low), power(n.high)});
}

// Half floats.
Floats load_halves(const uint16_t* x) {
  const float16x8_t halves = vreinterpretq_f16_u16(vld1q_u16(x));
  return {vcvt_f32_f16(vget_low_f16(halves)), vcvt_f32_f16(vget_high_f16(halves))};
}
void store_halves(uint16_t* to, Floats x) {
  const float16x8_t halves = vcombine_f16(vcvt_f16_f32(x.low), vcvt_f16_f32(x.high));
  vst1q_u16(to, vreinterpretq_u16_f16(halves));
}

// Floats of 16 bits with the exponent of 32.
Floats load_bfloats(const uint16_t* x) {
  const auto wide = [](const uint16_t* x) {
    return vreinterpretq_f32_u32(vshll_n_u16(vld1_u16(x), 16));
  };
  return {wide(x), wide(x + 4)};
}

// Floats as their bits, and the upper halves of such.
Ints as_ints(Floats x) {
  return {vreinterpretq_s32_f32(x.low), vreinterpretq_s32_f32(x.high)};
}
void store_upper(uint16_t* to, Ints x) {
  vst1_u16(to, vshrn_n_u32(vreinterpretq_u32_s32(x.low), 16));
  vst1_u16(to + 4, vshrn_n_u32(vreinterpretq_u32_s32(x.high), 16));
}

// to (4,) = the sums of four, times `by`.
void store_sums(float* to, const Floats* x, float by) {
  const auto sums = [](float32x4_t a, float32x4_t b, float32x4_t c, float32x4_t d) {
    return vpaddq_f32(vpaddq_f32(a, b), vpaddq_f32(c, d));
  };
  const float32x4_t low = sums(x[0].low, x[1].low, x[2].low, x[3].low);
  const float32x4_t high = sums(x[0].high, x[1].high, x[2].high, x[3].high);
  vst1q_f32(to, vmulq_n_f32(vaddq_f32(low, high), by));
}

Ints no_ints() { return {vdupq_n_s32(0), vdupq_n_s32(0)}; }
Ints all_ints(int32_t x) { return {vdupq_n_s32(x), vdupq_n_s32(x)}; }
Ints all_bytes(int8_t x) {
  const int32x4_t found = vreinterpretq_s32_s8(vdupq_n_s8(x));
  return {found, found};
}
Ints load_bytes(const uint8_t* x) {
  return {vreinterpretq_s32_u8(vld1q_u8(x)), vreinterpretq_s32_u8(vld1q_u8(x + 16))};
}
Ints both(Ints a, Ints b) { return {vandq_s32(a.low, b.low), vandq_s32(a.high, b.high)}; }
Ints either(Ints a, Ints b) { return {vorrq_s32(a.low, b.low), vorrq_s32(a.high, b.high)}; }
Ints add(Ints a, Ints b) { return {vaddq_s32(a.low, b.low), vaddq_s32(a.high, b.high)}; }
Ints subtract(Ints a, Ints b) { return {vsubq_s32(a.low, b.low), vsubq_s32(a.high, b.high)}; }
template <int kBy>
Ints times_power(Ints x) { return {vshlq_n_s32(x.low, kBy), vshlq_n_s32(x.high, kBy)}; }
template <int kBy>
Ints over_power(Ints x) { return {vshrq_n_s32(x.low, kBy), vshrq_n_s32(x.high, kBy)}; }
int sum(Ints x) { return vaddvq_s32(vaddq_s32(x.low, x.high)); }
Ints to_ints(Floats x) { return {vcvtnq_s32_f32(x.low), vcvtnq_s32_f32(x.high)}; }
Floats to_floats(Ints x) { return {vcvtq_f32_s32(x.low), vcvtq_f32_s32(x.high)}; }
Floats as_floats(Ints x) {  // the same bits
  return {vreinterpretq_f32_s32(x.low), vreinterpretq_f32_s32(x.high)};
}
void store_whole(uint8_t* to, Ints x) {
  vst1q_u8(to, vreinterpretq_u8_s32(x.low));
  vst1q_u8(to + 16, vreinterpretq_u8_s32(x.high));
}
void store_bytes(int8_t* to, Ints x) {
  vst1_s8(to, vmovn_s16(vcombine_s16(vmovn_s32(x.low), vmovn_s32(x.high))));
}

// Bits moved by so many to the right, or to the left; what comes from the byte beside is no matter.
template <int kBy>
int32x4_t shifted(int32x4_t x) {
  const uint8x16_t bytes = vreinterpretq_u8_s32(x);
  if constexpr (kBy > 0) return vreinterpretq_s32_u8(vshrq_n_u8(bytes, kBy));
  else return vreinterpretq_s32_u8(vshlq_n_u8(bytes, -kBy));
}
template <int kBy>
Ints shifted(Ints x) { return {shifted<kBy>(x.low), shifted<kBy>(x.high)}; }

// Sixteen bytes for each part of a register, and those of them at places 0 to 15.
Ints sixteen_bytes(const uint8_t* x) {
  const int32x4_t found = vreinterpretq_s32_u8(vld1q_u8(x));
  return {found, found};
}
Ints entries(Ints table, Ints places) {
  const auto found = [](int32x4_t table, int32x4_t places) {
    const uint8x16_t at = vreinterpretq_u8_s32(places);
    return vreinterpretq_s32_u8(vqtbl1q_u8(vreinterpretq_u8_s32(table), at));
  };
  return {found(table.low, places.low), found(table.high, places.high)};
}

// Bytes as floats: with a sign, and the lower and upper four bits of each.
Floats to_floats(int16x8_t x) {
  return to_floats(Ints{vmovl_s16(vget_low_s16(x)), vmovl_s16(vget_high_s16(x))});
}
Floats load_steps(const int8_t* x) { return to_floats(vmovl_s8(vld1_s8(x))); }
uint8x8_t eight(const int8_t* x) { return vreinterpret_u8_s8(vld1_s8(x)); }
Floats lower_steps(const int8_t* x) {
  return to_floats(vreinterpretq_s16_u16(vmovl_u8(vand_u8(eight(x), vdup_n_u8(15)))));
}
Floats upper_steps(const int8_t* x) {
  return to_floats(vreinterpretq_s16_u16(vmovl_u8(vshr_n_u8(eight(x), 4))));
}

#ifdef __ARM_FEATURE_MATMUL_INT8
constexpr bool kMixes = true;  // there is a product of bytes without and with a sign
#else
constexpr bool kMixes = false;
#endif

#ifdef __ARM_FEATURE_DOTPROD

// sums += four bytes of each lane of w times the four of x at kAt. kSigned: whether w has a sign.
template <bool kSigned, int kAt>
int32x4_t add_dot(int32x4_t sums, int32x4_t w, int8x16_t x) {
#ifdef __ARM_FEATURE_MATMUL_INT8
  if constexpr (!kSigned) return vusdotq_laneq_s32(sums, vreinterpretq_u8_s32(w), x, kAt);
#endif
  return vdotq_laneq_s32(sums, vreinterpretq_s8_s32(w), x, kAt);
}

template <bool kSigned, int kAt>
void add_dots(Ints& sums, const Ints* w, int8x16_t x) {
  sums.low = add_dot<kSigned, kAt>(sums.low, w[kAt].low, x);
  sums.high = add_dot<kSigned, kAt>(sums.high, w[kAt].high, x);
  if constexpr (kAt < 3) add_dots<kSigned, kAt + 1>(sums, w, x);
}

template <bool kSigned, int kCount>
Ints dots(const Ints* w, const int8_t* x) {
  Ints sums = no_ints();
  for (int j = 0; j < kCount; j += 4) add_dots<kSigned, 0>(sums, w + j, vld1q_s8(x + 4 * j));
  return sums;
}

#else

// Two bytes of each lane of w[0] and w[1] times those of x, in 16 bits, which have room for two.
int32x4_t add_pairs(int32x4_t sums, int8x8_t w0, int8x8_t x0, int8x8_t w1, int8x8_t x1) {
  return vpadalq_s16(sums, vmlal_s8(vmull_s8(w0, x0), w1, x1));
}

template <bool kSigned, int kCount>
Ints dots(const Ints* w, const int8_t* x) {
  static_assert(kSigned, "without i8mm w has a sign");
  int32x4_t sums[4];
  for (auto& each : sums) each = vdupq_n_s32(0);
  for (int j = 0; j < kCount; j += 2) {
    const int32_t* four = reinterpret_cast<const int32_t*>(x) + j;
    const int8x8_t x0 = vreinterpret_s8_s32(vld1_dup_s32(four));
    const int8x8_t x1 = vreinterpret_s8_s32(vld1_dup_s32(four + 1));
    for (int half = 0; half < 2; half++) {
      const int8x16_t w0 = vreinterpretq_s8_s32(half ? w[j].high : w[j].low);
      const int8x16_t w1 = vreinterpretq_s8_s32(half ? w[j + 1].high : w[j + 1].low);
      int32x4_t* to = sums + 2 * half;
      to[0] = add_pairs(to[0], vget_low_s8(w0), x0, vget_low_s8(w1), x1);
      to[1] = add_pairs(to[1], vget_high_s8(w0), x0, vget_high_s8(w1), x1);
    }
  }
  return {vpaddq_s32(sums[0], sums[1]), vpaddq_s32(sums[2], sums[3])};
}

#endif

// See `vector.h`. Where bytes are only multiplied that have a sign, w of eight bits is taken as 128
// less, and 128 times the sum of x comes on top.
template <int kBits, int kCount, int M>
void products_of_bytes(const Ints* w, const int32_t* x, int step, Ints* found) {
  Ints less[kCount];
  constexpr bool kLess = kBits == 8 && !kMixes;
  if constexpr (kLess) {
    const int32x4_t sign = vreinterpretq_s32_u8(vdupq_n_u8(128));
    for (int j = 0; j < kCount; j++) less[j] = {veorq_s32(w[j].low, sign), veorq_s32(w[j].high, sign)};
  }
  for (int m = 0; m < M; m++) {
    const int8_t* bytes = reinterpret_cast<const int8_t*>(x + m * step);
    if constexpr (kLess) {
      int sum = 0;
      for (int j = 0; j < kCount; j += 4) sum += vaddlvq_s8(vld1q_s8(bytes + 4 * j));
      found[m] = add(dots<true, kCount>(less, bytes), all_ints(128 * sum));
    } else {
      found[m] = dots<kBits < 8, kCount>(w, bytes);
    }
  }
}

}  // namespace
