// What recurrences over a memory share, as training needs them, forward and backward.
//
// Tokens come in chunks. Inside one a token reads what others wrote through a triangle of shares;
// between chunks a memory goes on, (channels that it is read by, channels of values) floats, which
// fades from token to token. Factors of products are bfloats, sums and memories floats.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "attend.h"
#include "bfloats.h"
#include "functions.h"
#include "inputs.h"

namespace {

constexpr int kPiece = 64;  // tokens of a chunk
constexpr int kTriangle = kPiece * kPiece;

// Sequences whose memories fade. decay: (rows, tokens, heads), the logarithm of what is left at each
// token, at most 0; ddecay: its gradient. begin: (rows, tokens), the first token of each one's segment,
// or null: a memory begins anew there.
struct Fades {
  int32_t rows, tokens, heads;
  const float* decay;
  const int32_t* begin;
  float* ddecay;

  int64_t chunks() const { return (tokens + kPiece - 1) / kPiece; }
  int64_t padded() const { return chunks() * kPiece; }
  int64_t at(int64_t row, int64_t token, int64_t head) const {
    return (row * tokens + token) * heads + head;
  }
};

// A chunk of a head's tokens, `count` of them from `first` on.
struct Chunk {
  int64_t row, head, first, count;

  Chunk(const Fades& f, Head of, int64_t number)
      : row(of.row), head(of.head), first(number * kPiece),
        count(std::min<int64_t>(kPiece, f.tokens - first)) {}
};

// What is left over a chunk: at each token of the memory before it, at its end of what each token
// wrote, and at its end of the memory before. seen: the first token of the chunk that each sees.
struct Fading {
  alignas(64) float total[kPiece], since[kPiece], to_end[kPiece];
  int seen[kPiece];
  float over;

  Fading(const Fades& f, const Chunk& c) {
    int before = kPiece;  // tokens that see the memory before
    for (int i = 0; i < kPiece; i++) {
      const int64_t token = std::min<int64_t>(c.first + i, f.tokens - 1);
      const int64_t begin = f.begin ? f.begin[c.row * f.tokens + token] : -1;
      if (begin >= c.first) before = std::min(before, i);
      seen[i] = int(std::max<int64_t>(begin - c.first, 0));
      const float decay = i < c.count ? f.decay[f.at(c.row, token, c.head)] : 0;
      total[i] = i > seen[i] ? total[i - 1] + decay : decay;
    }
    const Floats end = all(total[kPiece - 1]);
    for (int i = 0; i < kPiece; i += kLanes) {
      store(since + i, exponential(load(total + i)));
      store(to_end + i, exponential(subtract(end, load(total + i))));
    }
    std::fill(since + before, since + kPiece, 0.0f);
    std::fill(to_end, to_end + seen[kPiece - 1], 0.0f);
    over = since[kPiece - 1];
  }

  // to (kPiece,): what is left at token i of what each token wrote, 0 of what it does not see.
  void lasting(int i, float* to) const {
    const int whole = (i + kLanes) / kLanes * kLanes;
    for (int j = 0; j < whole; j += kLanes)
      store(to + j, exponential(subtract(all(total[i]), load(total + j))));
    std::fill(to, to + seen[i], 0.0f);
    std::fill(to + i + 1, to + kPiece, 0.0f);
  }
};

// Slopes of the totals become those of the decays, which they are running sums of.
void put_decays(const Fades& f, const Chunk& c, const Fading& fading, const float* slopes) {
  float sum = 0;
  for (int i = kPiece - 1; i >= 0; i--) {
    sum += slopes[i];
    if (i < c.count) f.ddecay[f.at(c.row, c.first + i, c.head)] = sum;
    if (i == fading.seen[i]) sum = 0;
  }
}

// a (rows, depth) times the right factor b of so many columns; whole blocks, each in one piece.
struct Factored {
  const uint16_t* a;
  const uint32_t* b;
  int64_t rows, columns, depth;
};

// c (rows, columns) = the product, or with `add` more by it.
void multiply(const BfloatGrid& grid, const Factored& f, float* c, bool add) {
  const int64_t strip = f.depth / 2 * kStrip;
  for (int64_t j = 0; j < f.columns; j += kBlock)
    for (int64_t i = 0; i < f.rows; i += kBlock)
      multiply_block(grid, {f.a + i * f.depth, f.depth, f.b + j / kStrip * strip, strip, f.depth},
                     c + i * f.columns + j, f.columns, add);
}

// The rows of a chunk's tokens, padded.
void pad_chunk(const Slab& x, const Chunk& c, int64_t head, int64_t channels, uint16_t* to) {
  pad(x.of<const uint16_t>(c.row, head, c.first), x.token, c.count, channels, to);
  const int64_t wide = whole_blocks(channels);
  std::fill(to + whole_blocks(c.count) * wide, to + kPiece * wide, uint16_t(0));
}

void shorten(const float* x, int64_t size, uint16_t* to) {
  for (int64_t i = 0; i < size; i += kLanes) store_bfloats(to + i, load(x + i));
}

// Rows of a chunk, each times a number.
void scale_rows(const uint16_t* x, const float* by, int64_t wide, uint16_t* to) {
  for (int64_t i = 0; i < kPiece; i++)
    for (int64_t c = i * wide; c < (i + 1) * wide; c += kLanes)
      store_bfloats(to + c, multiply(load_bfloats(x + c), all(by[i])));
}
void scale_rows(const float* x, const float* by, int64_t wide, uint16_t* to) {
  for (int64_t i = 0; i < kPiece; i++)
    for (int64_t c = i * wide; c < (i + 1) * wide; c += kLanes)
      store_bfloats(to + c, multiply(load(x + c), all(by[i])));
}

void scale(float* x, int64_t size, float by) {
  for (int64_t i = 0; i < size; i += kLanes) store(x + i, multiply(load(x + i), all(by)));
}

// Rows of floats as the right factor whose depth they are.
void pairs_down(const float* x, int64_t rows, int64_t columns, uint32_t* to) {
  for (int64_t c = 0; c < columns; c += kStrip)
    for (int64_t r = 0; r < rows; r += 2, to += kStrip)
      for (int64_t j = 0; j < kStrip; j += kLanes) {
        const float* even = x + r * columns + c + j;
        store_pairs(to + j, load(even), load(even + columns));
      }
}

// sums (kPiece, wide) grow by x; by[i] grows by the product of both rows i, of x and of `with`.
void take_in(const float* x, const uint16_t* with, int64_t wide, float* sums, float* by) {
  for (int64_t i = 0; i < kPiece; i++) {
    Floats along = zeros();
    for (int64_t c = i * wide; c < (i + 1) * wide; c += kLanes) {
      const Floats each = load(x + c);
      store(sums + c, add(load(sums + c), each));
      along = multiply_add(each, load_bfloats(with + c), along);
    }
    by[i] += sum(along);
  }
}

// Sizes of a memory, whole blocks.
struct Remembered {
  int64_t keys, values;
  int64_t size() const { return keys * values; }
};

// Memory of a thread for what is made of a chunk: its rows, a memory and triangles in bfloats, and
// right factors and sums of either size.
struct Scratch {
  uint16_t *rows, *memory, *triangle, *turned;
  uint32_t* pairs;
  float* found;

