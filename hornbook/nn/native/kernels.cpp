// Rows of tokens through a decoder whose matrices are codes of four or eight bits.
//
// A row is one token of some sequence at some position; rows of one call may be a stream's next
// token, those of eight streams, or a chunk of a prompt. What a row gives does not depend on the
// rows beside it: every sum is made in one order, whatever the number of rows and threads.
//
// Weights are stored in blocks of 16 outputs by a group of 32 inputs, in the order in which they
// are read: 16 scales and 16 least values (float16), then the codes, four inputs of an output side
// by side, as VPDPBUSD takes them. Of four bits, the low halves of a byte are the first 16 inputs.
// Inputs become eight bits in groups of 32 with a scale each, as in llama.cpp's Q8_1 blocks.
//
// Needs AVX-512 with VNNI. Built and called by `__init__.py`; the structures are mirrored there.

#include <immintrin.h>
#include <omp.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <cfloat>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <utility>

#ifndef __AVX512VNNI__
#error "AVX-512 VNNI is needed"
#endif

namespace {

constexpr int kTile = 16, kGroup = 32, kRows = 8;
constexpr int kSpins = 4096;  // until a waiting thread lets others have the processor

// Threads that do the same job side by side: those of the OpenMP runtime that torch has loaded, as a
// second pool would fight with it for the processors. They wait for each other by spinning: what
// they do between two barriers takes microseconds.
class Team {
 public:
  void barrier() {
    const int turn = turn_.load(std::memory_order_relaxed);
    if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == threads_) {
      arrived_.store(0, std::memory_order_relaxed);
      turn_.store(turn + 1, std::memory_order_release);
      return;
    }
    for (int spins = 0; turn_.load(std::memory_order_acquire) == turn; spins++) {
      if (spins < kSpins) _mm_pause();
      else sched_yield();
    }
  }

  // A thread's share of `count` things.
  std::pair<int64_t, int64_t> share(int thread, int64_t count) const {
    return {count * thread / threads_, count * (thread + 1) / threads_};
  }

  template <typename Job>
  static void run(int threads, Job job) {
    Team team;
#pragma omp parallel num_threads(threads)
    {
#pragma omp single
      team.threads_ = omp_get_num_threads();  // there may be fewer than were asked for
      job(team, omp_get_thread_num());
    }
  }

 private:
  int threads_ = 1;
  std::atomic<int> arrived_{0}, turn_{0};
};

struct Matrix {
  const uint8_t* blocks;
  const float* bias;  // or null
  int32_t outputs, inputs, bits;
};

struct Layer {
  const float *attention_norm, *query_norm, *key_norm, *mlp_norm;  // the middle two or null
  Matrix joint, output, gate_up, down;
};

struct Decoder {
  int32_t width, hidden, heads, kv_heads, head, layers;
  float epsilon, head_epsilon;
  const Layer* layer;
  const float* last_norm;
};

// Inputs of a product: per row `inputs` codes, and per group of a row a scale and scale * sum.
struct Inputs {
  int8_t* codes;
  float *scales, *sums;
  int inputs;

  int groups() const { return inputs / kGroup; }
};

// Memory of a call, given out piece by piece; with no base it only counts.
struct Arena {
  uint8_t* base = nullptr;
  size_t used = 0;

  Arena() = default;
  explicit Arena(size_t size) : base(static_cast<uint8_t*>(std::aligned_alloc(64, size))) {}
  Arena(const Arena&) = delete;
  ~Arena() { std::free(base); }

  template <typename T>
  T* take(size_t count) {
    T* found = reinterpret_cast<T*>(base + used);
    used += (count * sizeof(T) + 63) / 64 * 64;
    return base ? found : nullptr;
  }

  Inputs inputs(int rows, int size) {
    const size_t codes = size_t(rows) * size;
    int8_t* first = take<int8_t>(codes);
    float* scales = take<float>(codes / kGroup);
    return {first, scales, take<float>(codes / kGroup), size};
  }
};

