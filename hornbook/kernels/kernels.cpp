// Rows of tokens through a decoder whose matrices are quantised to four or eight bits.
//
// A row is one token of some sequence at some position; rows of one call may be a stream's next
// token, those of eight streams, or a chunk of a prompt. What a row gives does not depend on the
// rows beside it: every sum is made in one order, whatever the number of rows and threads.
//
// Built and called by `__init__.py`; `structures.py` mirrors the structures.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "attention.h"
#include "product.h"
#include "team.h"

namespace {

struct Layer {
  const float *attention_norm, *query_norm, *key_norm, *mlp_norm;  // the middle two or null
  Matrix qkv, output, gate_up, down;
};

struct Decoder {
  int32_t width, hidden, heads, kv_heads, head, layers;
  float epsilon, head_epsilon;
  const Layer* layer;
  const float* last_norm;
};

// Rows of a call. x: (rows, width), read and overwritten. slot, position: of each row; cos, sin:
// (positions, head / 2). keys, values: half floats, of each layer (slots, kv_heads, room, head).
struct Pass {
  int32_t rows, reach;
  float* x;
  const int32_t *slot, *position;
  const float *cos, *sin;
  uint16_t *const *keys, *const *values;
  int64_t slot_stride, head_stride;
};

// Memory of a pass. score_room: of a head of a thread.
struct Work {
  Inputs wide, inner, attended;
  float *normed, *qkv, *found, *hidden, *scores;
  int score_room;

  Work(Arena& arena, const Decoder& d, int rows, int threads, int reach) {
    const int queries = d.heads * d.head, both = queries + 2 * d.kv_heads * d.head;
    wide = arena.inputs(rows, d.width);
    inner = arena.inputs(rows, d.hidden);
    attended = arena.inputs(rows, queries);
    normed = arena.take<float>(size_t(threads) * d.width);
    qkv = arena.take<float>(size_t(rows) * both);
    found = arena.take<float>(size_t(rows) * queries);
    hidden = arena.take<float>(size_t(rows) * d.hidden);
    score_room = (reach + 15) / 16 * 16;
    scores = arena.take<float>(size_t(threads) * kHeads * score_room);
  }
};

// Queries and keys are normed and rotated; keys and values are kept.
void keep(const Decoder& d, const Layer& layer, int number, const Pass& pass, const Work& work,
          int64_t row, int64_t h) {
  const int size = d.head, half = size / 2;
  const int both = (d.heads + 2 * d.kv_heads) * size;
  float* x = work.qkv + row * both + h * size;
  const float* norm = h < d.heads ? layer.query_norm : layer.key_norm;
  if (norm) rms_norm(x, norm, size, d.head_epsilon, x);
  rotate(x, pass.cos + pass.position[row] * int64_t(half),
       pass.sin + pass.position[row] * int64_t(half), half);
  if (h < d.heads) return;
  const int64_t at = pass.slot[row] * pass.slot_stride + (h - d.heads) * pass.head_stride +
                     int64_t(pass.position[row]) * size;
  halve(x, size, pass.keys[number] + at);
  halve(x + d.kv_heads * size, size, pass.values[number] + at);
}

void attention(Member& team, const Decoder& d, const Layer& layer, int number, const Pass& pass,
               const Work& work) {
  const int size = d.head, queries = d.heads * size, both = queries + 2 * d.kv_heads * size;
  const int rotated = d.heads + d.kv_heads, share = d.heads / d.kv_heads;
  team.each(int64_t(pass.rows) * rotated, [&](int64_t first, int64_t stop) {
    for (int64_t job = first; job < stop; job++)
      keep(d, layer, number, pass, work, job / rotated, job % rotated);
  });
  // Heads that share keys together, but one by one where there would be too few jobs to go round.
  // Heads outside, so that the rows of a prompt read the same keys one after the other.
  const int64_t most = team.plenty(int64_t(pass.rows) * d.kv_heads) ? kHeads : 1;
  const int64_t groups = (share + most - 1) / most;
  float* scores = work.scores + team.thread * int64_t(kHeads) * work.score_room;
  const auto one = [&](int64_t job) {
    const int64_t group = job / pass.rows, row = job % pass.rows;
    const int64_t kv = group / groups, first = kv * share + group % groups * most;
    const int64_t at = pass.slot[row] * pass.slot_stride + kv * pass.head_stride;
    const auto with = [&](auto heads) {
      attend<heads>(work.qkv + row * both + first * size, pass.keys[number] + at,
                    pass.values[number] + at, pass.position[row] + 1, size, scores,
                    work.score_room, work.found + row * queries + first * size);
    };
    switch (std::min(most, (kv + 1) * share - first)) {
      case 1: with(std::integral_constant<int, 1>()); break;
      case 2: with(std::integral_constant<int, 2>()); break;
      case 3: with(std::integral_constant<int, 3>()); break;
      default: with(std::integral_constant<int, kHeads>());
    }
  };
  team.each(pass.rows * groups * d.kv_heads, [&](int64_t first, int64_t stop) {
    for (int64_t job = first; job < stop; job++) one(job);
  });
}

void norm_rows(Member& team, const Decoder& d, const float* weight, const Pass& pass,
               const Work& work) {
  float* normed = work.normed + team.thread * int64_t(d.width);
  team.each(pass.rows, [&](int64_t first, int64_t stop) {
    for (int64_t row = first; row < stop; row++) {
      rms_norm(pass.x + row * d.width, weight, d.width, d.epsilon, normed);
      quantise(normed, work.wide, row);
    }
  });
}

void quantise_rows(Member& team, const float* x, const Inputs& to, int rows) {
  team.each(rows, [&](int64_t first, int64_t stop) {
    for (int64_t row = first; row < stop; row++) quantise(x + row * to.inputs, to, row);
  });
}

// hidden = silu(gate) * up (Shazeer 2020); both are halves of one matrix.
void gate(Member& team, const Decoder& d, const Layer& layer, int rows, const Work& work) {
  const int64_t tiles = d.hidden / kTile;
  products(team, tiles, rows, [&](int64_t t, int64_t row, int count) {
    float gates[kRows * kTile], ups[kRows * kTile];
    product(layer.gate_up, t, work.wide, row, count, gates);
    product(layer.gate_up, tiles + t, work.wide, row, count, ups);
    for (int m = 0; m < count; m++) {
      for (int i = 0; i < kTile; i += kLanes) {
        const Floats g = load(gates + m * kTile + i), u = load(ups + m * kTile + i);
        const Floats under = add(all(1), exponential(subtract(zeros(), g)));
        float* to = work.hidden + (row + m) * d.hidden + t * kTile + i;
        store(to, multiply(divide(g, under), u));
      }
    }
  });
}

void pass_through(Member& team, const Decoder& d, const Pass& pass, const Work& work) {
  for (int i = 0; i < d.layers; i++) {
    const Layer& layer = d.layer[i];
    norm_rows(team, d, layer.attention_norm, pass, work);
    multiply_all<false>(team, layer.qkv, work.wide, pass.rows, work.qkv);
    attention(team, d, layer, i, pass, work);
    quantise_rows(team, work.found, work.attended, pass.rows);
    multiply_all<true>(team, layer.output, work.attended, pass.rows, pass.x);
    norm_rows(team, d, layer.mlp_norm, pass, work);
    gate(team, d, layer, pass.rows, work);
    quantise_rows(team, work.hidden, work.inner, pass.rows);
    multiply_all<true>(team, layer.down, work.inner, pass.rows, pass.x);
  }
  team.each(pass.rows, [&](int64_t first, int64_t stop) {
    for (int64_t row = first; row < stop; row++) {
      float* x = pass.x + row * d.width;
      rms_norm(x, d.last_norm, d.width, d.epsilon, x);
    }
  });
}

}  // namespace

