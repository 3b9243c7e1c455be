// The gated delta rule (Yang et al. 2024, section 3.3) of whole sequences, forward and backward, as
// training needs it. A job is a head of keys of a row; it goes through the chunks of its heads of
// values, head by head. What a token writes depends on what those before it wrote: a triangular system
// in floats. Going back, memories before the chunks, and what was written, are made anew.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "recurrence.h"

namespace {

constexpr float kTiny = 1e-6f;  // added to squared lengths before they are divided by

// S_t = exp(decay_t) (I - rate_t k_t k_t^T) S_(t-1) + rate_t k_t v_t^T, y_t = S_t^T q_t per head, where
// keys have length 1 and queries 1 over the root of their channels. value, y: (rows, heads, tokens,
// head); query, key: (rows, key_heads, tokens, keys); with gradients, bfloats. rate, drate: (rows,
// tokens, heads).
struct Rule {
  Fades fades;
  int32_t key_heads, head, keys;
  Slab query, key, value, y, dy, dquery, dkey, dvalue;
  const float* rate;
  float* drate;

  Remembered memory() const { return {whole_blocks(keys), whole_blocks(head)}; }
  float query_length() const { return 1 / std::sqrt(float(keys)); }
  float rate_at(const Chunk& c, int64_t i) const {
    return i < c.count ? rate[fades.at(c.row, c.first + i, c.head)] : 0;
  }
};

// Memory of a thread. Of a head of keys: rows of all tokens, factors of them, and what they share:
// queries with keys, and keys with each other. Of a head: its memory, before each chunk where it goes
// back. Of a chunk: values, what they are known to be already, what is written, and the system.
struct RuleWork {
  Scratch scratch;
  uint16_t *queries, *keys, *keys_turned, *values;
  uint32_t* keys_across;
  float *scores, *overlaps, *memories, *known, *written, *system;
  uint16_t *queries_turned = nullptr, *slopes = nullptr;
  float *score_slopes = nullptr, *overlap_slopes = nullptr, *query_sums = nullptr;
  float *key_sums = nullptr, *memory_slope = nullptr, *wanted = nullptr;
  float *triangle_slope = nullptr, *system_slope = nullptr;

