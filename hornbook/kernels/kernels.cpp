// Rows of tokens through a decoder whose matrices are stored in few bits.
//
// A row is one token of some sequence at some position; rows of one call may be a stream's next
// token, those of eight streams, or a chunk of a prompt. What a row gives does not depend on the
// rows beside it: every sum is made in one order, whatever the number of rows and threads.
//
// Built and called by `__init__.py`; `structures.py` mirrors the structures.

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>

#include "attend.h"
#include "convolve.h"
#include "decoder.h"
#include "delta.h"
#include "gated_norm.h"
#include "loss.h"
#include "mlp.h"
#include "muon.h"
#include "norms.h"
#include "product.h"
#include "recall.h"
#include "rule.h"
#include "scan.h"
#include "team.h"

namespace {

// What the output matrix of an attention reads becomes ready.
void attend_rows(Member& team, const Decoder& d, int number, const Pass& pass, const Work& work) {
  const Layer& layer = d.layer[number];
  const auto ready = [&](int64_t row) {
    read_row(d, layer.attention_norm, pass, row, work.normed + row * d.width);
  };
  const auto multiply = [&](std::initializer_list<const Matrix*> matrices) {
    multiply_all<false>(team, matrices, work.wide, pass.rows, ready, work.opened, work.qkv);
  };
  if (d.gated) multiply({&layer.query, &layer.key, &layer.value, &layer.gate});
  else multiply({&layer.query, &layer.key, &layer.value});
  attention(team, d, number, pass, work);
}

void pass_through(Member& team, const Decoder& d, const Pass& pass, const Work& work) {
  for (int i = 0; i < d.layers; i++) {
    const Layer& layer = d.layer[i];
    if (layer.recall) recall_rows(team, d, i, pass, work);
    else attend_rows(team, d, i, pass, work);
    add_to_stream(team, d, layer.output, layer.recall ? work.recalling.read : work.attended,
                  layer.attention_after, layer.residual, pass, work);
    const auto run = layer.router ? mixture<kSilu> : dense<kSilu>;
    const auto run_gelu = layer.router ? mixture<kGelu> : dense<kGelu>;
    (layer.activation == kSilu ? run : run_gelu)(team, d, layer, pass, work);
  }
  team.each(pass.rows, [&](int64_t first, int64_t stop) {
    for (int64_t row = first; row < stop; row++) {
      float* x = pass.x + row * d.width;
      rms_norm(x, d.last_norm, d.width, d.epsilon, x);
    }
  });
}

// What a call ends with. No exception leaves one: nothing inside throws.
enum Status : int32_t { kDone, kNoMemory };

// Calls run(grid, call, work, {row, head}) for all heads of all rows, with memory of each thread's own.
template <typename Work, typename Call, typename Run>
Status on_grids(int threads, const Call& call, bool back, int64_t rows, int64_t heads, Run run) {
  Arena count;
  Work(count, call, back);
  Arena arena(count.used * threads);
  if (!arena.base) return kNoMemory;
  Team::run(threads, kMany, [&](Member& team) {
    const BfloatGrid grid;
    Arena own(arena.base + count.used * team.thread);
    const Work work(own, call, back);
    team.each(rows * heads, [&](int64_t first, int64_t stop) {
      for (int64_t job = first; job < stop; job++)
        run(grid, call, work, {job / heads, job % heads});
    });
  });
  return kDone;
}

}  // namespace

#define AT(type, field) offsetof(type, field)

