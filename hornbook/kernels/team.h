// Threads side by side: those of an OpenMP runtime where one was named, or threads of our own.
#pragma once

#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "amx.h"
#include "vector.h"

namespace {

constexpr int kSpins = 4096;  // until a waiting thread lets others have the processor
constexpr int kMany = 32;     // rows of a call whose phases are cut into small pieces

// Starts a thread, which starts the next one, until *left is 0 or one cannot be started: all of them
// live at the same time.
void* start_chain(void* left) {
  int* count = static_cast<int*>(left);
  pthread_t next;
  if (*count == 0) return nullptr;
  --*count;
  if (pthread_create(&next, nullptr, start_chain, left) == 0) pthread_join(next, nullptr);
  else ++*count;
  return nullptr;
}

// GOMP_parallel of an OpenMP runtime: runs work(data) in so many threads, this one among them. Called
// by its address, so that a library that was built elsewhere needs no runtime of a certain name.
using Parallel = void (*)(void (*work)(void*), void* data, unsigned threads, unsigned flags);
Parallel openmp = nullptr;

// `threads`, or 1 where the system does not start so many: the OpenMP runtime would end the process
// there. How many compute changes no bit.
int startable(int threads) {
  thread_local int running = 1;  // the runtime keeps those of the last call, for each caller
  if (threads > running) {
    int left = 2 * (threads - 1);  // twice as many: one that ended still counts for a moment
    start_chain(&left);
    if (left > 0) threads = 1;
  }
  return running = threads;
}

// work(data) in so many threads, this one among them, or in fewer where no more can be started.
struct Chain {
  void (*work)(void*);
  void* data;
  int others;

  static void* run(void* whole) {
    const Chain* own = static_cast<Chain*>(whole);
    Chain rest{own->work, own->data, own->others - 1};
    pthread_t next;
    const bool more = own->others > 0 && pthread_create(&next, nullptr, run, &rest) == 0;
    own->work(own->data);
    if (more) pthread_join(next, nullptr);
    return nullptr;
  }
};

void run_in(int threads, void (*work)(void*), void* data) {
  if (openmp) return openmp(work, data, startable(threads), 0);
  Chain chain{work, data, threads - 1};
  Chain::run(&chain);
}

// Threads that go through the same phases, each of which is a number of jobs. A phase ends when its
// jobs are done, whoever did them, and not when all threads have come: one that the system stops
// between two jobs, as it does when other programs run, holds up nobody. They wait for each other
// by spinning: what they do between two phases takes microseconds. Where torch is, they are those of
// its OpenMP runtime, as a second pool would fight with it for the processors.
class Team {
 public:
  // rows: of a call. Where a phase takes microseconds, many pieces cost more than they save.
  Team(int threads, int rows) : threads_(threads), pieces_(threads * (rows < kMany ? 2 : 16)) {}

  template <typename Work>
  static void run(int threads, int rows, Work work);

 private:
  friend class Member;
  const int64_t threads_, pieces_;  // pieces: that a phase is cut into
  // The phase in the upper half, the first job that nobody has taken in the lower one.
  alignas(64) std::atomic<uint64_t> next_{0};
  alignas(64) std::atomic<int64_t> done_{0};
};

// A thread of a team. grid: for calls of so many rows.
class Member {
 public:
  const int thread;
  const Grid grid;

  Member(Team& team, int thread, int rows) : thread(thread), grid(rows), team_(team) {}

  // Calls job(first, stop) for parts of `count` jobs; returns when all of them are done.
  template <typename Job>
  void each(int64_t count, Job job) {
    if (count == 0) return;
    const int64_t step = std::max<int64_t>(1, count / team_.pieces_);
    const uint64_t phase = phase_++;
    uint64_t next = team_.next_.load(std::memory_order_acquire);
    for (int spins = 0; next >> 32 == phase;) {
      const int64_t first = next & 0xffffffff, stop = std::min(count, first + step);
      if (first == count) {
        if (spins++ < kSpins) relax();
        else sched_yield();
        next = team_.next_.load(std::memory_order_acquire);
        continue;
      }
      if (!team_.next_.compare_exchange_weak(next, phase << 32 | stop, std::memory_order_acq_rel,
                                             std::memory_order_acquire))
        continue;
      job(first, stop);
      if (team_.done_.fetch_add(stop - first, std::memory_order_acq_rel) + stop - first == count) {
        team_.done_.store(0, std::memory_order_relaxed);
        team_.next_.store((phase + 1) << 32, std::memory_order_release);
        return;
      }
      next = team_.next_.load(std::memory_order_acquire);
    }
  }

  // As `each`, of jobs that read what ready(row) makes of each row. Where there is one row, a thread
  // makes it for itself before its first job, in memory of its own: that takes less time than to wait
  // until another has made it. It does so as a part of that job, so that nobody goes on meanwhile.
  template <typename Ready, typename Job>
  void each_after(int64_t rows, Ready ready, int64_t count, Job job) {
    if (rows > 1) {
      each(rows, [&](int64_t first, int64_t stop) {
        for (int64_t row = first; row < stop; row++) ready(row);
      });
      return each(count, job);
    }
    bool made = false;
    each(count, [&](int64_t first, int64_t stop) {
      if (!made) ready(0);
      made = true;
      job(first, stop);
    });
  }

  int64_t threads() const { return team_.threads_; }

 private:
  Team& team_;
  uint64_t phase_ = 0;
};

template <typename Work>
void Team::run(int threads, int rows, Work work) {
  struct Shared {
    Team team;
    Work& work;
    int rows;
    std::atomic<int> begun{0};
  } shared{{threads, rows}, work, rows};
  run_in(threads, [](void* data) {
    Shared& all = *static_cast<Shared*>(data);
    Member member(all.team, all.begun++, all.rows);
    all.work(member);
  }, &shared);
}

}  // namespace
