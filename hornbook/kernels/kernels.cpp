// Rows of tokens through a decoder whose matrices are stored in few bits.
//
// A row is one token of some sequence at some position; rows of one call may be a stream's next
// token, those of eight streams, or a chunk of a prompt. What a row gives does not depend on the
// rows beside it: every sum is made in one order, whatever the number of rows and threads.
//
// Built and called by `__init__.py`; `structures.py` mirrors the structures.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "attention.h"
#include "delta.h"
#include "product.h"
#include "team.h"

namespace {

struct Layer {
  const float *attention_norm, *query_norm, *key_norm, *mlp_norm;  // the middle two or null
  Matrix query, key, value, output, gate, up, down;
};

struct Decoder {
  int32_t width, hidden, heads, kv_heads, head, layers;
  float epsilon, head_epsilon;
  const Layer* layer;
  const float* last_norm;
};

// Rows of a call. x: (rows, width), read and overwritten. slot, position: of each row; cos, sin:
// (positions, head / 2). keys, values: half floats, of each layer (slots, kv_heads, room, head), keys
// in the order of `key_place`; 16 divides room.
struct Pass {
  int32_t rows, reach;
  float* x;
  const int32_t *slot, *position;
  const float *cos, *sin;
  uint16_t *const *keys, *const *values;
  int64_t slot_stride, head_stride;
};

// Memory of a pass. score_room: of a query of a thread; open_room: bytes of an opened tile, of which
// a thread has two.
struct Work {
  Inputs wide, inner, attended;
  float *normed, *qkv, *found, *hidden, *scores;
  uint8_t* opened;
  int score_room;
  size_t open_room;

  Work(Arena& arena, const Decoder& d, int rows, int threads, int reach) {
    const int queries = d.heads * d.head, both = queries + 2 * d.kv_heads * d.head;
    normed = arena.take<float>(size_t(rows) * d.width);
    qkv = arena.take<float>(size_t(rows) * both);
    found = arena.take<float>(size_t(rows) * queries);
    hidden = arena.take<float>(size_t(rows) * d.hidden);
    wide = arena.inputs(rows, normed, d.width);
    inner = arena.inputs(rows, hidden, d.hidden);
    attended = arena.inputs(rows, found, queries);
    score_room = (reach + 15) / 16 * 16;
    scores = arena.take<float>(size_t(threads) * kQueries * score_room);
    open_room = open_bytes(rows, std::max({d.width, d.hidden, queries}));
    opened = arena.take<uint8_t>(2 * threads * open_room);
  }

