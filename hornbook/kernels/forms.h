// The forms in which a matrix may be stored, and how a group of its weights is read.
//
// A tile is 16 outputs. It is stored in units of 32 or 256 inputs, in the order in which they are
// read: 16 scales (float16), 16 offsets where there are some, then, where groups have whole multiples
// of them, those (int8) of each group, 16 at a time; then the codes of every 32 inputs. Of eight bits,
// four inputs of an output lie side by side in a row of 64 bytes, as VPDPBUSD takes them: eight rows.
// Of fewer bits, rows lie above each other: the lowest four bits of rows j and j + 4 in four rows; two
// bits of rows j, j + 2, j + 4 and j + 6 in two; single bits of all in one. Three bits are two and one,
// five are four and one, six are four and two.
//
// Without offsets zero is the middle code. With a table a code is a place in it. Floats of 16 bits
// lie one input after the other, 16 outputs side by side.
#pragma once

#include <cstdint>
#include <utility>

#include "vector.h"

namespace {

constexpr int kTile = 16, kGroup = 32;
constexpr int kOpenBytes = kTile * sizeof(float);  // of an input of an opened tile, at the most

enum Zero { kMiddle, kOwnOffsets, kInTable };

// What four bits stand for in a table, plus 128 (llama.cpp's IQ4_NL).
constexpr uint8_t kEntries[16] = {1,   24,  45,  63,  79,  93,  106, 118,
                                  129, 141, 153, 166, 181, 197, 217, 241};

// Codes as they are once opened, a byte each. bits: that a byte may have. parts: of a group, each
// with a scale and an offset.
template <int kMost, int kScales>
struct Bytes {
  static constexpr bool kFloats = false;
  static constexpr int kByteBits = kMost, kParts = kScales;
};

// shared: inputs that share a scale.
template <int kCodeBits, int kSharing, int kInputs, Zero kZero = kMiddle>
struct Codes {
  static constexpr bool kFloats = false, kOffsets = kZero == kOwnOffsets, kTable = kZero == kInTable;
  static constexpr int kBits = kCodeBits, kShared = kSharing, kUnit = kInputs, kExponent = 0;
  static constexpr int kByteBits = kTable ? 8 : kBits <= 4 ? 4 : kBits < 8 ? 7 : 8;
  static constexpr int kParts = kGroup / kShared;
  static constexpr int kSteps = kUnit > kShared ? kUnit / kShared : 0;
  // Both multiples of a group have four bits where codes have two: one byte.
  static constexpr bool kPaired = kOffsets && kBits == 2;
  static constexpr int kMultiples = kTile * kSteps * (kOffsets && !kPaired ? 2 : 1);
  static constexpr int kCodeBytes = kTile * kGroup * kBits / 8;  // of a group
  static constexpr int kFirst = 2 * kTile * (kOffsets ? 2 : 1) + kMultiples;  // byte of the codes
  static constexpr int kBytes = kFirst + kUnit / kGroup * kCodeBytes;
  static constexpr float kZeroCode = kTable ? 128 : 1 << (kBits - 1);
  using Opened = Bytes<kByteBits, kParts>;
};

template <int kExponentBits>
struct ShortFloats {
  static constexpr bool kFloats = true, kOffsets = false, kTable = false;
  static constexpr int kBits = 16, kShared = kGroup, kUnit = kGroup, kExponent = kExponentBits;
  static constexpr int kBytes = 2 * kTile * kUnit;
  using Opened = ShortFloats;

  static Floats read(const uint16_t* x) {
    return kExponent == 5 ? load_halves(x) : load_bfloats(x);
  }
};
using Halves = ShortFloats<5>;
using Bfloats = ShortFloats<8>;

// Calls one(i) for i from 0 on as constants: numbers of bits to shift by have to be.
template <typename One, int... i>
void unrolled(std::integer_sequence<int, i...>, One one) {
  (one(std::integral_constant<int, i>()), ...);
}
template <int kCount, typename One>
void unrolled(One one) {
  unrolled(std::make_integer_sequence<int, kCount>(), one);
}

// 32 inputs of `kLanes` outputs: codes, and scale and offset of each part.
template <class F>
struct Group {
  static constexpr int kCodes = kTile * kGroup, kBytes = kCodes + F::kParts * 8 * kTile;