// What a call ends with. No exception leaves one: nothing inside throws.
enum Status : int32_t { kDone, kNoMemory };

#define AT(type, field) offsetof(type, field)

extern "C" {

// What `structures.py` has to agree with: the sizes of tiles and groups, then of each structure its
// size and where its fields begin; ended by -1.
const int32_t* hornbook_layout() noexcept {
  static const int32_t found[] = {
      kTile, kGroup,
      sizeof(Matrix), AT(Matrix, blocks), AT(Matrix, bias), AT(Matrix, outputs),
      AT(Matrix, inputs), AT(Matrix, bits),
      sizeof(Layer), AT(Layer, attention_norm), AT(Layer, query_norm), AT(Layer, key_norm),
      AT(Layer, mlp_norm), AT(Layer, qkv), AT(Layer, output), AT(Layer, gate_up),
      AT(Layer, down),
      sizeof(Decoder), AT(Decoder, width), AT(Decoder, hidden), AT(Decoder, heads),
      AT(Decoder, kv_heads), AT(Decoder, head), AT(Decoder, layers), AT(Decoder, epsilon),
      AT(Decoder, head_epsilon), AT(Decoder, layer), AT(Decoder, last_norm),
      sizeof(Pass), AT(Pass, rows), AT(Pass, reach), AT(Pass, x), AT(Pass, slot),
      AT(Pass, position), AT(Pass, cos), AT(Pass, sin), AT(Pass, keys), AT(Pass, values),
      AT(Pass, slot_stride), AT(Pass, head_stride),
      -1};
  return found;
}

// Whose threads the calls that follow take: an OpenMP runtime's, or for null their own.
void hornbook_threads(Parallel parallel) noexcept { openmp = parallel; }

// y (rows, outputs) = x (rows, inputs) times the matrix, plus its bias.
Status hornbook_product(int threads, const Matrix* w, const float* x, float* y,
                        int rows) noexcept {
  Arena count;
  count.inputs(rows, w->inputs);
  Arena arena(count.used);
  if (!arena.base) return kNoMemory;
  const Inputs inputs = arena.inputs(rows, w->inputs);
  Team::run(threads, rows, [&](Member& team) {
    quantise_rows(team, x, inputs, rows);
    multiply_all<false>(team, *w, inputs, rows, y);
  });
  return kDone;
}

// x becomes what the head reads of each row; keys and values of the rows are written.
Status hornbook_pass(int threads, const Decoder* decoder, const Pass* pass) noexcept {
  Arena count;
  Work(count, *decoder, pass->rows, threads, pass->reach);
  Arena arena(count.used);
  if (!arena.base) return kNoMemory;
  Work work(arena, *decoder, pass->rows, threads, pass->reach);
  Team::run(threads, pass->rows,
            [&](Member& team) { pass_through(team, *decoder, *pass, work); });
  return kDone;
}

}
