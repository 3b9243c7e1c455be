// What a decoder is made of, and how its attention looks at what came before.
//
// What one kind of model has and another has not is data of each layer: a null, a zero or a number
// that changes nothing where it is absent. No kind has a branch of its own.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "attention.h"
#include "delta.h"
#include "product.h"
#include "team.h"

namespace {

// A gated MLP.
struct Expert {
  Matrix gate, up, down;
};

// The gated delta rule in the place of an attention. input: of queries, keys and values. rate, step:
// (heads, width).
struct DeltaLayer {
  Matrix input, gate;
  const float *rate, *step;
  Delta rule;

  int projected() const { return input.outputs + gate.outputs; }
};

// Norms: of what attention and MLP read and of what they add, null where there is none; of queries and
// keys, of each head or, `whole`, of all together, or null. residual: what is added is multiplied by
// it. scale, cap: scores s become scale s, then cap tanh(s / cap), or 0 for no cap. window: tokens that
// are seen, itself included, or 0 for all. angles: whose cosines and sines turn queries and keys, or
// -1. gate: what a head says is multiplied by its sigmoid, in a decoder that is `gated`. recall: what
// stands in the place of the attention, or null. activation: a `Kind`. expert: the MLP, or where there
// is a router, (experts, width), several, of which a row meets `chosen`, with weights that come to 1 if
// they are `normalised`.
struct Layer {
  const float *attention_norm, *attention_after, *query_norm, *key_norm, *mlp_norm, *mlp_after;
  Matrix query, key, value, gate, output;
  const DeltaLayer* recall;
  const Expert* expert;
  const float* router;
  float residual, scale, cap;
  int32_t window, angles, whole, activation, experts, chosen, normalised;
};

// pairs: of channels of a head that turn.
struct Decoder {
  int32_t width, hidden, heads, kv_heads, head, pairs, layers, gated;
  float epsilon, head_epsilon;
  const Layer* layer;
  const float* last_norm;

  int queries() const { return heads * head; }
  int keys() const { return kv_heads * head; }
  int gates() const { return queries() + 2 * keys(); }  // behind queries, keys and values
  int together() const { return gates() + gated * queries(); }
};

// Rows of a call. x: (rows, width), read and overwritten. slot, position: of each row; turns: for each
// number of `angles` cosines, then sines, (positions, pairs). keys, values: half floats, of each layer
// (slots, kv_heads, room, head), keys in the order of `key_place`; 16 divides room. pieces, longest,
// first, count, piece_slot, token, past, state: as `DeltaPieces` has them, of layers that have it.
struct Pass {
  int32_t rows, reach, positions;
  float* x;
  const int32_t *slot, *position;
  const float* turns;
  uint16_t *const *keys, *const *values;
  int64_t slot_stride, head_stride;
  int32_t pieces, longest;
  const int32_t *first, *count, *piece_slot, *token;
  float *const *past, *const *state;
};

// A row at one of its experts, by slots: `expert` and `row`; by rows, for each of the experts that were
// chosen, its slot and weight. normed, shares: of rows, (width,) and (experts,). gathered, hidden, made:
// of slots; met, inner: what matrices of experts read. begin: of each expert's slots.
struct Slots {
  Inputs met, inner;
  float *normed, *shares, *weight, *gathered, *hidden, *made;
  int32_t *chosen, *slot, *expert, *row, *begin;

  Slots(Arena& arena, const Decoder& d, int rows) {
    int most = 0, experts = 0;
    for (int i = 0; i < d.layers; i++) {
      if (!d.layer[i].router) continue;
      most = std::max(most, d.layer[i].chosen);
      experts = std::max(experts, d.layer[i].experts);
    }
    const size_t count = size_t(rows) * most;
    normed = arena.take<float>(most ? size_t(rows) * d.width : 0);
    shares = arena.take<float>(size_t(rows) * experts);
    gathered = arena.take<float>(count * d.width);
    hidden = arena.take<float>(count * d.hidden);
    made = arena.take<float>(count * d.width);
    weight = arena.take<float>(count);
    met = arena.inputs(int(count), gathered, d.width);
    inner = arena.inputs(int(count), hidden, d.hidden);
    chosen = arena.take<int32_t>(count), slot = arena.take<int32_t>(count);
    expert = arena.take<int32_t>(count), row = arena.take<int32_t>(count);
    begin = arena.take<int32_t>(experts + 1);
  }
};

// What layers of the gated delta rule work with, which are all of the same sizes: what is projected,
// rates and steps side by side, and what the output reads, if there are such layers.
struct Recalling {
  float *projected = nullptr, *strengths = nullptr, *found = nullptr;
  DeltaWork rule;
  Inputs read{};

