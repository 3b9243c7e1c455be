// Threads side by side.
#pragma once

#include <immintrin.h>
#include <omp.h>
#include <sched.h>

#include <atomic>
#include <cstdint>
#include <utility>

namespace {

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

  // Whether that many jobs keep all threads busy for about as long.
  bool plenty(int64_t jobs) const { return jobs >= 4 * threads_; }

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

}  // namespace
