// A layer of the gated delta rule in a pass through a decoder.
#pragma once

#include <cstdint>

#include "decoder.h"
#include "delta.h"
#include "product.h"
#include "team.h"

namespace {

// The rates and steps of all rows. ready: makes what the layer reads of the only row.
template <typename Ready>
void strengths(Member& team, const Decoder& d, const DeltaLayer& recall, int64_t rows, Ready ready,
               const Work& work) {
  const int heads = recall.rule.heads;
  const auto some = [&](int64_t first, int64_t stop) {
    for (int64_t job = first; job < stop; job++) {
      const int64_t row = job / (2 * heads), h = job % (2 * heads);
      const float* weights = h < heads ? recall.rate + h * d.width : recall.step + (h - heads) * d.width;
      work.recalling.strengths[job] = dot(work.normed + row * d.width, weights, d.width);
    }
  };
  if (rows > 1) team.each(rows * 2 * heads, some);
  else team.each_after(rows, ready, 2 * heads, some);
}

// `recalling.found` becomes what the output matrix reads of each row.
void recall_rows(Member& team, const Decoder& d, int number, const Pass& pass, const Work& work) {
  const Layer& layer = d.layer[number];
  const DeltaLayer& recall = *layer.recall;
  const Recalling& own = work.recalling;
  const auto ready = [&](int64_t row) {
    read_row(d, layer.attention_norm, pass, row, work.normed + row * d.width);
  };
  multiply_all<false>(team, {&recall.input, &recall.gate}, work.wide, pass.rows, ready, work.opened,
                      own.projected);
  strengths(team, d, recall, pass.rows, ready, work);
  const int convolved = recall.input.outputs, heads = recall.rule.heads;
  const DeltaPieces rows{pass.rows, pass.pieces, pass.longest, pass.first, pass.count, pass.piece_slot,
                       pass.token, own.projected, own.projected + convolved, own.strengths,
                       own.strengths + heads, recall.projected(), recall.projected(), 2 * heads,
                       pass.past[number], pass.state[number], own.found};
  delta_rule(team, recall.rule, rows, own.rule);
}

}  // namespace
