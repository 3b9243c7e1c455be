// Muon's step (Jordan 2024) of matrices: momentum, an update made nearly orthogonal in bfloats, and what
// becomes of the weights. `training.muon` says the same in torch.
//
// A job is a matrix, so no number of threads changes a bit.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "bfloats.h"
#include "inputs.h"
#include "team.h"

namespace {

// (rows, columns) floats each, in one piece.
struct Moved {
  float *weight, *buffer;
  const float* gradient;
  int32_t rows, columns;

  bool tall() const { return rows > columns; }
  // Of the update as it is made orthogonal: the smaller side first, whole blocks.
  int64_t low() const { return whole_blocks(std::min(rows, columns)); }
  int64_t wide() const { return whole_blocks(std::max(rows, columns)); }
};

// kept: of each weight. rate: of a square matrix. coefficients: (iterations, 3) of odd polynomials.
struct Muon {
  const Moved* matrix;
  int32_t matrices, iterations;
  float momentum, kept, rate;
  const float* coefficients;
};

// Memory of a thread: an update (low, wide) and the next one, its gram and the polynomial's even
// part (low, low), and right factors of both sizes.
struct MuonWork {
  uint16_t *x, *next, *gram, *even;
  uint32_t *across, *down;

  MuonWork(Arena& arena, int64_t low, int64_t wide) {
    x = arena.take<uint16_t>(low * wide);
    next = arena.take<uint16_t>(low * wide);
    gram = arena.take<uint16_t>(low * low);
    even = arena.take<uint16_t>(low * low);
    across = arena.take<uint32_t>(low * wide / 2);
    down = arena.take<uint32_t>(low * wide / 2);
  }
};

// Nesterov's look ahead, of a gradient and the momentum that it has become part of.
float ahead(const Muon& m, float gradient, float buffer) {
  return gradient + m.momentum * (buffer - gradient);
}

// The momentum takes up the gradient; 1 over the norm of what is ahead is given back.
float take_up(const Muon& m, const Moved& at) {
  const int64_t size = int64_t(at.rows) * at.columns;
  double squares = 0;
  for (int64_t row = 0; row < size; row += at.columns) {
    float sum = 0;
    Floats sums = zeros();
    int64_t i = row;
    const auto take = [&](float& buffer, float gradient) {
      buffer += (1 - m.momentum) * (gradient - buffer);
      return ahead(m, gradient, buffer);
    };
    for (; i + kLanes <= row + at.columns; i += kLanes) {
      const Floats g = load(at.gradient + i), old = load(at.buffer + i);
      const Floats b = multiply_add(all(1 - m.momentum), subtract(g, old), old);
      const Floats look = multiply_add(all(m.momentum), subtract(b, g), g);
      store(at.buffer + i, b);
      sums = multiply_add(look, look, sums);
    }
    for (; i < row + at.columns; i++) {
      const float look = take(at.buffer[i], at.gradient[i]);
      sum += look * look;
    }
    squares += sum + double(::sum(sums));
  }
  return float(1 / (std::sqrt(squares) * 1.02 + 1e-6));
}

// Calls job(i, j, at) of all places of a matrix, `at` where it is in an update.
template <typename Job>
void each_place(const Moved& of, Job job) {
  const int64_t wide = of.wide();
  if (!of.tall()) {
    for (int64_t i = 0; i < of.rows; i++)
      for (int64_t j = 0; j < of.columns; j++) job(i * of.columns + j, i * wide + j);
    return;
  }
  for (int64_t first = 0; first < of.rows; first += kStrip) {
    const int64_t stop = std::min<int64_t>(first + kStrip, of.rows);
    for (int64_t j = 0; j < of.columns; j++)
      for (int64_t i = first; i < stop; i++) job(i * of.columns + j, j * wide + i);
  }
}

// to (rows, columns) = by * from + with * (a (rows, depth) times the right factor b).
struct Step {
  const uint16_t *a, *from;
  const uint32_t* b;
  uint16_t* to;
  int64_t rows, columns, depth;
  float by, with;
};

void multiply(const BfloatGrid& grid, const Step& s) {
  alignas(64) float block[kBlock * kBlock];
  const int64_t strip = s.depth / 2 * kStrip;
  for (int64_t j = 0; j < s.columns; j += kBlock)
    for (int64_t i = 0; i < s.rows; i += kBlock) {
      multiply_block(grid, {s.a + i * s.depth, s.depth, s.b + j / kStrip * strip, strip, s.depth},
                     block, kBlock, false);
      for (int64_t r = 0; r < kBlock; r++)
        for (int64_t c = 0; c < kBlock; c += kLanes) {
          const int64_t at = (i + r) * s.columns + j + c;
          const Floats made = multiply(load(block + r * kBlock + c), all(s.with));
          const Floats had = s.from ? multiply(load_bfloats(s.from + at), all(s.by)) : zeros();
          store_bfloats(s.to + at, add(made, had));
        }
    }
}

// x (low, wide) becomes (a + b x x^T + c (x x^T)^2) x for each row of coefficients.
void make_orthogonal(const BfloatGrid& grid, const Muon& m, int64_t low, int64_t wide, MuonWork& w) {
  for (int i = 0; i < m.iterations; i++) {
    const float *c = m.coefficients + 3 * i;
    pairs_across(w.x, low, wide, w.across);
    multiply(grid, {w.x, nullptr, w.across, w.gram, low, low, wide, 0, 1});
    pairs_down(w.gram, low, low, w.down);
    multiply(grid, {w.gram, w.gram, w.down, w.even, low, low, low, c[1], c[2]});
    pairs_down(w.x, low, wide, w.down);
    multiply(grid, {w.even, w.x, w.down, w.next, low, wide, low, c[0], 1});
    std::swap(w.x, w.next);
  }
}

void move_matrix(const BfloatGrid& grid, const Muon& m, const Moved& at, MuonWork& w) {
  const float over = take_up(m, at);
  std::fill(w.x, w.x + at.low() * at.wide(), uint16_t(0));
  each_place(at, [&](int64_t i, int64_t to) {
    w.x[to] = to_bfloat(ahead(m, at.gradient[i], at.buffer[i]) * over);
  });
  make_orthogonal(grid, m, at.low(), at.wide(), w);
  const float rate = m.rate * std::sqrt(std::max(1.0f, float(at.rows) / float(at.columns)));
  each_place(at, [&](int64_t i, int64_t from) {
    at.weight[i] = at.weight[i] * m.kept - rate * of_bfloat(w.x[from]);
  });
}

}  // namespace
