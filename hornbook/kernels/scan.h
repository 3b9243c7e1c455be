// Mamba-2's recurrence (Dao & Gu 2024, section 6) of whole sequences, forward and backward, as training
// needs it. A job is a group of heads of a row; it goes through their chunks head by head. Going back,
// memories before the chunks are made anew. Sums are made in one order, whatever the number of threads.
#pragma once

#include <algorithm>
#include <cstdint>

#include "recurrence.h"

namespace {

// S_t = exp(decay_t) S_(t-1) + step_t write_t value_t^T, y_t = S_t^T read_t + skip value_t, per head.
// value, y: (rows, heads, tokens, head); write, read: (rows, groups, tokens, state); with gradients,
// bfloats. step, dstep: (rows, tokens, heads); skip: (heads,); dskip: (rows, heads).
struct Scan {
  Fades fades;
  int32_t groups, head, state;
  Slab value, write, read, y, dy, dvalue, dwrite, dread;
  const float *step, *skip;
  float *dstep, *dskip;

  Remembered memory() const { return {whole_blocks(state), whole_blocks(head)}; }
};

// Memory of a thread. Of a group: rows and factors of all tokens, and what they read of each other. Of
// a head: its memory, before each chunk where it goes back. Of a chunk: values, and times their steps.
struct ScanWork {
  Scratch scratch;
  uint16_t *writes, *reads, *writes_turned, *values, *steps;
  uint32_t* writes_across;
  float *scores, *memories;
  uint16_t *reads_turned = nullptr, *slopes = nullptr;
  float *score_slopes = nullptr, *write_sums = nullptr, *read_sums = nullptr;
  float *memory_slope = nullptr, *triangle_slope = nullptr;