  uint8_t* room(const Member& team) const { return opened + 2 * team.thread * open_room; }
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
  const int64_t at = pass.slot[row] * pass.slot_stride + (h - d.heads) * pass.head_stride;
  const int64_t position = pass.position[row];
  keep_key(x, position, size, pass.keys[number] + at);
  halve(x + d.kv_heads * size, size, pass.values[number] + at + position * size);
}

// Some rows and heads of an attention that share keys. first: the first head.
struct Place {
  int row, rows, kv, first, heads;
};

template <int kRowsOf, int kHeadsOf>
void look_from(const Decoder& d, int number, const Pass& pass, const Work& work, const Place& place,
               float* scores) {
  const int size = d.head, queries = d.heads * size, both = queries + 2 * d.kv_heads * size;
  Queries<kRowsOf * kHeadsOf> x{size, work.score_room, 1 / std::sqrt(float(size)), scores, {}, {}, {}, {}};
  for (int m = 0; m < kRowsOf * kHeadsOf; m++) {
    const int64_t row = place.row + m / kHeadsOf, head = place.first + m % kHeadsOf;
    x.q[m] = work.qkv + row * both + head * size;
    x.y[m] = work.found + row * queries + head * size;
    x.stop[m] = pass.position[row] + 1;
  }
  const int64_t at = pass.slot[place.row] * pass.slot_stride + place.kv * pass.head_stride;
  attend(x, pass.keys[number] + at, pass.values[number] + at);
}

// Rows together where they are neighbours of one sequence and as many as can be, else one by one.
void look(const Decoder& d, int number, const Pass& pass, const Work& work, Place place,
          float* scores) {
  const auto with = [&](auto heads) {
    constexpr int kAll = kQueries / heads;
    bool together = place.rows == kAll;
    for (int row = place.row + 1; row < place.row + place.rows; row++)
      together = together && pass.slot[row] == pass.slot[row - 1] &&
                 pass.position[row] == pass.position[row - 1] + 1;
    if (together) return look_from<kAll, heads>(d, number, pass, work, place, scores);
    for (int i = 0; i < place.rows; i++, place.row++)
      look_from<1, heads>(d, number, pass, work, place, scores);
  };
  switch (place.heads) {
    case 1: return with(std::integral_constant<int, 1>());
    case 2: return with(std::integral_constant<int, 2>());
    case 3: return with(std::integral_constant<int, 3>());
    default: return with(std::integral_constant<int, kHeads>());
  }
}

void attention(Member& team, const Decoder& d, const Layer& layer, int number, const Pass& pass,
               const Work& work) {
  const int rotated = d.heads + d.kv_heads, share = d.heads / d.kv_heads;
  team.each(int64_t(pass.rows) * rotated, [&](int64_t first, int64_t stop) {
    for (int64_t job = first; job < stop; job++)
      keep(d, layer, number, pass, work, job / rotated, job % rotated);
  });
  // Heads that share keys and rows of a prompt together, but heads one by one where each then has a
  // thread. Heads outside, so that rows read the same keys one after the other.
  const int single = team.threads() >= int64_t(pass.rows) * d.heads;
  const int groups = single ? share : (share + kHeads - 1) / kHeads;
  const int most = (share + groups - 1) / groups, abreast = kQueries / most;
  const int blocks = (pass.rows + abreast - 1) / abreast;
  float* scores = work.scores + team.thread * int64_t(kQueries) * work.score_room;
  team.each(int64_t(d.kv_heads) * groups * blocks, [&](int64_t begin, int64_t end) {
    for (int64_t job = begin; job < end; job++) {
      const int group = int(job / blocks), row = int(job % blocks) * abreast;
      const int kv = group / groups, first = kv * share + group % groups * most;
      const int rows = std::min(abreast, pass.rows - row);
      const int heads = std::min(most, (kv + 1) * share - first);
      look(d, number, pass, work, {row, rows, kv, first, heads}, scores);
    }
  });
}

// Rows normed, in floats and quantised.
void norm_rows(Member& team, const Decoder& d, const float* weight, const Pass& pass,
               const Work& work) {
  team.each(pass.rows, [&](int64_t first, int64_t stop) {
    for (int64_t row = first; row < stop; row++) {
      rms_norm(pass.x + row * d.width, weight, d.width, d.epsilon, work.normed + row * d.width);
      quantise(work.wide, row);
    }
  });
}

void quantise_rows(Member& team, const Inputs& x, int rows) {
  team.each(rows, [&](int64_t first, int64_t stop) {
    for (int64_t row = first; row < stop; row++) quantise(x, row);
  });
}

// hidden = silu(gate) * up (Shazeer 2020).
void gate(Member& team, const Decoder& d, const Layer& layer, int rows, const Work& work) {
  uint8_t* room = work.room(team);
  const auto one = [&](int64_t t) {
    const Tile gate(layer.gate, t, rows, room), up(layer.up, t, rows, room + work.open_room);
    each_rows(rows, [&](int64_t row, int count) {
      float gates[kRows * kTile], ups[kRows * kTile];
      gate.times(work.wide, row, count, team.grid, gates);
      up.times(work.wide, row, count, team.grid, ups);
      for (int m = 0; m < count; m++) {
        for (int i = 0; i < kTile; i += kLanes) {
          const Floats g = load(gates + m * kTile + i), u = load(ups + m * kTile + i);
          const Floats under = add(all(1), exponential(subtract(zeros(), g)));
          store(work.hidden + (row + m) * d.hidden + t * kTile + i, multiply(divide(g, under), u));
        }
      }
    });
  };
  team.each(d.hidden / kTile, [&](int64_t first, int64_t stop) {
    for (int64_t t = first; t < stop; t++) one(t);
  });
}

void pass_through(Member& team, const Decoder& d, const Pass& pass, const Work& work) {
  uint8_t* room = work.room(team);
  for (int i = 0; i < d.layers; i++) {
    const Layer& layer = d.layer[i];
    norm_rows(team, d, layer.attention_norm, pass, work);
    multiply_all<false>(team, {&layer.query, &layer.key, &layer.value}, work.wide, pass.rows, room,
                        work.qkv);
    attention(team, d, layer, i, pass, work);
    quantise_rows(team, work.attended, pass.rows);
    multiply_all<true>(team, {&layer.output}, work.attended, pass.rows, room, pass.x);
    norm_rows(team, d, layer.mlp_norm, pass, work);
    gate(team, d, layer, pass.rows, work);
    quantise_rows(team, work.inner, pass.rows);
    multiply_all<true>(team, {&layer.down}, work.inner, pass.rows, room, pass.x);
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

// What `structures.py` has to agree with: the sizes of tiles, groups and keys side by side, then of each structure its
// size and where its fields begin; ended by -1.
const int32_t* hornbook_layout() noexcept {
  static const int32_t found[] = {
      kTile, kGroup, kAbreast,
      sizeof(Matrix), AT(Matrix, blocks), AT(Matrix, bias), AT(Matrix, outputs),
      AT(Matrix, inputs), AT(Matrix, form),
      sizeof(Layer), AT(Layer, attention_norm), AT(Layer, query_norm), AT(Layer, key_norm),
      AT(Layer, mlp_norm), AT(Layer, query), AT(Layer, key), AT(Layer, value), AT(Layer, output),
      AT(Layer, gate), AT(Layer, up), AT(Layer, down),
      sizeof(Decoder), AT(Decoder, width), AT(Decoder, hidden), AT(Decoder, heads),
      AT(Decoder, kv_heads), AT(Decoder, head), AT(Decoder, layers), AT(Decoder, epsilon),
      AT(Decoder, head_epsilon), AT(Decoder, layer), AT(Decoder, last_norm),
      sizeof(Pass), AT(Pass, rows), AT(Pass, reach), AT(Pass, x), AT(Pass, slot),
      AT(Pass, position), AT(Pass, cos), AT(Pass, sin), AT(Pass, keys), AT(Pass, values),
      AT(Pass, slot_stride), AT(Pass, head_stride),
      sizeof(Delta), AT(Delta, rows), AT(Delta, time), AT(Delta, heads), AT(Delta, head),
      AT(Delta, key_heads), AT(Delta, key), AT(Delta, taps), AT(Delta, epsilon), AT(Delta, count),
      AT(Delta, mixed), AT(Delta, gate), AT(Delta, rate), AT(Delta, step), AT(Delta, conv),
      AT(Delta, step_bias), AT(Delta, decay_log), AT(Delta, norm), AT(Delta, past),
      AT(Delta, state), AT(Delta, y),
      -1};
  return found;
}

// Whose threads the calls that follow take: an OpenMP runtime's, or for null their own.
void hornbook_threads(Parallel parallel) noexcept { openmp = parallel; }

// The numbers of each form, as `structures.FORMS` has them, and the bytes of a unit; ended by -1.
const int32_t* hornbook_forms() noexcept {
  constexpr int kCount = sizeof(kForms) / sizeof(Kernel), kEach = 7;
  static const auto found = [] {
    std::array<int32_t, kCount * kEach + 1> numbers;
    auto to = numbers.begin();
    for (const Kernel& k : kForms)
      for (int32_t n : {k.bits, k.group, k.unit, k.offsets, k.table, k.exponent, k.bytes}) *to++ = n;
    *to = -1;
    return numbers;
  }();
  return found.data();
}

// y (rows, outputs) = x (rows, inputs) times the matrix, plus its bias.
Status hornbook_product(int threads, const Matrix* w, const float* x, float* y,
                        int rows) noexcept {
  const size_t open_room = open_bytes(rows, w->inputs);
  Arena count;
  count.inputs(rows, x, w->inputs);
  count.take<uint8_t>(threads * open_room);
  Arena arena(count.used);
  if (!arena.base) return kNoMemory;
  const Inputs inputs = arena.inputs(rows, x, w->inputs);
  uint8_t* opened = arena.take<uint8_t>(threads * open_room);
  Team::run(threads, rows, [&](Member& team) {
    quantise_rows(team, inputs, rows);
    multiply_all<false>(team, {w}, inputs, rows, opened + team.thread * open_room, y);
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

// y becomes what the output projection of a layer of the gated delta rule reads.
Status hornbook_delta(int threads, const Delta* delta) noexcept {
  Arena count;
  DeltaWork(count, *delta);
  Arena arena(count.used);
  if (!arena.base) return kNoMemory;
  const DeltaWork work(arena, *delta);
  Team::run(threads, delta->rows * delta->time,
            [&](Member& team) { delta_rule(team, *delta, work); });
  return kDone;
}

}
