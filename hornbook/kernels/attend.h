// Attention over whole sequences in bfloats, forward and backward, as training needs it.
//
// A job is a head of keys with all query heads that share it. 32 queries at a time meet all keys that
// any of them sees; what lies outside is not computed. Going back, shares are made anew from their
// stored logarithms (Dao et al. 2022), and of 128 queries at a time what keys and values get is
// added up. Sums are made in one order, whatever the number of threads.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "bfloats.h"
#include "functions.h"
#include "inputs.h"
#include "team.h"

namespace {

constexpr int kPanel = 4 * kBlock;  // queries whose parts of the keys' gradients are summed at once
constexpr float kNever = -std::numeric_limits<float>::infinity();

// Numbers (rows, heads, tokens, channels): how far rows, heads and tokens are apart.
struct Slab {
  void* at;
  int64_t row, head, token;

  template <typename T>
  T* of(int64_t r, int64_t h, int64_t t) const {
    return static_cast<T*>(at) + r * row + h * head + t * token;
  }
};

// q, y and their gradients: (rows, heads, queries, head); keys and values (rows, kv_heads, keys,
// head). seen: bytes (rows, heads, queries, keys), or null; causal: of the keys up to a query's
// number. sums: (rows, heads, queries), the logarithm of what a query's shares were divided by.
struct Attend {
  int32_t rows, heads, kv_heads, queries, keys, head, causal;
  float scale;
  Slab q, k, v, seen, y, dy, dq, dk, dv;
  float* sums;

  int64_t wide() const { return whole_blocks(head); }
  int64_t tall() const { return whole_blocks(queries); }
  int64_t long_() const { return whole_blocks(keys); }
  // Of rows of keys' numbers: not a power of two, whose rows would share places in the cache.
  int64_t stride() const { return long_() + kBlock; }
  int64_t turned_stride() const { return tall() + kBlock; }
};

// Memory of a thread: x_across and x_down are right factors, x_turned left ones.
struct AttendWork {
  uint16_t *whole, *queries, *shares;
  uint32_t *keys_across, *values_down;
  float *scores, *found;
  uint16_t *dy = nullptr, *queries_turned = nullptr, *dy_turned = nullptr;
  uint32_t *values_across = nullptr, *keys_down = nullptr;
  uint32_t *share_pairs = nullptr, *slope_pairs = nullptr;
  float *slopes = nullptr, *key_sums = nullptr, *value_sums = nullptr;

  AttendWork(Arena& arena, const Attend& a, bool back) {
    const int64_t wide = a.wide(), keys = a.long_() * wide, queries_size = a.tall() * wide;
    whole = arena.take<uint16_t>(keys);
    queries = arena.take<uint16_t>(queries_size);
    shares = arena.take<uint16_t>(kBlock * a.stride());
    keys_across = arena.take<uint32_t>(keys / 2);
    values_down = arena.take<uint32_t>(keys / 2);
    scores = arena.take<float>(kBlock * a.stride());
    found = arena.take<float>(kBlock * wide);
    if (!back) return;
    dy = arena.take<uint16_t>(queries_size);
    queries_turned = arena.take<uint16_t>(wide * a.turned_stride());
    dy_turned = arena.take<uint16_t>(wide * a.turned_stride());
    values_across = arena.take<uint32_t>(keys / 2);
    keys_down = arena.take<uint32_t>(keys / 2);
    share_pairs = arena.take<uint32_t>(kPanel / 2 * a.long_());
    slope_pairs = arena.take<uint32_t>(kPanel / 2 * a.long_());
    slopes = arena.take<float>(kBlock * a.stride());
    key_sums = arena.take<float>(wide * a.stride());
    value_sums = arena.take<float>(wide * a.stride());
  }
};

// A query head of a row.
struct Head {
  int64_t row, head;
};

// Keys [first, stop) in whole blocks, all that some of 32 queries see.
struct Reach {
  int64_t first, stop;