  Recalling(Arena& arena, const Decoder& d, int rows, int copies) {
    for (int i = 0; i < d.layers && !read.inputs; i++) {
      const DeltaLayer* own = d.layer[i].recall;
      if (!own) continue;
      projected = arena.take<float>(size_t(rows) * own->projected());
      strengths = arena.take<float>(size_t(rows) * own->rule.heads * 2);
      found = arena.take<float>(size_t(rows) * own->rule.inner());
      rule = DeltaWork(arena, own->rule, rows);
      read = arena.inputs(copies, found, own->rule.inner());
    }
  }
};

// Memory of a pass. normed, wide, inner, attended: what products read; of one row each thread has its
// own. added: what a layer adds, where that is normed. score_room: of a query of a thread; open_room:
// bytes of an opened tile, of which a thread has two.
struct Work {
  Inputs wide, inner, attended;
  float *normed, *qkv, *found, *hidden, *added, *scores;
  uint8_t* opened;
  int score_room;
  size_t open_room;
  bool single;
  Slots slots;
  Recalling recalling;

  Work(Arena& arena, const Decoder& d, int rows, int threads, int reach)
      : single(rows == 1), slots(arena, d, rows),
        recalling(arena, d, rows, single ? threads : rows) {
    const int copies = single ? threads : rows;
    normed = arena.take<float>(size_t(copies) * d.width);
    qkv = arena.take<float>(size_t(rows) * d.together());
    found = arena.take<float>(size_t(rows) * d.queries());
    hidden = arena.take<float>(size_t(rows) * d.hidden);
    added = normed;  // which nobody reads any more then
    wide = arena.inputs(copies, normed, d.width);
    inner = arena.inputs(copies, hidden, d.hidden);
    attended = arena.inputs(copies, found, d.queries());
    score_room = (reach + kAbreast - 1) / kAbreast * kAbreast;
    scores = arena.take<float>(size_t(threads) * kQueries * score_room);
    open_room = open_bytes(rows, std::max({d.width, d.hidden, d.queries(), recalling.read.inputs}));
    opened = arena.take<uint8_t>(2 * threads * open_room);
  }

