// Memory that is asked for before it is read.
#pragma once

#include <cstdint>

namespace {

// Of one row each weight is read once, so memory is all that counts, and the processor's own foresight
// ends at each page: this far ahead, lines are asked for. Behind a tile lies the next one; to ask for
// what is not there is no fault.
constexpr int kFar = 4096;

void ask_for(const uint8_t* from, int bytes) {
  for (int at = 0; at < bytes; at += 64) __builtin_prefetch(from + kFar + at, 0, 2);
}

// What is read next and not yet in the cache, `step` bytes for each 32 inputs; null where it is there.
// Memory is idle while an opened tile is multiplied with, unless the next one is asked for meanwhile.
struct Ahead {
  const uint8_t* from;
  int step;

  void fetch(int g) const {
    if (!from) return;
    for (const uint8_t* at = from + int64_t(g) * step; at < from + (g + 1ll) * step; at += 64)
      __builtin_prefetch(at);
  }
};

}  // namespace