  Ints codes[8];
  Floats scale[F::kParts], offset[F::kParts];

  Group() = default;

  // Of an opened tile.
  Group(const uint8_t* from, int lane) {
    for (int j = 0; j < 8; j++) codes[j] = load_bytes(from + 4 * (kTile * j + lane));
    const float* floats = reinterpret_cast<const float*>(from + kCodes) + lane;
    for (int p = 0; p < F::kParts; p++) {
      scale[p] = load(floats + 2 * kTile * p);
      offset[p] = load(floats + 2 * kTile * p + kTile);
    }
  }

  void keep(uint8_t* to, int lane) const {
    for (int j = 0; j < 8; j++) store_whole(to + 4 * (kTile * j + lane), codes[j]);
    float* floats = reinterpret_cast<float*>(to + kCodes) + lane;
    for (int p = 0; p < F::kParts; p++) {
      store(floats + 2 * kTile * p, scale[p]);
      store(floats + 2 * kTile * p + kTile, offset[p]);
    }
  }

  // from: codes of 32 inputs, at the first of these outputs.
  void read_codes(const uint8_t* from) {
    constexpr int kRow = 4 * kTile;
    if constexpr (F::kBits == 8) {
      for (int j = 0; j < 8; j++) codes[j] = load_bytes(from + kRow * j);
      return;
    }
    for (auto& each : codes) each = no_ints();
    if constexpr (F::kBits & 4) add_bits<4, 0>(from);
    if constexpr (F::kBits & 2) add_bits<2, F::kBits & 4>(from + kRow * (F::kBits & 4));
    if constexpr (F::kBits & 1) add_bits<1, F::kBits & 6>(from + kRow * (F::kBits & 6));
    if constexpr (F::kTable) {
      const Ints table = sixteen_bytes(kEntries);
      for (auto& each : codes) each = entries(table, each);
    }
  }

 private:
  // codes |= kWidth bits of each, from bit kAt on, that lie in kWidth rows.
  template <int kWidth, int kAt>
  void add_bits(const uint8_t* from) {
    unrolled<kWidth>([&](auto row) {
      const Ints x = load_bytes(from + 4 * kTile * row);
      unrolled<8 / kWidth>([&](auto field) {
        const Ints moved = shifted<kWidth * field - kAt>(x);
        const Ints bits = both(moved, all_bytes(((1 << kWidth) - 1) << kAt));
        Ints& to = codes[row + kWidth * field];
        to = kAt == 0 ? bits : either(to, bits);
      });
    });
  }
};

// Calls one(number, group) for the groups of a tile, `kLanes` outputs from `lane` on.
template <class F, typename One>
void each_group(const uint8_t* tile, int lane, int groups, One one) {
  constexpr int kEach = F::kUnit / kGroup;
  Group<F> group;
  for (int first = 0; first < groups; first += kEach, tile += F::kBytes) {
    const uint16_t* halves = reinterpret_cast<const uint16_t*>(tile) + lane;
    const Floats scale = load_halves(halves);
    const Floats offset = F::kOffsets ? load_halves(halves + kTile) : zeros();
    const int8_t* steps = (const int8_t*)(tile + 2 * kTile * (F::kOffsets ? 2 : 1) + lane);
    for (int g = 0; g < kEach; g++) {
      for (int p = 0; p < F::kParts; p++) {
        Floats& own = group.scale[p];
        Floats& zero = group.offset[p];
        own = scale, zero = offset;
        const int8_t* step = steps + kTile * (g * F::kParts + p);
        if constexpr (F::kPaired) {
          own = multiply(scale, lower_steps(step));
          zero = multiply(offset, upper_steps(step));
        } else if constexpr (F::kSteps > 0) {
          own = multiply(scale, load_steps(step));
          if constexpr (F::kOffsets) zero = multiply(offset, load_steps(step + kTile * F::kSteps));
        }
        if constexpr (!F::kOffsets) zero = multiply(own, all(-F::kZeroCode));
      }
      group.read_codes(tile + F::kFirst + g * F::kCodeBytes + 4 * lane);
      one(first + g, group);
    }
  }
}

}  // namespace