  // What a thread works with.
  Work of(int thread, const Decoder& d) const {
    Work own = *this;
    own.scores += int64_t(thread) * kQueries * score_room;
    own.opened += 2 * thread * open_room;
    if (!single) return own;
    own.normed += int64_t(thread) * d.width;
    own.wide = wide.from(thread), own.inner = inner.from(thread);
    own.attended = attended.from(thread);
    own.wide.floats = own.normed;
    if (own.recalling.read.inputs) own.recalling.read = recalling.read.from(thread);
    return own;
  }
};

// What a layer reads: a row normed, where there is a norm.
void read_row(const Decoder& d, const float* norm, const Pass& pass, int64_t row, float* y) {
  const float* x = pass.x + row * d.width;
  if (norm) rms_norm(x, norm, d.width, d.epsilon, y);
  else std::copy(x, x + d.width, y);
}

void is_there(int64_t) {}  // the floats of a row: those of the phase before

// x += residual times what the last matrix of a layer makes, normed where there is a norm.
void add_to_stream(Member& team, const Decoder& d, const Matrix& last, const Inputs& inputs,
                   const float* after, float residual, const Pass& pass, const Work& work) {
  const int rows = pass.rows;
  if (!after)
    return multiply_all<true>(team, {&last}, inputs, rows, is_there, work.opened, pass.x, residual);
  multiply_all<false>(team, {&last}, inputs, rows, is_there, work.opened, work.added);
  team.each(rows, [&](int64_t first, int64_t stop) {
    for (int64_t row = first; row < stop; row++) {
      float *x = pass.x + row * d.width, *added = work.added + row * d.width;
      rms_norm(added, after, d.width, d.epsilon, added);
      for (int i = 0; i < d.width; i += kLanes)
        store(x + i, multiply_add(load(added + i), all(residual), load(x + i)));
    }
  });
}

// Queries and keys of a row normed all together.
void norm_whole(const Decoder& d, const Layer& layer, const Work& work, int64_t row) {
  float* x = work.qkv + row * d.together();
  rms_norm(x, layer.query_norm, d.queries(), d.head_epsilon, x);
  rms_norm(x + d.queries(), layer.key_norm, d.keys(), d.head_epsilon, x + d.queries());
}

// Queries and keys are normed and turned; keys and values are kept.
void keep(const Decoder& d, int number, const Pass& pass, const Work& work, int64_t row, int64_t h) {
  const Layer& layer = d.layer[number];
  const int size = d.head;
  float* x = work.qkv + row * d.together() + h * size;
  const float* norm = h < d.heads ? layer.query_norm : layer.key_norm;
  if (norm && !layer.whole) rms_norm(x, norm, size, d.head_epsilon, x);
  const int64_t position = pass.position[row], table = int64_t(pass.positions) * d.pairs;
  if (layer.angles >= 0) {
    const float* cos = pass.turns + 2 * table * layer.angles + position * d.pairs;
    rotate(x, cos, cos + table, d.pairs);
  }
  if (h < d.heads) return;
  const int64_t at = pass.slot[row] * pass.slot_stride + (h - d.heads) * pass.head_stride;
  keep_key(x, position, size, pass.keys[number] + at);
  halve(x + d.keys(), size, pass.values[number] + at + position * size);
}

// Some rows and heads of an attention that share keys. first: the first head.
struct Place {
  int row, rows, kv, first, heads;
};

template <int kRowsOf, int kHeadsOf>
void look_from(const Decoder& d, int number, const Pass& pass, const Work& work,
               const Place& place) {
  const Layer& layer = d.layer[number];
  Queries<kRowsOf * kHeadsOf> x;
  x.size = d.head, x.room = work.score_room, x.scale = layer.scale, x.cap = layer.cap;
  x.scores = work.scores;
  for (int m = 0; m < kRowsOf * kHeadsOf; m++) {
    const int64_t row = place.row + m / kHeadsOf, head = place.first + m % kHeadsOf;
    x.q[m] = work.qkv + row * d.together() + head * d.head;
    x.y[m] = work.found + row * d.queries() + head * d.head;
    x.stop[m] = pass.position[row] + 1;
    x.first[m] = layer.window > 0 ? std::max(0, x.stop[m] - layer.window) : 0;
  }
  const int64_t at = pass.slot[place.row] * pass.slot_stride + place.kv * pass.head_stride;
  attend(x, pass.keys[number] + at, pass.values[number] + at);
  if (!d.gated) return;
  for (int m = 0; m < kRowsOf * kHeadsOf; m++) {
    const float* gate = x.q[m] + d.gates();  // whose heads stand as those of queries
    for (int i = 0; i < d.head; i += kLanes)
      store(x.y[m] + i, divide(load(x.y[m] + i), one_and_power(load(gate + i))));
  }
}

// Rows together where they are neighbours of one sequence and as many as can be, else one by one.
void look(const Decoder& d, int number, const Pass& pass, const Work& work, Place place) {
  const auto with = [&](auto heads) {
    constexpr int kAll = kQueries / heads;
    bool together = place.rows == kAll;
    for (int row = place.row + 1; row < place.row + place.rows; row++)
      together = together && pass.slot[row] == pass.slot[row - 1] &&
                 pass.position[row] == pass.position[row - 1] + 1;
    if (together) return look_from<kAll, heads>(d, number, pass, work, place);
    for (int i = 0; i < place.rows; i++, place.row++)
      look_from<1, heads>(d, number, pass, work, place);
  };
  switch (place.heads) {
    case 1: return with(std::integral_constant<int, 1>());
    case 2: return with(std::integral_constant<int, 2>());
    case 3: return with(std::integral_constant<int, 3>());
    default: return with(std::integral_constant<int, kHeads>());
  }
}

void attention(Member& team, const Decoder& d, int number, const Pass& pass, const Work& work) {
  const Layer& layer = d.layer[number];
  if (layer.whole && layer.query_norm)
    team.each(pass.rows, [&](int64_t first, int64_t stop) {
      for (int64_t row = first; row < stop; row++) norm_whole(d, layer, work, row);
    });
  const int turned = d.heads + d.kv_heads, share = d.heads / d.kv_heads;
  // Heads that share keys and rows of a prompt together, but heads one by one where each then has a
  // thread. Heads outside, so that rows read the same keys one after the other.
  const int each_own = team.threads() >= int64_t(pass.rows) * d.heads;
  const int groups = each_own ? share : (share + kHeads - 1) / kHeads;
  const int most = (share + groups - 1) / groups, abreast = kQueries / most;
  const int blocks = (pass.rows + abreast - 1) / abreast;
  // Where nobody else looks at the keys of a job, it keeps them itself.
  const bool alone = pass.rows == 1 && groups == 1;
  if (!alone)
    team.each(int64_t(pass.rows) * turned, [&](int64_t first, int64_t stop) {
      for (int64_t job = first; job < stop; job++)
        keep(d, number, pass, work, job / turned, job % turned);
    });
  team.each(int64_t(d.kv_heads) * groups * blocks, [&](int64_t begin, int64_t end) {
    for (int64_t job = begin; job < end; job++) {
      const int group = int(job / blocks), row = int(job % blocks) * abreast;
      const int kv = group / groups, first = kv * share + group % groups * most;
      const int rows = std::min(abreast, pass.rows - row);
      const int heads = std::min(most, (kv + 1) * share - first);
      if (alone) {
        for (int h = first; h < first + heads; h++) keep(d, number, pass, work, row, h);
        keep(d, number, pass, work, row, d.heads + kv);
      }
      look(d, number, pass, work, {row, rows, kv, first, heads});
    }
  });
}

}  // namespace
