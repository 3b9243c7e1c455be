// As many floats at a time as registers hold, `kLanes` of them, and integers of 32 bits beside them:
// sixteen with AVX-512, eight with AVX2 and NEON.
//
// The only headers with a processor's own instructions are those included here. They offer the same
// functions, and those of eight lanes make every sum in the same order: the same bits.
//
// Of each as well: products_of_bytes<kBits, kCount, M>(w, x, step, found): found[m] = the sums of 4 or
// 8 products of four bytes each: w without a sign and of at most kBits bits, x + m step with one and
// above -128, four of it at a time for all lanes. Of several rows sums are made side by side, as each
// waits for the one before.
#pragma once

#if defined(__AVX512BW__) && defined(__AVX512VL__) && defined(__AVX512DQ__)
#include "avx512.h"
#elif defined(__AVX2__) && defined(__FMA__) && defined(__F16C__)
#include "avx2.h"
#elif defined(__aarch64__)
#include "neon.h"
#else
#error "AVX2 with FMA and F16C, or NEON of 64 bits, is needed"
#endif

namespace {

// Tells the processor that a thread only waits.
void relax() {
#ifdef __aarch64__
  __asm__ volatile("yield");
#else
  _mm_pause();
#endif
}

}  // namespace
