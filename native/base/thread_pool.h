// SPDX-License-Identifier: Apache-2.0
// A fixed set of worker threads that share loops. One loop at a time; owned by one session.
#ifndef TEALIGHT_BASE_THREAD_POOL_H_
#define TEALIGHT_BASE_THREAD_POOL_H_

#include <stddef.h>

#include "base/cores.h"

namespace tealight {

class ThreadPool {
 public:
  using Body = void (*)(void* context, size_t thread, size_t begin, size_t end);

  ThreadPool() = default;
  ~ThreadPool() { Stop(); }
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  /// Starts threads - 1 workers, kept to `cores`; the caller of For is thread 0. Returns false when the system gives no
  /// thread.
  bool Start(size_t threads, const CoreSet& cores = CoreSet());
  void Stop();
  size_t num_threads() const { return num_threads_; }

  /// Calls f(thread, begin, end) over ranges of about `grain` or more items that cover [0, items), each range once,
  /// claimed from an atomic counter. Runs inline when items <= grain or there is one thread. Allocates nothing.
  template <typename F>
  void For(size_t items, size_t grain, const F& f) {
    Run(
        items, grain,
        [](void* context, size_t thread, size_t begin, size_t end) {
          (*static_cast<const F*>(context))(thread, begin, end);
        },
        const_cast<F*>(&f));
  }

 private:
  void Run(size_t items, size_t grain, Body body, void* context);
  struct State;
  State* state_ = nullptr;
  size_t num_threads_ = 1;
};

}  // namespace tealight

#endif  // TEALIGHT_BASE_THREAD_POOL_H_