void quantise(const float* x, const Inputs& to, int64_t row) {
  for (int g = 0; g < to.groups(); g++) {
    const __m512 a = _mm512_loadu_ps(x + g * kGroup), b = _mm512_loadu_ps(x + g * kGroup + 16);
    const float most = _mm512_reduce_max_ps(_mm512_max_ps(_mm512_abs_ps(a), _mm512_abs_ps(b)));
    const float scale = most / 127;
    const __m512 by = _mm512_set1_ps(most > 0 ? 127 / most : 0);
    const __m512i first = _mm512_cvtps_epi32(_mm512_mul_ps(a, by));
    const __m512i second = _mm512_cvtps_epi32(_mm512_mul_ps(b, by));
    int8_t* codes = to.codes + row * to.inputs + g * kGroup;
    _mm_storeu_si128((__m128i*)codes, _mm512_cvtsepi32_epi8(first));
    _mm_storeu_si128((__m128i*)(codes + 16), _mm512_cvtsepi32_epi8(second));
    to.scales[row * to.groups() + g] = scale;
    const int sum = _mm512_reduce_add_epi32(_mm512_add_epi32(first, second));
    to.sums[row * to.groups() + g] = scale * float(sum);
  }
}

template <int kBits>
constexpr int kBlock = 4 * kTile + kTile * kGroup * kBits / 8;

// out (M, 16): M rows from `row` on times one tile of 16 outputs.
template <int kBits, int M>
void tile(const uint8_t* block, const Inputs& x, int64_t row, float* out) {
  const int groups = x.groups();
  const int8_t* codes = x.codes + row * x.inputs;
  const float *scales = x.scales + row * groups, *sums = x.sums + row * groups;
  __m512 sum[M];
  for (int m = 0; m < M; m++) sum[m] = _mm512_setzero_ps();
  for (int g = 0; g < groups; g++, block += kBlock<kBits>) {
    const __m512 scale = _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i*)block));
    const __m512 least = _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i*)(block + 32)));
    const uint8_t* stored = block + 64;
    __m512i w[8];
    if (kBits == 4) {
      const __m512i low = _mm512_set1_epi8(15);
      for (int j = 0; j < 4; j++) {
        const __m512i both = _mm512_loadu_si512(stored + 64 * j);
        w[j] = _mm512_and_si512(both, low);
        w[j + 4] = _mm512_and_si512(_mm512_srli_epi16(both, 4), low);
      }
    } else {
      for (int j = 0; j < 8; j++) w[j] = _mm512_loadu_si512(stored + 64 * j);
    }
    for (int m = 0; m < M; m++) {
      const int32_t* q = (const int32_t*)(codes + m * x.inputs + g * kGroup);
      __m512i a = _mm512_setzero_si512(), b = a;
      for (int j = 0; j < 4; j++) {
        a = _mm512_dpbusd_epi32(a, w[j], _mm512_set1_epi32(q[j]));
        b = _mm512_dpbusd_epi32(b, w[j + 4], _mm512_set1_epi32(q[j + 4]));
      }
      const __m512 by = _mm512_mul_ps(scale, _mm512_set1_ps(scales[m * groups + g]));
      sum[m] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(_mm512_add_epi32(a, b)), by, sum[m]);
      sum[m] = _mm512_fmadd_ps(least, _mm512_set1_ps(sums[m * groups + g]), sum[m]);
    }
  }
  for (int m = 0; m < M; m++) _mm512_storeu_ps(out + m * kTile, sum[m]);
}

template <int kBits>
void tile_of(const uint8_t* block, const Inputs& x, int64_t row, int rows, float* out) {
  switch (rows) {
    case 1: return tile<kBits, 1>(block, x, row, out);
    case 2: return tile<kBits, 2>(block, x, row, out);
    case 3: return tile<kBits, 3>(block, x, row, out);
    case 4: return tile<kBits, 4>(block, x, row, out);
    case 5: return tile<kBits, 5>(block, x, row, out);
    case 6: return tile<kBits, 6>(block, x, row, out);
    case 7: return tile<kBits, 7>(block, x, row, out);
    default: return tile<kBits, kRows>(block, x, row, out);
  }
}

// out (rows, 16), rows <= 8: outputs 16 t to 16 t + 15 with their bias.
void product(const Matrix& w, int64_t t, const Inputs& x, int64_t row, int rows, float* out) {
  const int64_t groups = x.groups();
  if (w.bits == 4) tile_of<4>(w.blocks + t * groups * kBlock<4>, x, row, rows, out);
  else tile_of<8>(w.blocks + t * groups * kBlock<8>, x, row, rows, out);
  if (w.bias)
    for (int m = 0; m < rows; m++)
      for (int i = 0; i < kTile; i++) out[m * kTile + i] += w.bias[t * kTile + i];
}