  bool has(int64_t key) const { return first <= key && key < stop; }
};

bool any_seen(const Attend& a, Head h, int64_t q, int64_t key) {
  const int64_t count = std::min<int64_t>(kBlock, a.keys - key);
  uint8_t any = 0;
  for (int64_t i = q; i < std::min<int64_t>(q + kBlock, a.queries); i++) {
    const uint8_t* seen = a.seen.of<const uint8_t>(h.row, h.head, i) + key;
    for (int64_t j = 0; j < count; j++) any |= seen[j];
  }
  return any;
}

Reach reach_of(const Attend& a, Head h, int64_t q) {
  const int64_t last = a.causal ? std::min<int64_t>(a.keys, q + kBlock) : a.keys;
  Reach found{0, whole_blocks(last)};
  if (!a.seen.at) return found;
  while (found.first < found.stop && !any_seen(a, h, q, found.first)) found.first += kBlock;
  while (found.stop > found.first && !any_seen(a, h, q, found.stop - kBlock)) found.stop -= kBlock;
  return found;
}

// Scores of what a query does not see become -inf.
void hide(const Attend& a, Head h, int64_t q, Reach reach, float* scores) {
  const int64_t limit = a.causal ? std::min<int64_t>(q + 1, a.keys) : a.keys;
  std::fill(scores + std::max(std::min(limit, reach.stop), reach.first), scores + reach.stop, kNever);
  if (!a.seen.at) return;
  const uint8_t* seen = a.seen.of<const uint8_t>(h.row, h.head, q);
  for (int64_t k = reach.first; k < std::min<int64_t>(a.keys, reach.stop); k++)
    scores[k] = seen[k] ? scores[k] : kNever;
}

// e^(scale x - shift), and nothing at all of what is hidden.
Floats share(Floats x, Floats scale, Floats shift) {
  const Floats none = exponential(all(kLowest));
  return subtract(exponential(subtract(multiply(x, scale), shift)), none);
}

// A query's scores become its shares, not yet divided by their sum; 1 over it is given back.
float take_shares(const Attend& a, Head h, int64_t q, Reach reach, float* scores, uint16_t* to) {
  hide(a, h, q, reach, scores);
  Floats most = all(kNever), total = zeros();
  for (int64_t k = reach.first; k < reach.stop; k += kLanes) most = larger(load(scores + k), most);
  const float top = largest(most) == kNever ? 0 : largest(most) * a.scale;
  for (int64_t k = reach.first; k < reach.stop; k += kLanes) {
    const Floats each = share(load(scores + k), all(a.scale), all(top));
    total = add(total, each);
    store_bfloats(to + k, each);
  }
  const float sum_of = sum(total);
  a.sums[(h.row * a.heads + h.head) * a.queries + q] =
      sum_of == 0 ? -kNever : top + std::log(sum_of);
  return sum_of == 0 ? 0 : 1 / sum_of;
}

// rows (32, c) of a left factor times a right one of c channels, for keys within reach.
void meet(const BfloatGrid& grid, const Attend& a, const uint16_t* rows, const uint32_t* across,
          Reach reach, float* to) {
  const int64_t wide = a.wide(), strip = wide / 2 * kStrip;
  for (int64_t k = reach.first; k < reach.stop; k += kBlock)
    multiply_block(grid, {rows, wide, across + k / kStrip * strip, strip, wide}, to + k, a.stride(),
                   false);
}

// What 32 rows of numbers for keys, `shares`, gather of a right factor whose depth they are.
void gather(const BfloatGrid& grid, const Attend& a, const AttendWork& w, const uint32_t* down,
            Reach reach) {
  const int64_t wide = a.wide(), strip = a.long_() / 2 * kStrip;
  for (int64_t c = 0; c < wide; c += kBlock) {
    const uint32_t* from = down + c / kStrip * strip + reach.first / 2 * kStrip;
    multiply_block(grid, {w.shares + reach.first, a.stride(), from, strip, reach.stop - reach.first},
                   w.found + c, wide, false);
  }
}

// A row of floats times `by`, as bfloats.
void put_row(const float* from, float by, int count, uint16_t* to) {
  for (int i = 0; i < count; i++) to[i] = to_bfloat(from[i] * by);
}

void attend_block(const BfloatGrid& grid, const Attend& a, const AttendWork& w, Head h, int64_t q) {
  const Reach reach = reach_of(a, h, q);
  const int64_t count = std::min<int64_t>(kBlock, a.queries - q), wide = a.wide();
  float over[kBlock];
  meet(grid, a, w.queries + q * wide, w.keys_across, reach, w.scores);
  for (int64_t i = 0; i < count; i++)
    over[i] = take_shares(a, h, q + i, reach, w.scores + i * a.stride(), w.shares + i * a.stride());
  gather(grid, a, w, w.values_down, reach);
  for (int64_t i = 0; i < count; i++) {
    put_row(w.found + i * wide, over[i], a.head, a.y.of<uint16_t>(h.row, h.head, q + i));
  }
}

void pad_head(const Attend& a, const Slab& x, Head h, int64_t tokens, uint16_t* to) {
  pad(x.of<const uint16_t>(h.row, h.head, 0), x.token, tokens, a.head, to);
}

void attend_head(const BfloatGrid& grid, const Attend& a, const AttendWork& w, Head shared) {
  pad_head(a, a.k, shared, a.keys, w.whole);
  pairs_across(w.whole, a.long_(), a.wide(), w.keys_across);
  pad_head(a, a.v, shared, a.keys, w.whole);
  pairs_down(w.whole, a.long_(), a.wide(), w.values_down);
  const int64_t group = a.heads / a.kv_heads;
  for (int64_t i = 0; i < group; i++) {
    const Head h{shared.row, shared.head * group + i};
    pad_head(a, a.q, h, a.queries, w.queries);
    for (int64_t q = 0; q < a.queries; q += kBlock) attend_block(grid, a, w, h, q);
  }
}

// A query's scores become its shares, and what its shares should change by becomes the scores' slopes.
void take_slopes(const Attend& a, Head h, int64_t q, Reach reach, float* scores, float* slopes) {
  if (q >= a.queries) {
    std::fill(scores + reach.first, scores + reach.stop, 0.0f);
    std::fill(slopes + reach.first, slopes + reach.stop, 0.0f);
    return;
  }
  hide(a, h, q, reach, scores);
  const Floats shift = all(a.sums[(h.row * a.heads + h.head) * a.queries + q]);
  Floats total = zeros();
  for (int64_t k = reach.first; k < reach.stop; k += kLanes) {
    const Floats each = share(load(scores + k), all(a.scale), shift);
    total = multiply_add(each, load(slopes + k), total);
    store(scores + k, each);
  }
  const Floats mean = all(sum(total));
  for (int64_t k = reach.first; k < reach.stop; k += kLanes) {
    const Floats by = multiply(load(scores + k), all(a.scale));
    store(slopes + k, multiply(by, subtract(load(slopes + k), mean)));
  }
}

// Rows of 32 queries become pairs of a panel's right factor, from its row `at` on; 0 out of reach.
void to_pairs(const Attend& a, const float* x, Reach reach, Reach panel, int64_t at, uint32_t* to) {
  for (int64_t k = panel.first; k < panel.stop; k += kStrip)
    for (int64_t i = 0; i < kBlock; i += 2) {
      uint32_t* pairs = to + (k / kStrip * kPanel / 2 + (at + i) / 2) * kStrip;
      const float *even = x + i * a.stride() + k, *odd = even + a.stride();
      if (reach.has(k))
        for (int j = 0; j < kStrip; j += kLanes) store_pairs(pairs + j, load(even + j), load(odd + j));
      else std::fill(pairs, pairs + kStrip, 0u);
    }
}

void slope_block(const BfloatGrid& grid, const Attend& a, const AttendWork& w, Head h, int64_t q,
                 Reach reach, Reach panel) {
  const int64_t wide = a.wide(), at = q % kPanel;
  meet(grid, a, w.queries + q * wide, w.keys_across, reach, w.scores);
  meet(grid, a, w.dy + q * wide, w.values_across, reach, w.slopes);
  for (int64_t i = 0; i < kBlock; i++) {
    float *scores = w.scores + i * a.stride(), *slopes = w.slopes + i * a.stride();
    take_slopes(a, h, q + i, reach, scores, slopes);
    uint16_t* to = w.shares + i * a.stride();
    for (int64_t k = reach.first; k < reach.stop; k += kLanes) store_bfloats(to + k, load(slopes + k));
  }
  gather(grid, a, w, w.keys_down, reach);
  for (int64_t i = 0; i < std::min<int64_t>(kBlock, a.queries - q); i++)
    put_row(w.found + i * wide, 1, a.head, a.dq.of<uint16_t>(h.row, h.head, q + i));
  to_pairs(a, w.scores, reach, panel, at, w.share_pairs);
  to_pairs(a, w.slopes, reach, panel, at, w.slope_pairs);
}

// What a panel of queries adds to the sums of keys and values: products of the queries that reach.
void add_panel(const BfloatGrid& grid, const Attend& a, const AttendWork& w, int64_t q,
               const Reach* reaches, int64_t blocks, Reach panel) {
  const int64_t strip = kPanel / 2 * kStrip, turned = a.turned_stride();
  for (int64_t k = panel.first; k < panel.stop; k += kBlock) {
    int64_t from = 0, stop = blocks;
    while (from < stop && !reaches[from].has(k)) from++;
    while (stop > from && !reaches[stop - 1].has(k)) stop--;
    const int64_t skip = k / kStrip * strip + from * kBlock / 2 * kStrip;
    for (int64_t c = 0; c < a.wide(); c += kBlock) {
      const int64_t left = c * turned + q + from * kBlock, depth = (stop - from) * kBlock;
      multiply_block(grid, {w.dy_turned + left, turned, w.share_pairs + skip, strip, depth},
                     w.value_sums + c * a.stride() + k, a.stride(), true);
      multiply_block(grid, {w.queries_turned + left, turned, w.slope_pairs + skip, strip, depth},
                     w.key_sums + c * a.stride() + k, a.stride(), true);
    }
  }
}

void slope_panel(const BfloatGrid& grid, const Attend& a, const AttendWork& w, Head h, int64_t q) {
  Reach reaches[kPanel / kBlock], panel{a.long_(), 0};
  const int64_t blocks = std::min<int64_t>(kPanel, a.tall() - q) / kBlock;
  for (int64_t i = 0; i < blocks; i++) {
    reaches[i] = reach_of(a, h, q + i * kBlock);
    if (reaches[i].first == reaches[i].stop) continue;
    panel = {std::min(panel.first, reaches[i].first), std::max(panel.stop, reaches[i].stop)};
  }
  for (int64_t i = 0; i < blocks; i++)
    slope_block(grid, a, w, h, q + i * kBlock, reaches[i], panel);
  add_panel(grid, a, w, q, reaches, blocks, panel);
}

// Sums (channels, keys) as gradients of a head's keys, a square of them at a time.
void put_sums(const Attend& a, const float* sums, const Slab& to, Head h) {
  uint16_t square[kStrip][kStrip];
  for (int64_t k = 0; k < a.keys; k += kStrip)
    for (int64_t c = 0; c < a.head; c += kStrip) {
      for (int64_t j = 0; j < kStrip; j++)
        for (int64_t i = 0; i < kStrip; i += kLanes)
          store_bfloats(square[j] + i, load(sums + (c + j) * a.stride() + k + i));
      const int64_t channels = std::min<int64_t>(kStrip, a.head - c);
      for (int64_t i = 0; i < std::min<int64_t>(kStrip, a.keys - k); i++) {
        uint16_t* at = to.of<uint16_t>(h.row, h.head, k + i) + c;
        for (int64_t j = 0; j < channels; j++) at[j] = square[j][i];
      }
    }
}

void attend_head_back(const BfloatGrid& grid, const Attend& a, const AttendWork& w, Head shared) {
  const int64_t wide = a.wide();
  pad_head(a, a.k, shared, a.keys, w.whole);
  pairs_across(w.whole, a.long_(), wide, w.keys_across);
  pairs_down(w.whole, a.long_(), wide, w.keys_down);
  pad_head(a, a.v, shared, a.keys, w.whole);
  pairs_across(w.whole, a.long_(), wide, w.values_across);
  std::fill(w.key_sums, w.key_sums + wide * a.stride(), 0.0f);
  std::fill(w.value_sums, w.value_sums + wide * a.stride(), 0.0f);
  const int64_t group = a.heads / a.kv_heads;
  for (int64_t i = 0; i < group; i++) {
    const Head h{shared.row, shared.head * group + i};
    pad_head(a, a.q, h, a.queries, w.queries);
    turn(w.queries, a.tall(), wide, w.queries_turned, a.turned_stride());
    pad_head(a, a.dy, h, a.queries, w.dy);
    turn(w.dy, a.tall(), wide, w.dy_turned, a.turned_stride());
    for (int64_t q = 0; q < a.queries; q += kPanel) slope_panel(grid, a, w, h, q);
  }
  put_sums(a, w.key_sums, a.dk, shared);
  put_sums(a, w.value_sums, a.dv, shared);
}

}  // namespace
