// The MLP of a layer: one for all rows, or a mixture of experts, of which each row meets a few.
//
// In a mixture a row has a slot for each expert that it meets. Slots lie in order by expert, so that
// rows of one expert are computed together; what a row gives does not depend on those beside it.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "decoder.h"
#include "product.h"
#include "team.h"

namespace {

// Some rows of inputs.
struct Span {
  int64_t first, count;
};

// Tile t of hidden (rows, d.hidden) = activation(gate) * up (Shazeer 2020), of some rows of x.
template <Kind kKind>
void gate_tile(Member& team, const Decoder& d, const Expert& expert, const Inputs& x, Span rows,
               int64_t t, const Work& work, float* hidden) {
  const Tile gate(expert.gate, t, rows.count, team.grid, work.opened);
  const Tile up(expert.up, t, rows.count, team.grid, work.opened + work.open_room);
  each_rows(rows.count, [&](int64_t done, int count) {
    float gates[kRows * kTile], ups[kRows * kTile];
    const int64_t row = rows.first + done;
    gate.times(x, row, count, gates);
    up.times(x, row, count, ups);
    for (int m = 0; m < count; m++) {
      for (int i = 0; i < kTile; i += kLanes) {
        const Floats g = load(gates + m * kTile + i), u = load(ups + m * kTile + i);
        store(hidden + (row + m) * d.hidden + t * kTile + i, multiply(activated<kKind>(g), u));
      }
    }
  });
}

// x += residual times the MLP of all rows.
template <Kind kKind>
void dense(Member& team, const Decoder& d, const Layer& layer, const Pass& pass, const Work& work) {
  const Expert& only = *layer.expert;
  const auto ready = [&](int64_t row) {
    read_row(d, layer.mlp_norm, pass, row, work.normed + row * d.width);
  };
  each_of_products(team, {&only.gate, &only.up}, work.wide, pass.rows, ready, d.hidden / kTile,
                   [&](int64_t first, int64_t stop) {
                     for (int64_t t = first; t < stop; t++)
                       gate_tile<kKind>(team, d, only, work.wide, {0, pass.rows}, t, work,
                                        work.hidden);
                   });
  add_to_stream(team, d, only.down, work.inner, layer.mlp_after, layer.residual, pass, work);
}

// The experts of a row are those with the largest shares, the first of equals: always different ones,
// also where shares are no numbers, as there is memory for one meeting of each. Weights are none then.
void choose(const Decoder& d, const Layer& layer, const Pass& pass, const Slots& slots, int64_t row) {
  float *x = slots.normed + row * d.width, *share = slots.shares + row * layer.experts;
  read_row(d, layer.mlp_norm, pass, row, x);
  for (int e = 0; e < layer.experts; e++)
    share[e] = dot(x, layer.router + int64_t(e) * d.width, d.width);
  const float most = *std::max_element(share, share + layer.experts);
  float all_of = 0, of_chosen = 0;
  for (int e = 0; e < layer.experts; e++) {
    const float own = std::exp(share[e] - most);
    all_of += own;
    share[e] = own >= 0 ? own : 0;
  }
  int32_t* chosen = slots.chosen + row * layer.chosen;
  float* weight = slots.weight + row * layer.chosen;
  for (int k = 0; k < layer.chosen; k++) {
    chosen[k] = int32_t(std::max_element(share, share + layer.experts) - share);
    weight[k] = share[chosen[k]];
    of_chosen += weight[k];
    share[chosen[k]] = -1;
  }
  const float by = all_of > 0 ? 1 / (layer.normalised ? of_chosen : all_of) : NAN;
  for (int k = 0; k < layer.chosen; k++) weight[k] *= by;
}

// Slots by expert, and those of one by rows.
void order(const Layer& layer, int64_t count, const Slots& slots) {
  std::fill(slots.begin, slots.begin + layer.experts + 1, 0);
  for (int64_t i = 0; i < count; i++) slots.begin[slots.chosen[i] + 1]++;
  for (int e = 0; e < layer.experts; e++) slots.begin[e + 1] += slots.begin[e];
  for (int64_t i = 0; i < count; i++) {
    const int32_t own = slots.begin[slots.chosen[i]]++;
    slots.slot[i] = own;
    slots.expert[own] = slots.chosen[i], slots.row[own] = int32_t(i / layer.chosen);
  }
}

// x of a row += residual times what its experts made, in the order in which they were chosen.
void add_experts(const Decoder& d, const Layer& layer, const Pass& pass, const Work& work,
                 int64_t row) {
  float *x = pass.x + row * d.width, *added = work.added + row * d.width;
  std::fill(added, added + d.width, 0.0f);
  for (int64_t k = row * layer.chosen; k < (row + 1) * layer.chosen; k++) {
    const float* made = work.slots.made + int64_t(work.slots.slot[k]) * d.width;
    const Floats by = all(work.slots.weight[k]);
    for (int i = 0; i < d.width; i += kLanes)
      store(added + i, multiply_add(load(made + i), by, load(added + i)));
  }
  if (layer.mlp_after) rms_norm(added, layer.mlp_after, d.width, d.epsilon, added);
  for (int i = 0; i < d.width; i += kLanes)
    store(x + i, multiply_add(load(added + i), all(layer.residual), load(x + i)));
}

// x += residual times the mixture.
template <Kind kKind>
void mixture(Member& team, const Decoder& d, const Layer& layer, const Pass& pass, const Work& work) {
  const Slots& slots = work.slots;
  const int64_t count = int64_t(pass.rows) * layer.chosen;
  const auto each = [&](int64_t jobs, auto one) {
    team.each(jobs, [&](int64_t first, int64_t stop) {
      for (int64_t job = first; job < stop; job++) one(job);
    });
  };
  // one(expert, slots, tile) for tiles of each expert that has slots. There are as many jobs as if
  // each slot had an expert of its own, so that their number depends on nothing that others write.
  const auto each_tile = [&](int64_t tiles, auto one) {
    each(count * tiles, [&](int64_t job) {
      const int64_t first = job / tiles;
      const int32_t own = slots.expert[first];
      if (first > 0 && slots.expert[first - 1] == own) return;
      int64_t stop = first + 1;
      while (stop < count && slots.expert[stop] == own) stop++;
      one(layer.expert[own], Span{first, stop - first}, job % tiles);
    });
  };
  each(pass.rows, [&](int64_t row) { choose(d, layer, pass, slots, row); });
  each(1, [&](int64_t) { order(layer, count, slots); });
  each(count, [&](int64_t slot) {
    const float* from = slots.normed + int64_t(slots.row[slot]) * d.width;
    std::copy(from, from + d.width, slots.gathered + slot * d.width);
    const Expert& own = layer.expert[slots.expert[slot]];
    make_inputs({&own.gate, &own.up}, slots.met, slot, team.grid);
  });
  each_tile(d.hidden / kTile, [&](const Expert& expert, Span rows, int64_t t) {
    gate_tile<kKind>(team, d, expert, slots.met, rows, t, work, slots.hidden);
  });
  each(count, [&](int64_t slot) {
    make_inputs({&layer.expert[slots.expert[slot]].down}, slots.inner, slot, team.grid);
  });
  each_tile(d.width / kTile, [&](const Expert& expert, Span rows, int64_t t) {
    const Tile down(expert.down, t, rows.count, team.grid, work.opened);
    each_rows(rows.count, [&](int64_t done, int some) {
      float out[kRows * kTile];
      const int64_t slot = rows.first + done;
      down.times(slots.inner, slot, some, out);
      for (int m = 0; m < some; m++)
        std::copy(out + m * kTile, out + (m + 1) * kTile,
                  slots.made + (slot + m) * d.width + t * kTile);
    });
  });
  each(pass.rows, [&](int64_t row) { add_experts(d, layer, pass, work, row); });
}

}  // namespace