// Every tile of this thread times all rows: put(t, row, rows, out) takes what came out.
template <typename Put>
void products(const Team& team, int thread, int64_t tiles, int64_t rows, Put put) {
  const auto [first, stop] = team.share(thread, tiles);
  for (int64_t t = first; t < stop; t++)
    for (int64_t row = 0; row < rows; row += kRows)
      put(t, row, int(std::min<int64_t>(kRows, rows - row)));
}

// y (rows, outputs) = or += the product.
template <bool kAdd>
void multiply(const Team& team, int thread, const Matrix& w, const Inputs& x, int64_t rows,
              float* y) {
  products(team, thread, w.outputs / kTile, rows, [&](int64_t t, int64_t row, int count) {
    float out[kRows * kTile];
    product(w, t, x, row, count, out);
    for (int m = 0; m < count; m++) {
      float* to = y + (row + m) * w.outputs + t * kTile;
      const __m512 found = _mm512_loadu_ps(out + m * kTile);
      _mm512_storeu_ps(to, kAdd ? _mm512_add_ps(_mm512_loadu_ps(to), found) : found);
    }
  });
}

// e^x for x <= 88, within 2 units of the last place: 2^n times a polynomial of the rest.
__m512 exponential(__m512 x) {
  x = _mm512_max_ps(x, _mm512_set1_ps(-87.0f));
  const __m512 n = _mm512_roundscale_ps(_mm512_mul_ps(x, _mm512_set1_ps(1.44269504f)), 0);
  __m512 r = _mm512_fnmadd_ps(n, _mm512_set1_ps(0.693359375f), x);
  r = _mm512_fnmadd_ps(n, _mm512_set1_ps(-2.12194440e-4f), r);
  __m512 p = _mm512_set1_ps(1.0f / 5040);
  for (float c : {1.0f / 720, 1.0f / 120, 1.0f / 24, 1.0f / 6, 0.5f, 1.0f, 1.0f})
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(c));
  return _mm512_scalef_ps(p, n);
}

// x (size,) over its root mean square, times weight (Zhang & Sennrich 2019); 16 divides size.
void rms_norm(const float* x, const float* weight, int size, float epsilon, float* y) {
  __m512 squares = _mm512_setzero_ps();
  for (int i = 0; i < size; i += 16) {
    const __m512 v = _mm512_loadu_ps(x + i);
    squares = _mm512_fmadd_ps(v, v, squares);
  }
  const float by = 1 / std::sqrt(_mm512_reduce_add_ps(squares) / size + epsilon);
  for (int i = 0; i < size; i += 16)
    _mm512_storeu_ps(y + i, _mm512_mul_ps(_mm512_mul_ps(_mm512_loadu_ps(x + i), _mm512_set1_ps(by)),
                                          _mm512_loadu_ps(weight + i)));
}

// x (2 half,) turned: channel i with channel i + half (Su et al. 2021).
void turn(float* x, const float* cos, const float* sin, int half) {
  for (int i = 0; i < half; i++) {
    const float a = x[i], b = x[i + half];
    x[i] = a * cos[i] - b * sin[i];
    x[i + half] = b * cos[i] + a * sin[i];
  }
}