  RuleWork(Arena& arena, const Rule& r, bool back) : scratch(arena, r.memory()) {
    const Remembered m = r.memory();
    const int64_t size = r.fades.padded() * m.keys, chunks = r.fades.chunks();
    queries = arena.take<uint16_t>(size);
    keys = arena.take<uint16_t>(size);
    keys_turned = arena.take<uint16_t>(size);
    values = arena.take<uint16_t>(kPiece * m.values);
    keys_across = arena.take<uint32_t>(size / 2);
    scores = arena.take<float>(chunks * kTriangle);
    overlaps = arena.take<float>(chunks * kTriangle);
    memories = arena.take<float>((back ? chunks : 1) * m.size());
    known = arena.take<float>(kPiece * m.values);
    written = arena.take<float>(kPiece * m.values);
    system = arena.take<float>(kTriangle);
    if (!back) return;
    queries_turned = arena.take<uint16_t>(size);
    slopes = arena.take<uint16_t>(kPiece * m.values);
    score_slopes = arena.take<float>(chunks * kTriangle);
    overlap_slopes = arena.take<float>(chunks * kTriangle);
    query_sums = arena.take<float>(size);
    key_sums = arena.take<float>(size);
    memory_slope = arena.take<float>(m.size());
    wanted = arena.take<float>(kPiece * m.values);
    triangle_slope = arena.take<float>(kTriangle);
    system_slope = arena.take<float>(kTriangle);
  }
};

float over_length(const uint16_t* x, int64_t wide) {
  Floats squares = zeros();
  for (int64_t c = 0; c < wide; c += kLanes) {
    const Floats v = load_bfloats(x + c);
    squares = multiply_add(v, v, squares);
  }
  return 1 / std::sqrt(sum(squares) + kTiny);
}

// Rows of a chunk get a length.
void open_rows(const Slab& x, const Chunk& c, const Rule& r, float length, uint16_t* to) {
  const int64_t wide = r.memory().keys;
  float by[kPiece];
  pad_chunk(x, c, c.head, r.keys, to);
  for (int64_t i = 0; i < kPiece; i++) by[i] = length * over_length(to + i * wide, wide);
  scale_rows(to, by, wide, to);
}

// What all heads share that have the same keys.
void open_keys(const BfloatGrid& grid, const Rule& r, const RuleWork& w, Head key) {
  const int64_t wide = r.memory().keys;
  for (int64_t n = 0; n < r.fades.chunks(); n++) {
    const Chunk c(r.fades, key, n);
    const int64_t at = n * kPiece * wide;
    uint32_t* across = w.keys_across + at / 2;
    open_rows(r.query, c, r, r.query_length(), w.queries + at);
    open_rows(r.key, c, r, 1, w.keys + at);
    pairs_across(w.keys + at, kPiece, wide, across);
    turn(w.keys + at, kPiece, wide, w.keys_turned + at, kPiece);
    if (w.queries_turned) turn(w.queries + at, kPiece, wide, w.queries_turned + at, kPiece);
    multiply(grid, {w.queries + at, across, kPiece, kPiece, wide}, w.scores + n * kTriangle, false);
    multiply(grid, {w.keys + at, across, kPiece, kPiece, wide}, w.overlaps + n * kTriangle, false);
  }
}

// x (wide,) becomes less by `count` rows, each times a number.
void substitute(const float* by, int count, const float* rows, int64_t wide, float* x) {
  constexpr int kEach = kBlock / kLanes;
  for (int64_t c = 0; c < wide; c += kBlock) {
    Floats sums[2][kEach];  // of even and odd rows: each waits for the one before
    for (int k = 0; k < kEach; k++) sums[0][k] = sums[1][k] = zeros();
    for (int j = 0; j < count; j++)
      for (int k = 0; k < kEach; k++)
        sums[j % 2][k] = multiply_add(all(by[j]), load(rows + j * wide + c + k * kLanes), sums[j % 2][k]);
    for (int k = 0; k < kEach; k++) {
      float* at = x + c + k * kLanes;
      store(at, subtract(load(at), add(sums[0][k], sums[1][k])));
    }
  }
}

// What the tokens of chunk `n` write to a memory: each by its rate what its value is more than the
// memory says under its key, which those before it have written to.
void find_written(const BfloatGrid& grid, const Rule& r, const RuleWork& w, const Chunk& c,
                  const Fading& fading, int64_t n, const float* memory) {
  const Remembered m = r.memory();
  const int64_t wide = m.values;
  pad_chunk(r.value, c, c.head, r.head, w.values);
  read_memory(grid, m, w.scratch, memory, w.keys + n * kPiece * m.keys, w.known, false);
  for (int i = 0; i < kPiece; i++) {
    const float rate = r.rate_at(c, i);
    float *known = w.known + i * wide, *written = w.written + i * wide;
    for (int64_t j = 0; j < wide; j += kLanes) {
      const Floats k = multiply(load(known + j), all(fading.since[i]));
      store(known + j, k);
      store(written + j, multiply(subtract(load_bfloats(w.values + i * wide + j), k), all(rate)));
    }
    float* system = w.system + i * kPiece;
    const float* overlaps = w.overlaps + n * kTriangle + i * kPiece;
    fading.lasting(i, system);
    for (int j = 0; j < kPiece; j += kLanes)
      store(system + j, multiply(multiply(load(system + j), load(overlaps + j)), all(rate)));
    substitute(system, i, w.written, wide, written);
  }
}

// A memory goes over chunk `n`.
void pass_memory(const BfloatGrid& grid, const Rule& r, const RuleWork& w, const Fading& fading,
                 int64_t n, float* memory) {
  const Remembered m = r.memory();
  scale_rows(w.written, fading.to_end, m.values, w.scratch.rows);
  write_memory(grid, m, w.scratch, fading.over, w.keys_turned + n * kPiece * m.keys,
               w.scratch.rows, memory);
}

void rule_chunk(const BfloatGrid& grid, const Rule& r, const RuleWork& w, const Chunk& c, int64_t n) {
  const Remembered m = r.memory();
  const Scratch& to = w.scratch;
  const Fading fading(r.fades, c);
  find_written(grid, r, w, c, fading, n, w.memories);
  fade_scores(fading, to, w.scores + n * kTriangle);
  pairs_down(w.written, kPiece, m.values, to.pairs);
  multiply(grid, {to.triangle, to.pairs, kPiece, m.values, kPiece}, to.found, false);
  scale_rows(w.queries + n * kPiece * m.keys, fading.since, m.keys, to.rows);
  read_memory(grid, m, to, w.memories, to.rows, to.found, true);
  put_rows(to.found, c, c.head, m.values, r.head, r.y);
  pass_memory(grid, r, w, fading, n, w.memories);
}

void rule_head(const BfloatGrid& grid, const Rule& r, const RuleWork& w, Head key) {
  const int64_t shared = r.fades.heads / r.key_heads, size = r.memory().size();
  open_keys(grid, r, w, key);
  for (int64_t i = 0; i < shared; i++) {
    const Head head{key.row, key.head * shared + i};
    std::fill(w.memories, w.memories + size, 0.0f);
    for (int64_t n = 0; n < r.fades.chunks(); n++) rule_chunk(grid, r, w, {r.fades, head, n}, n);
  }
}

// `wanted` becomes the slopes of the system's right side: those of what was written, gone back through
// what depends on it.
void slope_written(const BfloatGrid& grid, const Rule& r, const RuleWork& w, const Fading& fading,
                   int64_t n) {
  const Remembered m = r.memory();
  const Scratch& to = w.scratch;
  fade_scores(fading, to, w.scores + n * kTriangle);
  turn(to.triangle, kPiece, kPiece, to.turned, kPiece);
  pairs_down(w.slopes, kPiece, m.values, to.pairs);
  multiply(grid, {to.turned, to.pairs, kPiece, m.values, kPiece}, w.wanted, false);
  scale_rows(w.keys + n * kPiece * m.keys, fading.to_end, m.keys, to.rows);
  read_memory(grid, m, to, w.memory_slope, to.rows, w.wanted, true);
  for (int i = kPiece; i-- > 0;) {
    float column[kPiece];
    for (int j = i + 1; j < kPiece; j++) column[j] = w.system[j * kPiece + i];
    float* row = w.wanted + i * m.values;
    substitute(column + i + 1, kPiece - i - 1, row + m.values, m.values, row);
  }
}

// Slopes of the triangles: of what queries read, and of the system, whose solution is `written`.
void slope_triangles(const BfloatGrid& grid, const Rule& r, const RuleWork& w) {
  const int64_t wide = r.memory().values;
  const Scratch& to = w.scratch;
  shorten(w.written, kPiece * wide, to.rows);
  pairs_across(to.rows, kPiece, wide, to.pairs);
  multiply(grid, {w.slopes, to.pairs, kPiece, kPiece, wide}, w.triangle_slope, false);
  shorten(w.wanted, kPiece * wide, to.rows);
  multiply(grid, {to.rows, to.pairs, kPiece, kPiece, wide}, w.system_slope, false);
}

// Scores and overlaps of chunk `n` get their slopes, and so do rates and totals.
void slope_scores(const Rule& r, const RuleWork& w, const Chunk& c, const Fading& fading, int64_t n,
                  float* rates, float* totals) {
  const int64_t chunk = n * kTriangle;
  float left[kPiece];
  for (int i = 0; i < kPiece; i++) {
    const Floats rate = all(r.rate_at(c, i));
    Floats along = zeros(), by_rate = zeros();
    fading.lasting(i, left);
    w.system_slope[i * kPiece + i] = 0;  // a token's own is no part of the system
    for (int j = 0; j < kPiece; j += kLanes) {
      const int64_t at = i * kPiece + j;
      const Floats lasts = load(left + j);
      const Floats read = multiply(load(w.triangle_slope + at), lasts);
      float* to = w.score_slopes + chunk + at;
      store(to, add(load(to), read));
      Floats each = multiply(read, load(w.scores + chunk + at));
      const Floats solved = multiply(subtract(zeros(), load(w.system_slope + at)), lasts);
      const Floats whole = multiply(solved, load(w.overlaps + chunk + at));
      to = w.overlap_slopes + chunk + at;
      store(to, multiply_add(solved, rate, load(to)));
      by_rate = add(by_rate, whole);
      each = multiply_add(whole, rate, each);
      along = add(along, each);
      store(totals + j, subtract(load(totals + j), each));
    }
    rates[i] += sum(by_rate);
    totals[i] += sum(along);
  }
}

// What values and rates get. `known` becomes the slopes of what the memory says under each key.
void put_values(const Rule& r, const RuleWork& w, const Chunk& c, const Fading& fading, float* rates) {
  const int64_t wide = r.memory().values;
  for (int64_t i = 0; i < kPiece; i++) {
    const Floats rate = all(r.rate_at(c, i)), since = all(fading.since[i]);
    Floats by_rate = zeros();
    for (int64_t j = i * wide; j < (i + 1) * wide; j += kLanes) {
      const Floats slope = load(w.wanted + j), by = multiply(slope, rate);
      const Floats more = subtract(load_bfloats(w.values + j), load(w.known + j));
      by_rate = multiply_add(slope, more, by_rate);
      store(w.scratch.found + j, by);
      store(w.known + j, subtract(zeros(), multiply(by, since)));
    }
    if (i < c.count) r.drate[r.fades.at(c.row, c.first + i, c.head)] = rates[i] + sum(by_rate);
  }
  put_rows(w.scratch.found, c, c.head, wide, r.head, r.dvalue);
}

// Back through what was written to the memory after a chunk.
void slope_after(const BfloatGrid& grid, const Rule& r, const RuleWork& w, const Fading& fading,
                 int64_t n, float* totals) {
  const Remembered m = r.memory();
  const int64_t at = n * kPiece * m.keys;
  float written[kPiece] = {};
  scale_rows(w.written, fading.to_end, m.values, w.scratch.rows);
  read_back(grid, m, w.scratch, w.memory_slope, w.scratch.rows);
  take_in(w.scratch.found, w.keys + at, m.keys, w.key_sums + at, written);
  const float before = dot(w.memory_slope, w.memories + n * m.size(), int(m.size()));
  slope_of_end(written, fading.over * before, totals);
}

// Back through what queries and keys read of the memory before a chunk, which `memory_slope` becomes
// the slope of.
void slope_before(const BfloatGrid& grid, const Rule& r, const RuleWork& w, const Fading& fading,
                  int64_t n, float* totals) {
  const Remembered m = r.memory();
  const int64_t at = n * kPiece * m.keys;
  const float* memory = w.memories + n * m.size();
  shorten(w.known, kPiece * m.values, w.scratch.rows);
  read_back(grid, m, w.scratch, memory, w.scratch.rows);
  take_in(w.scratch.found, w.keys + at, m.keys, w.key_sums + at, totals);
  write_memory(grid, m, w.scratch, fading.over, w.keys_turned + at, w.scratch.rows, w.memory_slope);
  scale_rows(w.slopes, fading.since, m.values, w.scratch.rows);
  read_back(grid, m, w.scratch, memory, w.scratch.rows);
  take_in(w.scratch.found, w.queries + at, m.keys, w.query_sums + at, totals);
  write_memory(grid, m, w.scratch, 1, w.queries_turned + at, w.scratch.rows, w.memory_slope);
}

void rule_chunk_back(const BfloatGrid& grid, const Rule& r, const RuleWork& w, const Chunk& c,
                     int64_t n) {
  const Fading fading(r.fades, c);
  alignas(64) float totals[kPiece] = {}, rates[kPiece] = {};
  find_written(grid, r, w, c, fading, n, w.memories + n * r.memory().size());
  pad_chunk(r.dy, c, c.head, r.head, w.slopes);
  slope_written(grid, r, w, fading, n);
  slope_triangles(grid, r, w);
  slope_scores(r, w, c, fading, n, rates, totals);
  slope_after(grid, r, w, fading, n, totals);
  put_values(r, w, c, fading, rates);
  slope_before(grid, r, w, fading, n, totals);
  put_decays(r.fades, c, fading, totals);
}

void rule_values_back(const BfloatGrid& grid, const Rule& r, const RuleWork& w, Head head) {
  const int64_t size = r.memory().size(), chunks = r.fades.chunks();
  std::fill(w.memories, w.memories + size, 0.0f);
  for (int64_t n = 0; n + 1 < chunks; n++) {
    const Chunk c(r.fades, head, n);
    const Fading fading(r.fades, c);
    float* next = w.memories + (n + 1) * size;
    std::copy(next - size, next, next);
    find_written(grid, r, w, c, fading, n, next);
    pass_memory(grid, r, w, fading, n, next);
  }
  std::fill(w.memory_slope, w.memory_slope + size, 0.0f);
  for (int64_t n = chunks; n-- > 0;) rule_chunk_back(grid, r, w, {r.fades, head, n}, n);
}

// Slopes of rows of a certain length become those of the rows as they were, and are put.
void put_opened(const Rule& r, const Scratch& s, const Chunk& c, const Slab& x, float length,
                float* slopes, const Slab& to) {
  const int64_t wide = r.memory().keys;
  pad_chunk(x, c, c.head, r.keys, s.rows);
  for (int64_t i = 0; i < c.count; i++) {
    const uint16_t* row = s.rows + i * wide;
    float* slope = slopes + i * wide;
    const float over = over_length(row, wide);
    Floats along = zeros();
    for (int64_t j = 0; j < wide; j += kLanes)
      along = multiply_add(load_bfloats(row + j), load(slope + j), along);
    const Floats back = all(over * over * sum(along)), by = all(length * over);
    for (int64_t j = 0; j < wide; j += kLanes) {
      const Floats left = subtract(load(slope + j), multiply(load_bfloats(row + j), back));
      store(slope + j, multiply(left, by));
    }
  }
  put_rows(slopes, c, c.head, wide, r.keys, to);
}

// What queries and keys of a chunk get of each other.
void put_keys(const BfloatGrid& grid, const Rule& r, const RuleWork& w, const Chunk& c, int64_t n) {
  const int64_t wide = r.memory().keys, at = n * kPiece * wide;
  const Scratch& to = w.scratch;
  float *queries = w.query_sums + at, *keys = w.key_sums + at;
  pairs_down(w.keys + at, kPiece, wide, to.pairs);
  shorten(w.score_slopes + n * kTriangle, kTriangle, to.triangle);
  multiply(grid, {to.triangle, to.pairs, kPiece, wide, kPiece}, queries, true);
  shorten(w.overlap_slopes + n * kTriangle, kTriangle, to.rows);
  multiply(grid, {to.rows, to.pairs, kPiece, wide, kPiece}, keys, true);
  turn(to.rows, kPiece, kPiece, to.turned, kPiece);
  multiply(grid, {to.turned, to.pairs, kPiece, wide, kPiece}, keys, true);
  turn(to.triangle, kPiece, kPiece, to.turned, kPiece);
  pairs_down(w.queries + at, kPiece, wide, to.pairs);
  multiply(grid, {to.turned, to.pairs, kPiece, wide, kPiece}, keys, true);
  put_opened(r, to, c, r.query, r.query_length(), queries, r.dquery);
  put_opened(r, to, c, r.key, 1, keys, r.dkey);
}

void rule_head_back(const BfloatGrid& grid, const Rule& r, const RuleWork& w, Head key) {
  const int64_t shared = r.fades.heads / r.key_heads, chunks = r.fades.chunks();
  const int64_t size = r.fades.padded() * r.memory().keys;
  open_keys(grid, r, w, key);
  std::fill(w.score_slopes, w.score_slopes + chunks * kTriangle, 0.0f);
  std::fill(w.overlap_slopes, w.overlap_slopes + chunks * kTriangle, 0.0f);
  std::fill(w.query_sums, w.query_sums + size, 0.0f);
  std::fill(w.key_sums, w.key_sums + size, 0.0f);
  for (int64_t i = 0; i < shared; i++)
    rule_values_back(grid, r, w, {key.row, key.head * shared + i});
  for (int64_t n = 0; n < chunks; n++) put_keys(grid, r, w, {r.fades, key, n}, n);
}

}  // namespace
