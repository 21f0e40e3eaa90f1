// SPDX-License-Identifier: Apache-2.0
// A thread, started when first needed, that does one job after another. Allocates nothing.
#ifndef TEALIGHT_BASE_ASYNC_THREAD_H_
#define TEALIGHT_BASE_ASYNC_THREAD_H_

#include <pthread.h>

namespace tealight {

class AsyncThread {
 public:
  using Job = void (*)(void* context);

  AsyncThread() = default;
  /// Stop has returned, or the thread was never started, or it is the one that calls.
  ~AsyncThread();
  AsyncThread(const AsyncThread&) = delete;
  AsyncThread& operator=(const AsyncThread&) = delete;

  /// Returns false when the system gives no thread. Not at once with itself or Post.
  bool Start();
  /// Hands the thread a job. It has been started, and has begun the job before.
  void Post(Job job, void* context);
  /// Makes is_stopping true. The jobs that were posted are still done.
  void RequestStop();
  bool is_stopping();
  /// After RequestStop: waits for the thread to end and returns true. On the thread itself, inside a job, it returns
  /// false at once, and `last` is called when nothing is left to do; it may destroy this object.
  bool Join(Job last, void* context);

 private:
  static void* Main(void* self);

  pthread_mutex_t mutex_ = PTHREAD_MUTEX_INITIALIZER;
  pthread_cond_t changed_ = PTHREAD_COND_INITIALIZER;
  pthread_t thread_ = {};
  Job job_ = nullptr;
  void* context_ = nullptr;
  Job last_ = nullptr;
  void* last_context_ = nullptr;
  bool is_started_ = false;
  bool is_stopping_ = false;
};

}  // namespace tealight

#endif  // TEALIGHT_BASE_ASYNC_THREAD_H_