// y (size,) = softmax(q keys^T / sqrt(size)) values; keys, values: (count, size); 16 divides size.
void attend(const float* q, const float* keys, const float* values, int count, int size,
            float* scores, float* y) {
  const float scale = 1 / std::sqrt(float(size));
  float most = -FLT_MAX;
  for (int p = 0; p < count; p++) {
    __m512 sum = _mm512_setzero_ps();
    for (int i = 0; i < size; i += 16)
      sum = _mm512_fmadd_ps(_mm512_loadu_ps(q + i), _mm512_loadu_ps(keys + int64_t(p) * size + i),
                            sum);
    scores[p] = _mm512_reduce_add_ps(sum) * scale;
    most = std::max(most, scores[p]);
  }
  __m512 total = _mm512_setzero_ps();
  for (int p = 0; p < count; p += 16) {
    const __mmask16 mask = count - p >= 16 ? 0xffff : (1 << (count - p)) - 1;
    const __m512 score = _mm512_maskz_loadu_ps(mask, scores + p);
    const __m512 found = exponential(_mm512_sub_ps(score, _mm512_set1_ps(most)));
    _mm512_mask_storeu_ps(scores + p, mask, found);
    total = _mm512_add_ps(total, _mm512_maskz_mov_ps(mask, found));
  }
  const __m512 by = _mm512_set1_ps(1 / _mm512_reduce_add_ps(total));
  for (int i = 0; i < size; i += 64) {
    const int parts = std::min(4, (size - i) / 16);
    __m512 sum[4] = {_mm512_setzero_ps(), _mm512_setzero_ps(), _mm512_setzero_ps(),
                     _mm512_setzero_ps()};
    for (int p = 0; p < count; p++) {
      const __m512 weight = _mm512_set1_ps(scores[p]);
      const float* value = values + int64_t(p) * size + i;
      for (int k = 0; k < parts; k++)
        sum[k] = _mm512_fmadd_ps(weight, _mm512_loadu_ps(value + 16 * k), sum[k]);
    }
    for (int k = 0; k < parts; k++) _mm512_storeu_ps(y + i + 16 * k, _mm512_mul_ps(sum[k], by));
  }
}

// Rows of a call. x: (rows, width), read and overwritten. slot, position: of each row; cos, sin:
// (positions, head / 2). keys, values: of each layer (slots, kv_heads, room, head).
struct Pass {
  int32_t rows, reach;
  float* x;
  const int32_t *slot, *position;
  const float *cos, *sin;
  float *const *keys, *const *values;
  int64_t slot_stride, head_stride;
};

// Memory of a pass. score_room: per thread.
struct Work {
  Inputs wide, inner, attended;
  float *normed, *joint, *found, *hidden, *scores;
  int score_room;

  Work(Arena& arena, const Decoder& d, int rows, int threads, int reach) {
    const int queries = d.heads * d.head, both = queries + 2 * d.kv_heads * d.head;
    wide = arena.inputs(rows, d.width);
    inner = arena.inputs(rows, d.hidden);
    attended = arena.inputs(rows, queries);
    normed = arena.take<float>(size_t(threads) * d.width);
    joint = arena.take<float>(size_t(rows) * both);
    found = arena.take<float>(size_t(rows) * queries);
    hidden = arena.take<float>(size_t(rows) * d.hidden);
    score_room = (reach + 15) / 16 * 16;
    scores = arena.take<float>(size_t(threads) * score_room);
  }
};

void attention(Team& team, int thread, const Decoder& d, const Layer& layer, int number,
               const Pass& pass, Work& work) {
  const int size = d.head, half = size / 2, queries = d.heads * size;
  const int both = queries + 2 * d.kv_heads * size, share = d.heads / d.kv_heads;
  const auto [first, stop] = team.share(thread, int64_t(pass.rows) * (d.heads + d.kv_heads));
  for (int64_t job = first; job < stop; job++) {
    const int64_t row = job / (d.heads + d.kv_heads), h = job % (d.heads + d.kv_heads);
    float* x = work.joint + row * both + h * size;
    const float* norm = h < d.heads ? layer.query_norm : layer.key_norm;
    if (norm) rms_norm(x, norm, size, d.head_epsilon, x);
    turn(x, pass.cos + pass.position[row] * int64_t(half),
         pass.sin + pass.position[row] * int64_t(half), half);
    if (h < d.heads) continue;
    const int64_t at = pass.slot[row] * pass.slot_stride + (h - d.heads) * pass.head_stride +
                       int64_t(pass.position[row]) * size;
    std::copy_n(x, size, pass.keys[number] + at);
    std::copy_n(x + d.kv_heads * size, size, pass.values[number] + at);
  }
  team.barrier();
  // Heads outside, so that the rows of a prompt read the same keys one after the other.
  const auto [from, until] = team.share(thread, int64_t(pass.rows) * d.heads);
  for (int64_t job = from; job < until; job++) {
    const int64_t h = job / pass.rows, row = job % pass.rows;
    const int64_t at = pass.slot[row] * pass.slot_stride + h / share * pass.head_stride;
    attend(work.joint + row * both + h * size, pass.keys[number] + at, pass.values[number] + at,
           pass.position[row] + 1, size, work.scores + thread * int64_t(work.score_room),
           work.found + row * queries + h * size);
  }
}