  Scratch(Arena& arena, const Remembered& m) {
    const int64_t wide = std::max<int64_t>({m.keys, m.values, kPiece});
    rows = arena.take<uint16_t>(kPiece * wide);
    memory = arena.take<uint16_t>(m.size());
    triangle = arena.take<uint16_t>(kTriangle);
    turned = arena.take<uint16_t>(kTriangle);
    pairs = arena.take<uint32_t>(wide * wide / 2);
    found = arena.take<float>(kPiece * wide);
  }
};

// What rows (kPiece, keys) read of a memory: to (kPiece, values), or with `add` more by it.
void read_memory(const BfloatGrid& grid, const Remembered& m, const Scratch& s, const float* memory,
                 const uint16_t* rows, float* to, bool add) {
  pairs_down(memory, m.keys, m.values, s.pairs);
  multiply(grid, {rows, s.pairs, kPiece, m.values, m.keys}, to, add);
}

// The same the other way, of rows (kPiece, values): `found` becomes (kPiece, keys).
void read_back(const BfloatGrid& grid, const Remembered& m, const Scratch& s, const float* memory,
               const uint16_t* rows) {
  shorten(memory, m.size(), s.memory);
  pairs_across(s.memory, m.keys, m.values, s.pairs);
  multiply(grid, {rows, s.pairs, kPiece, m.keys, m.values}, s.found, false);
}

// A memory fades, and takes up what rows (kPiece, values) write by their keys: turned (keys, kPiece).
template <typename Rows>
void write_memory(const BfloatGrid& grid, const Remembered& m, const Scratch& s, float over,
                  const uint16_t* turned, const Rows* rows, float* memory) {
  scale(memory, m.size(), over);
  pairs_down(rows, kPiece, m.values, s.pairs);
  multiply(grid, {turned, s.pairs, m.keys, m.values, kPiece}, memory, true);
}

// What tokens share with each other, as it has faded, in `triangle`.
void fade_scores(const Fading& fading, const Scratch& s, const float* scores) {
  float left[kPiece];
  for (int i = 0; i < kPiece; i++) {
    fading.lasting(i, left);
    for (int j = i * kPiece; j < (i + 1) * kPiece; j += kLanes)
      store_bfloats(s.triangle + j, multiply(load(scores + j), load(left + j - i * kPiece)));
  }
}

// What was written grows towards the end, and the memory before with it.
void slope_of_end(const float* written, float before, float* slopes) {
  for (int i = 0; i < kPiece; i++) {
    slopes[i] -= written[i];
    before += written[i];
  }
  slopes[kPiece - 1] += before;
}

// Gradients of a chunk's rows, rounded.
void put_rows(const float* x, const Chunk& c, int64_t head, int64_t wide, int64_t channels,
              const Slab& to) {
  for (int64_t i = 0; i < c.count; i++)
    put_row(x + i * wide, 1, int(channels), to.of<uint16_t>(c.row, head, c.first + i));
}

}  // namespace