extern "C" {

// What `structures.py` has to agree with: the sizes of tiles, groups and keys side by side, then of each structure its
// size and where its fields begin; ended by -1.
const int32_t* hornbook_layout() noexcept {
  static const int32_t found[] = {
      kTile, kGroup, kAbreast,
      sizeof(Matrix), AT(Matrix, blocks), AT(Matrix, bias), AT(Matrix, outputs),
      AT(Matrix, inputs), AT(Matrix, form),
      sizeof(Expert), AT(Expert, gate), AT(Expert, up), AT(Expert, down),
      sizeof(Delta), AT(Delta, heads), AT(Delta, head), AT(Delta, key_heads), AT(Delta, key),
      AT(Delta, taps), AT(Delta, spread), AT(Delta, epsilon), AT(Delta, conv), AT(Delta, step_bias),
      AT(Delta, decay_log), AT(Delta, norm),
      sizeof(DeltaPieces), AT(DeltaPieces, tokens), AT(DeltaPieces, pieces), AT(DeltaPieces, longest),
      AT(DeltaPieces, first), AT(DeltaPieces, count), AT(DeltaPieces, slot), AT(DeltaPieces, token), AT(DeltaPieces, mixed),
      AT(DeltaPieces, gate), AT(DeltaPieces, rate), AT(DeltaPieces, step), AT(DeltaPieces, mixed_step),
      AT(DeltaPieces, gate_step), AT(DeltaPieces, strength_step), AT(DeltaPieces, past),
      AT(DeltaPieces, state), AT(DeltaPieces, y),
      sizeof(DeltaLayer), AT(DeltaLayer, input), AT(DeltaLayer, gate), AT(DeltaLayer, rate), AT(DeltaLayer, step),
      AT(DeltaLayer, rule),
      sizeof(Layer), AT(Layer, attention_norm), AT(Layer, attention_after), AT(Layer, query_norm),
      AT(Layer, key_norm), AT(Layer, mlp_norm), AT(Layer, mlp_after), AT(Layer, query),
      AT(Layer, key), AT(Layer, value), AT(Layer, gate), AT(Layer, output), AT(Layer, recall),
      AT(Layer, expert), AT(Layer, router), AT(Layer, residual), AT(Layer, scale), AT(Layer, cap),
      AT(Layer, window), AT(Layer, angles), AT(Layer, whole), AT(Layer, activation),
      AT(Layer, experts), AT(Layer, chosen), AT(Layer, normalised),
      sizeof(Decoder), AT(Decoder, width), AT(Decoder, hidden), AT(Decoder, heads),
      AT(Decoder, kv_heads), AT(Decoder, head), AT(Decoder, pairs), AT(Decoder, layers),
      AT(Decoder, gated), AT(Decoder, epsilon), AT(Decoder, head_epsilon), AT(Decoder, layer),
      AT(Decoder, last_norm),
      sizeof(Pass), AT(Pass, rows), AT(Pass, reach), AT(Pass, positions), AT(Pass, x),
      AT(Pass, slot), AT(Pass, position), AT(Pass, turns), AT(Pass, keys), AT(Pass, values),
      AT(Pass, slot_stride), AT(Pass, head_stride), AT(Pass, pieces), AT(Pass, longest),
      AT(Pass, first), AT(Pass, count), AT(Pass, piece_slot), AT(Pass, token), AT(Pass, past), AT(Pass, state),
      sizeof(Slab), AT(Slab, at), AT(Slab, row), AT(Slab, head), AT(Slab, token),
      sizeof(Attend), AT(Attend, rows), AT(Attend, heads), AT(Attend, kv_heads),
      AT(Attend, queries), AT(Attend, keys), AT(Attend, head), AT(Attend, causal),
      AT(Attend, scale), AT(Attend, q), AT(Attend, k), AT(Attend, v), AT(Attend, seen),
      AT(Attend, y), AT(Attend, dy), AT(Attend, dq), AT(Attend, dk), AT(Attend, dv),
      AT(Attend, sums),
      sizeof(CrossEntropy), AT(CrossEntropy, rows), AT(CrossEntropy, vocab),
      AT(CrossEntropy, smoothing), AT(CrossEntropy, cap), AT(CrossEntropy, logits),
      AT(CrossEntropy, bias), AT(CrossEntropy, target), AT(CrossEntropy, loss),
      sizeof(Norm), AT(Norm, rows), AT(Norm, heads), AT(Norm, tokens), AT(Norm, head),
      AT(Norm, pairs), AT(Norm, wide), AT(Norm, epsilon), AT(Norm, x), AT(Norm, y), AT(Norm, dy),
      AT(Norm, dx), AT(Norm, weight), AT(Norm, cos), AT(Norm, sin), AT(Norm, angles),
      AT(Norm, dweight),
      sizeof(Gated), AT(Gated, size), AT(Gated, gate), AT(Gated, up), AT(Gated, y),
      AT(Gated, dy), AT(Gated, dgate), AT(Gated, dup),
      sizeof(Moved), AT(Moved, weight), AT(Moved, buffer), AT(Moved, gradient), AT(Moved, rows),
      AT(Moved, columns),
      sizeof(Muon), AT(Muon, matrix), AT(Muon, matrices), AT(Muon, iterations),
      AT(Muon, momentum), AT(Muon, kept), AT(Muon, rate), AT(Muon, coefficients),
      sizeof(Fades), AT(Fades, rows), AT(Fades, tokens), AT(Fades, heads), AT(Fades, decay),
      AT(Fades, begin), AT(Fades, ddecay),
      sizeof(Scan), AT(Scan, fades), AT(Scan, groups), AT(Scan, head), AT(Scan, state),
      AT(Scan, value), AT(Scan, write), AT(Scan, read), AT(Scan, y), AT(Scan, dy),
      AT(Scan, dvalue), AT(Scan, dwrite), AT(Scan, dread), AT(Scan, step), AT(Scan, skip),
      AT(Scan, dstep), AT(Scan, dskip),
      sizeof(Rule), AT(Rule, fades), AT(Rule, key_heads), AT(Rule, head), AT(Rule, keys),
      AT(Rule, query), AT(Rule, key), AT(Rule, value), AT(Rule, y), AT(Rule, dy),
      AT(Rule, dquery), AT(Rule, dkey), AT(Rule, dvalue), AT(Rule, rate), AT(Rule, drate),
      sizeof(Convolution), AT(Convolution, rows), AT(Convolution, tokens),
      AT(Convolution, channels), AT(Convolution, taps), AT(Convolution, active),
      AT(Convolution, x), AT(Convolution, y), AT(Convolution, dy), AT(Convolution, dx),
      AT(Convolution, weight), AT(Convolution, bias), AT(Convolution, begin),
      AT(Convolution, dweight),
      sizeof(GatedNorm), AT(GatedNorm, rows), AT(GatedNorm, groups), AT(GatedNorm, tokens),
      AT(GatedNorm, size), AT(GatedNorm, before), AT(GatedNorm, epsilon), AT(GatedNorm, x),
      AT(GatedNorm, gate), AT(GatedNorm, y), AT(GatedNorm, dy), AT(GatedNorm, dx),
      AT(GatedNorm, dgate), AT(GatedNorm, weight), AT(GatedNorm, dweight),
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
  const int copies = rows == 1 ? threads : rows;  // of one row each thread has its own
  Arena count;
  count.inputs(copies, x, w->inputs);
  count.take<uint8_t>(threads * open_room);
  Arena arena(count.used);
  if (!arena.base) return kNoMemory;
  const Inputs inputs = arena.inputs(copies, x, w->inputs);
  uint8_t* opened = arena.take<uint8_t>(threads * open_room);
  Team::run(threads, rows, [&](Member& team) {
    const Inputs own = inputs.from(rows == 1 ? team.thread : 0);
    multiply_all<false>(team, {w}, own, rows, is_there, opened + team.thread * open_room, y);
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
            [&](Member& team) { pass_through(team, *decoder, *pass, work.of(team.thread, *decoder)); });
  return kDone;
}

// y becomes what the output projection of a layer of the gated delta rule reads.
Status hornbook_delta(int threads, const Delta* delta, const DeltaPieces* rows) noexcept {
  Arena count;
  DeltaWork(count, *delta, rows->tokens);
  Arena arena(count.used);
  if (!arena.base) return kNoMemory;
  const DeltaWork work(arena, *delta, rows->tokens);
  Team::run(threads, rows->tokens,
            [&](Member& team) { delta_rule(team, *delta, *rows, work); });
  return kDone;
}

// y becomes what the queries gather of the values, and `sums` what going back needs; or with `back`
// dq, dk and dv become the gradients that belong to dy.
Status hornbook_attend(int threads, const Attend* attend, int back) noexcept {
  return on_grids<AttendWork>(threads, *attend, back, attend->rows, attend->kv_heads,
                              back ? attend_head_back : attend_head);
}

// y becomes what is read of memories; or with `back` the gradients that belong to dy.
Status hornbook_scan(int threads, const Scan* scan, int back) noexcept {
  return on_grids<ScanWork>(threads, *scan, back, scan->fades.rows, scan->groups,
                            back ? scan_group_back : scan_group);
}
Status hornbook_rule(int threads, const Rule* rule, int back) noexcept {
  return on_grids<RuleWork>(threads, *rule, back, rule->fades.rows, rule->key_heads,
                            back ? rule_head_back : rule_head);
}

// y becomes what is convolved; or with `back` dx and dweight the gradients of dy.
Status hornbook_convolve(int threads, const Convolution* v, int back) noexcept {
  static_assert(kMostTaps == 4);
  constexpr decltype(&convolve<1>) kByTaps[] = {convolve<1>, convolve<2>, convolve<3>, convolve<4>};
  Team::run(threads, kMany, [&](Member& team) {
    team.each(v->rows * v->blocks(), [&](int64_t first, int64_t stop) {
      for (int64_t job = first; job < stop; job++) kByTaps[v->taps - 1](*v, job, back);
    });
  });
  return kDone;
}

// y becomes what was normed and gated; or with `back` dx, dgate and dweight the gradients of dy.
Status hornbook_gated_norm(int threads, const GatedNorm* norms, int back) noexcept {
  Arena arena(back ? norms->parts() * norms->weights() * sizeof(float) : 0);
  if (!arena.base) return kNoMemory;
  Team::run(threads, kMany, [&](Member& team) {
    if (back) norm_gated_back(team, *norms, reinterpret_cast<float*>(arena.base));
    else norm_gated(team, *norms);
  });
  return kDone;
}

// The logits become the gradient of their loss.
Status hornbook_cross_entropy(int threads, const CrossEntropy* entropy) noexcept {
  const size_t room = entropy->room();
  Arena arena(2 * room * threads * sizeof(float));
  if (!arena.base) return kNoMemory;
  Team::run(threads, kMany, [&](Member& team) {
    float* own = arena.take<float>(0) + 2 * room * team.thread;
    team.each(entropy->rows, [&](int64_t first, int64_t stop) {
      for (int64_t row = first; row < stop; row++) cross_entropy(*entropy, row, own, own + room);
    });
  });
  return kDone;
}

// y becomes what was normed and turned; or with `back` dx and dweight the gradients of dy.
Status hornbook_norm(int threads, const Norm* norms, int back) noexcept {
  Arena arena(back ? norms->parts() * norms->head * sizeof(float) : 0);
  if (!arena.base) return kNoMemory;
  Team::run(threads, kMany, [&](Member& team) {
    if (back) norm_back(team, *norms, reinterpret_cast<float*>(arena.base));
    else norm(team, *norms);
  });
  return kDone;
}

// y becomes the product with the gate; or with `back` dgate and dup the gradients of dy.
Status hornbook_gate(int threads, const Gated* gated, int back) noexcept {
  constexpr int kPiece = 1024;
  const int64_t pieces = (gated->size + kPiece - 1) / kPiece;
  Team::run(threads, kMany, [&](Member& team) {
    team.each(pieces, [&](int64_t first, int64_t stop) {
      for (int64_t i = first * kPiece; i < std::min(gated->size, stop * kPiece); i += kLanes)
        (back ? gate_back : gate)(*gated, i);
    });
  });
  return kDone;
}

// Weights and momenta become what they are after a step.
Status hornbook_muon(int threads, const Muon* muon) noexcept {
  int64_t low = 0, wide = 0;
  for (int i = 0; i < muon->matrices; i++) {
    low = std::max(low, muon->matrix[i].low());
    wide = std::max(wide, muon->matrix[i].wide());
  }
  Arena count;
  MuonWork(count, low, wide);
  Arena arena(count.used * threads);
  if (!arena.base) return kNoMemory;
  Team::run(threads, kMany, [&](Member& team) {
    const BfloatGrid grid;
    Arena own(arena.base + count.used * team.thread);
    MuonWork work(own, low, wide);
    team.each(muon->matrices, [&](int64_t first, int64_t stop) {
      for (int64_t i = first; i < stop; i++) move_matrix(grid, *muon, muon->matrix[i], work);
    });
  });
  return kDone;
}

}