void norm_rows(const Team& team, int thread, const Decoder& d, const float* weight,
               const Pass& pass, Work& work) {
  const auto [first, stop] = team.share(thread, pass.rows);
  float* normed = work.normed + thread * int64_t(d.width);
  for (int64_t row = first; row < stop; row++) {
    rms_norm(pass.x + row * d.width, weight, d.width, d.epsilon, normed);
    quantise(normed, work.wide, row);
  }
}

void quantise_rows(const Team& team, int thread, const float* x, const Inputs& to, int rows) {
  const auto [first, stop] = team.share(thread, rows);
  for (int64_t row = first; row < stop; row++) quantise(x + row * to.inputs, to, row);
}

// hidden = silu(gate) * up (Shazeer 2020); both are halves of one matrix.
void gate(const Team& team, int thread, const Decoder& d, const Layer& layer, int rows,
          Work& work) {
  const int64_t tiles = d.hidden / kTile;
  products(team, thread, tiles, rows, [&](int64_t t, int64_t row, int count) {
    float gates[kRows * kTile], ups[kRows * kTile];
    product(layer.gate_up, t, work.wide, row, count, gates);
    product(layer.gate_up, tiles + t, work.wide, row, count, ups);
    for (int m = 0; m < count; m++) {
      const __m512 g = _mm512_loadu_ps(gates + m * kTile), u = _mm512_loadu_ps(ups + m * kTile);
      const __m512 one = _mm512_set1_ps(1);
      const __m512 under = _mm512_add_ps(one, exponential(_mm512_sub_ps(_mm512_setzero_ps(), g)));
      _mm512_storeu_ps(work.hidden + (row + m) * d.hidden + t * kTile,
                       _mm512_mul_ps(_mm512_div_ps(g, under), u));
    }
  });
}

void pass_through(Team& team, int thread, const Decoder& d, const Pass& pass, Work& work) {
  for (int i = 0; i < d.layers; i++) {
    const Layer& layer = d.layer[i];
    norm_rows(team, thread, d, layer.attention_norm, pass, work);
    team.barrier();
    multiply<false>(team, thread, layer.joint, work.wide, pass.rows, work.joint);
    team.barrier();
    attention(team, thread, d, layer, i, pass, work);
    team.barrier();
    quantise_rows(team, thread, work.found, work.attended, pass.rows);
    team.barrier();
    multiply<true>(team, thread, layer.output, work.attended, pass.rows, pass.x);
    team.barrier();
    norm_rows(team, thread, d, layer.mlp_norm, pass, work);
    team.barrier();
    gate(team, thread, d, layer, pass.rows, work);
    team.barrier();
    quantise_rows(team, thread, work.hidden, work.inner, pass.rows);
    team.barrier();
    multiply<true>(team, thread, layer.down, work.inner, pass.rows, pass.x);
    team.barrier();
  }
  const auto [first, stop] = team.share(thread, pass.rows);
  for (int64_t row = first; row < stop; row++) {
    float* x = pass.x + row * d.width;
    rms_norm(x, d.last_norm, d.width, d.epsilon, x);
  }
}

}  // namespace

extern "C" {

// y (rows, outputs) = x (rows, inputs) times the matrix, plus its bias.
void hornbook_product(int threads, const Matrix* w, const float* x, float* y, int rows) {
  Arena count;
  count.inputs(rows, w->inputs);
  Arena arena(count.used);
  const Inputs inputs = arena.inputs(rows, w->inputs);
  Team::run(threads, [&](Team& team, int thread) {
    quantise_rows(team, thread, x, inputs, rows);
    team.barrier();
    multiply<false>(team, thread, *w, inputs, rows, y);
  });
}

// x becomes what the head reads of each row; keys and values of the rows are written.
void hornbook_pass(int threads, const Decoder* decoder, const Pass* pass) {
  Arena count;
  Work(count, *decoder, pass->rows, threads, pass->reach);
  Arena arena(count.used);
  Work work(arena, *decoder, pass->rows, threads, pass->reach);
  Team::run(threads, [&](Team& team, int thread) {
    pass_through(team, thread, *decoder, *pass, work);
  });
}

}
