// SPDX-License-Identifier: Apache-2.0
// Workers spin for a moment after a loop, then sleep on a condition variable. A worker that wakes late simply misses
// the loop: the caller never waits for a sleeper, only for workers that are inside.
#include "base/thread_pool.h"

#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include <atomic>
#include <new>

#include "base/thread.h"

namespace tealight {
namespace {

constexpr int64_t kSpinNs = 40000;   // about twice the gap between two instructions' loops
constexpr int kPausesPerCheck = 32;  // between two looks at the clock
constexpr int kPausesBeforeYield = 2000;
constexpr size_t kChunksPerThread = 4;

inline void Pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__) || defined(__arm__)
  __asm__ volatile("yield");
#endif
}

int64_t NowNs() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<int64_t>(now.tv_sec) * 1000000000 + now.tv_nsec;
}

}  // namespace

// The loop's fields may be written only while `open` is 0 and `inside` is 0. A worker enters by raising `inside` and
// then reading `open`; the caller leaves by clearing `open` and then reading `inside`: both orders are sequentially
// consistent, so either the worker sees a closed loop or the caller sees the worker.
struct ThreadPool::State {
  alignas(64) std::atomic<uint32_t> open{0};  // the loop's number while it can be entered, else 0
  std::atomic<bool> stop{false};
  alignas(64) std::atomic<uint32_t> inside{0};
  // Each thread's own part of the items: it takes from it first, then from those of the others. So in the next loop
  // over as many items it finds what it wrote in its own cache.
  struct alignas(64) Part {
    std::atomic<size_t> next;
    size_t end;
  };
  Part* parts = nullptr;
  size_t threads = 1;
  alignas(64) Body body = nullptr;
  void* context = nullptr;
  size_t chunk = 0;
  uint32_t number = 0;
  pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  pthread_cond_t wake = PTHREAD_COND_INITIALIZER;
  std::atomic<uint32_t> sleepers{0};
  size_t workers = 0;
  struct Worker {
    State* state;
    size_t thread;
    pthread_t handle;
  };
  Worker* worker = nullptr;
  CoreSet cores;

  bool Ready(uint32_t last) {
    const uint32_t now = open.load();
    return (now != 0 && now != last) || stop.load();
  }

  void Wait(uint32_t last) {
    const int64_t deadline = NowNs() + kSpinNs;
    do {
      for (int i = 0; i < kPausesPerCheck; ++i) {
        if (Ready(last)) return;
        Pause();
      }
    } while (NowNs() < deadline);
    pthread_mutex_lock(&mutex);
    sleepers.fetch_add(1);
    while (!Ready(last)) pthread_cond_wait(&wake, &mutex);
    sleepers.fetch_sub(1);
    pthread_mutex_unlock(&mutex);
  }

  void WakeSleepers() {
    if (sleepers.load() == 0) return;
    pthread_mutex_lock(&mutex);
    pthread_cond_broadcast(&wake);
    pthread_mutex_unlock(&mutex);
  }

  void Work(size_t thread) {
    for (size_t i = 0; i < threads; ++i) {
      Part& part = parts[(thread + i) % threads];
      for (;;) {
        const size_t begin = part.next.fetch_add(chunk, std::memory_order_relaxed);
        if (begin >= part.end) break;
        body(context, thread, begin, part.end - begin < chunk ? part.end : begin + chunk);
      }
    }
  }

  static void* Main(void* argument) {
    Worker* self = static_cast<Worker*>(argument);
    State* state = self->state;
    KeepThreadTo(state->cores);
    uint32_t last = 0;
    for (;;) {
      state->Wait(last);
      if (state->stop.load()) return nullptr;
      state->inside.fetch_add(1);
      const uint32_t now = state->open.load();
      if (now != 0) {
        last = now;
        state->Work(self->thread);
      }
      state->inside.fetch_sub(1);
    }
  }
};

bool ThreadPool::Start(size_t threads, const CoreSet& cores) {
  Stop();
  if (threads <= 1) return true;
  void* memory = nullptr;
  if (posix_memalign(&memory, 64, sizeof(State)) != 0) return false;
  state_ = new (memory) State;
  state_->worker = static_cast<State::Worker*>(calloc(threads - 1, sizeof(State::Worker)));
  state_->threads = threads;
  state_->cores = cores;
  memory = nullptr;
  if (state_->worker == nullptr || posix_memalign(&memory, 64, threads * sizeof(State::Part)) != 0) {
    Stop();
    return false;
  }
  state_->parts = static_cast<State::Part*>(memory);
  for (size_t i = 0; i < threads; ++i) new (&state_->parts[i]) State::Part{};
  bool good = true;
  for (size_t i = 0; i + 1 < threads && good; ++i) {
    State::Worker* worker = &state_->worker[i];
    worker->state = state_;
    worker->thread = i + 1;
    good = StartThread(&worker->handle, State::Main, worker);
    if (good) ++state_->workers;
  }
  if (!good) {
    Stop();
    return false;
  }
  num_threads_ = threads;
  return true;
}

void ThreadPool::Stop() {
  if (state_ == nullptr) return;
  state_->stop.store(true);
  state_->WakeSleepers();
  for (size_t i = 0; i < state_->workers; ++i) pthread_join(state_->worker[i].handle, nullptr);
  free(state_->worker);
  free(state_->parts);
  pthread_cond_destroy(&state_->wake);
  pthread_mutex_destroy(&state_->mutex);
  state_->~State();
  free(state_);
  state_ = nullptr;
  num_threads_ = 1;
}

void ThreadPool::Run(size_t items, size_t grain, Body body, void* context) {
  if (items == 0) return;
  if (num_threads_ == 1 || items <= grain) {
    body(context, 0, 0, items);
    return;
  }
  const size_t share = (items - 1) / (num_threads_ * kChunksPerThread) + 1;
  State* state = state_;
  state->body = body;
  state->context = context;
  state->chunk = share > grain ? share : grain;
  for (size_t i = 0; i < num_threads_; ++i) {
    state->parts[i].next.store(items / num_threads_ * i + items % num_threads_ * i / num_threads_);
    state->parts[i].end = items / num_threads_ * (i + 1) + items % num_threads_ * (i + 1) / num_threads_;
  }
  if (++state->number == 0) state->number = 1;
  state->open.store(state->number);
  state->WakeSleepers();
  state->Work(0);
  state->open.store(0);
  for (int pauses = 0; state->inside.load() != 0; ++pauses) {
    if (pauses < kPausesBeforeYield) {
      Pause();
    } else {
      sched_yield();
    }
  }
}

}  // namespace tealight