  ScanWork(Arena& arena, const Scan& s, bool back) : scratch(arena, s.memory()) {
    const Remembered m = s.memory();
    const int64_t size = s.fades.padded() * m.keys, chunks = s.fades.chunks();
    writes = arena.take<uint16_t>(size);
    reads = arena.take<uint16_t>(size);
    writes_turned = arena.take<uint16_t>(size);
    values = arena.take<uint16_t>(kPiece * m.values);
    steps = arena.take<uint16_t>(kPiece * m.values);
    writes_across = arena.take<uint32_t>(size / 2);
    scores = arena.take<float>(chunks * kTriangle);
    memories = arena.take<float>((back ? chunks : 1) * m.size());
    if (!back) return;
    reads_turned = arena.take<uint16_t>(size);
    slopes = arena.take<uint16_t>(kPiece * m.values);
    score_slopes = arena.take<float>(chunks * kTriangle);
    write_sums = arena.take<float>(size);
    read_sums = arena.take<float>(size);
    memory_slope = arena.take<float>(m.size());
    triangle_slope = arena.take<float>(kTriangle);
  }
};

// What all heads of a group share.
void open_group(const BfloatGrid& grid, const Scan& s, const ScanWork& w, Head group) {
  const int64_t keys = s.memory().keys;
  for (int64_t n = 0; n < s.fades.chunks(); n++) {
    const Chunk c(s.fades, group, n);
    const int64_t at = n * kPiece * keys;
    pad_chunk(s.write, c, c.head, s.state, w.writes + at);
    pad_chunk(s.read, c, c.head, s.state, w.reads + at);
    pairs_across(w.writes + at, kPiece, keys, w.writes_across + at / 2);
    turn(w.writes + at, kPiece, keys, w.writes_turned + at, kPiece);
    if (w.reads_turned) turn(w.reads + at, kPiece, keys, w.reads_turned + at, kPiece);
    multiply(grid, {w.reads + at, w.writes_across + at / 2, kPiece, kPiece, keys},
             w.scores + n * kTriangle, false);
  }
}

void open_values(const Scan& s, const ScanWork& w, const Chunk& c) {
  float by[kPiece] = {};
  for (int64_t i = 0; i < c.count; i++) by[i] = s.step[s.fades.at(c.row, c.first + i, c.head)];
  pad_chunk(s.value, c, c.head, s.head, w.values);
  scale_rows(w.values, by, s.memory().values, w.steps);
}

// A memory goes over chunk `n`.
void pass_memory(const BfloatGrid& grid, const Scan& s, const ScanWork& w, const Fading& fading,
                 int64_t n, float* memory) {
  const Remembered m = s.memory();
  scale_rows(w.steps, fading.to_end, m.values, w.scratch.rows);
  write_memory(grid, m, w.scratch, fading.over, w.writes_turned + n * kPiece * m.keys,
               w.scratch.rows, memory);
}

void scan_chunk(const BfloatGrid& grid, const Scan& s, const ScanWork& w, const Chunk& c, int64_t n) {
  const Remembered m = s.memory();
  const Scratch& to = w.scratch;
  const Fading fading(s.fades, c);
  open_values(s, w, c);
  fade_scores(fading, to, w.scores + n * kTriangle);
  pairs_down(w.steps, kPiece, m.values, to.pairs);
  multiply(grid, {to.triangle, to.pairs, kPiece, m.values, kPiece}, to.found, false);
  scale_rows(w.reads + n * kPiece * m.keys, fading.since, m.keys, to.rows);
  read_memory(grid, m, to, w.memories, to.rows, to.found, true);
  const Floats skip = all(s.skip[c.head]);
  for (int64_t i = 0; i < kPiece * m.values; i += kLanes)
    store(to.found + i, multiply_add(load_bfloats(w.values + i), skip, load(to.found + i)));
  put_rows(to.found, c, c.head, m.values, s.head, s.y);
  pass_memory(grid, s, w, fading, n, w.memories);
}

void scan_group(const BfloatGrid& grid, const Scan& s, const ScanWork& w, Head group) {
  const int64_t shared = s.fades.heads / s.groups, size = s.memory().size();
  open_group(grid, s, w, group);
  for (int64_t i = 0; i < shared; i++) {
    const Head head{group.row, group.head * shared + i};
    std::fill(w.memories, w.memories + size, 0.0f);
    for (int64_t n = 0; n < s.fades.chunks(); n++) scan_chunk(grid, s, w, {s.fades, head, n}, n);
  }
}

// Scores of chunk `n` get their slopes, `turned` becomes what has faded of them, and slopes of the
// totals are begun.
void slope_scores(const Fading& fading, const ScanWork& w, int64_t n, float* totals) {
  const float* scores = w.scores + n * kTriangle;
  float *slopes = w.score_slopes + n * kTriangle, left[kPiece];
  for (int i = 0; i < kPiece; i++) {
    fading.lasting(i, left);
    Floats along = zeros();
    for (int j = 0; j < kPiece; j += kLanes) {
      const int at = i * kPiece + j;
      const Floats lasts = load(left + j), share = multiply(load(scores + at), lasts);
      const Floats slope = load(w.triangle_slope + at), each = multiply(slope, share);
      store_bfloats(w.scratch.triangle + at, share);
      store(slopes + at, multiply_add(slope, lasts, load(slopes + at)));
      along = add(along, each);
      store(totals + j, subtract(load(totals + j), each));
    }
    totals[i] += sum(along);
  }
  turn(w.scratch.triangle, kPiece, kPiece, w.scratch.turned, kPiece);
}

// What values and steps get, of the gradient of their products in `found`.
void put_values(const Scan& s, const ScanWork& w, const Chunk& c) {
  const int64_t wide = s.memory().values;
  const Floats skip = all(s.skip[c.head]);
  float *found = w.scratch.found, *dskip = s.dskip + c.row * s.fades.heads + c.head;
  for (int64_t i = 0; i < c.count; i++) {
    const int64_t at = s.fades.at(c.row, c.first + i, c.head);
    const Floats step = all(s.step[at]);
    Floats by_step = zeros(), by_skip = zeros();
    for (int64_t j = i * wide; j < (i + 1) * wide; j += kLanes) {
      const Floats x = load(found + j), v = load_bfloats(w.values + j);
      const Floats dy = load_bfloats(w.slopes + j);
      by_step = multiply_add(x, v, by_step);
      by_skip = multiply_add(dy, v, by_skip);
      store(found + j, multiply_add(x, step, multiply(dy, skip)));
    }
    s.dstep[at] = sum(by_step);
    *dskip += sum(by_skip);
  }
  put_rows(found, c, c.head, wide, s.head, s.dvalue);
}

// Back through what was written to the memory after a chunk.
void slope_after(const BfloatGrid& grid, const Scan& s, const ScanWork& w, const Fading& fading,
                 int64_t n, float* totals) {
  const Remembered m = s.memory();
  const int64_t at = n * kPiece * m.keys;
  float written[kPiece] = {};
  scale_rows(w.steps, fading.to_end, m.values, w.scratch.rows);
  read_back(grid, m, w.scratch, w.memory_slope, w.scratch.rows);
  take_in(w.scratch.found, w.writes + at, m.keys, w.write_sums + at, written);
  const float before = dot(w.memory_slope, w.memories + n * m.size(), int(m.size()));
  slope_of_end(written, fading.over * before, totals);
}

// Back through what was read of the memory before a chunk, which `memory_slope` becomes the slope of.
void slope_before(const BfloatGrid& grid, const Scan& s, const ScanWork& w, const Fading& fading,
                  int64_t n, float* totals) {
  const Remembered m = s.memory();
  const int64_t at = n * kPiece * m.keys;
  scale_rows(w.slopes, fading.since, m.values, w.scratch.rows);
  read_back(grid, m, w.scratch, w.memories + n * m.size(), w.scratch.rows);
  take_in(w.scratch.found, w.reads + at, m.keys, w.read_sums + at, totals);
  write_memory(grid, m, w.scratch, fading.over, w.reads_turned + at, w.scratch.rows, w.memory_slope);
}

void scan_chunk_back(const BfloatGrid& grid, const Scan& s, const ScanWork& w, const Chunk& c,
                     int64_t n) {
  const Remembered m = s.memory();
  const Scratch& to = w.scratch;
  const Fading fading(s.fades, c);
  alignas(64) float totals[kPiece] = {};
  open_values(s, w, c);
  pad_chunk(s.dy, c, c.head, s.head, w.slopes);
  pairs_across(w.steps, kPiece, m.values, to.pairs);
  multiply(grid, {w.slopes, to.pairs, kPiece, kPiece, m.values}, w.triangle_slope, false);
  slope_scores(fading, w, n, totals);
  slope_after(grid, s, w, fading, n, totals);
  pairs_down(w.slopes, kPiece, m.values, to.pairs);
  multiply(grid, {to.turned, to.pairs, kPiece, m.values, kPiece}, to.found, false);
  scale_rows(w.writes + n * kPiece * m.keys, fading.to_end, m.keys, to.rows);
  read_memory(grid, m, to, w.memory_slope, to.rows, to.found, true);
  put_values(s, w, c);
  slope_before(grid, s, w, fading, n, totals);
  put_decays(s.fades, c, fading, totals);
}

void scan_head_back(const BfloatGrid& grid, const Scan& s, const ScanWork& w, Head head) {
  const int64_t size = s.memory().size(), chunks = s.fades.chunks();
  std::fill(w.memories, w.memories + size, 0.0f);
  for (int64_t n = 0; n + 1 < chunks; n++) {
    const Chunk c(s.fades, head, n);
    float* next = w.memories + (n + 1) * size;
    std::copy(next - size, next, next);
    open_values(s, w, c);
    pass_memory(grid, s, w, Fading(s.fades, c), n, next);
  }
  std::fill(w.memory_slope, w.memory_slope + size, 0.0f);
  s.dskip[head.row * s.fades.heads + head.head] = 0;
  for (int64_t n = chunks; n-- > 0;) scan_chunk_back(grid, s, w, {s.fades, head, n}, n);
}

// What writes and reads of a chunk get of each other.
void put_group(const BfloatGrid& grid, const Scan& s, const ScanWork& w, const Chunk& c, int64_t n) {
  const int64_t keys = s.memory().keys, at = n * kPiece * keys;
  const Scratch& to = w.scratch;
  shorten(w.score_slopes + n * kTriangle, kTriangle, to.triangle);
  turn(to.triangle, kPiece, kPiece, to.turned, kPiece);
  pairs_down(w.writes + at, kPiece, keys, to.pairs);
  multiply(grid, {to.triangle, to.pairs, kPiece, keys, kPiece}, w.read_sums + at, true);
  pairs_down(w.reads + at, kPiece, keys, to.pairs);
  multiply(grid, {to.turned, to.pairs, kPiece, keys, kPiece}, w.write_sums + at, true);
  put_rows(w.read_sums + at, c, c.head, keys, s.state, s.dread);
  put_rows(w.write_sums + at, c, c.head, keys, s.state, s.dwrite);
}

void scan_group_back(const BfloatGrid& grid, const Scan& s, const ScanWork& w, Head group) {
  const int64_t shared = s.fades.heads / s.groups, chunks = s.fades.chunks();
  const int64_t size = s.fades.padded() * s.memory().keys;
  open_group(grid, s, w, group);
  std::fill(w.score_slopes, w.score_slopes + chunks * kTriangle, 0.0f);
  std::fill(w.write_sums, w.write_sums + size, 0.0f);
  std::fill(w.read_sums, w.read_sums + size, 0.0f);
  for (int64_t i = 0; i < shared; i++)
    scan_head_back(grid, s, w, {group.row, group.head * shared + i});
  for (int64_t n = 0; n < chunks; n++) put_group(grid, s, w, {s.fades, group, n}, n);
}

}  // namespace
