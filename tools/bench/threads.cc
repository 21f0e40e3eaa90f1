// SPDX-License-Identifier: Apache-2.0
// What N threads bring for one bundle, beside what the machine's cores can do for each other at that moment: on a
// virtual machine the host moves the cores about, and two that share no cache scale any runtime badly. Per round, in
// one process: the time a cache line takes to go from one thread to another and back, the speed of plain arithmetic on
// two threads against one, and runs with 1 and N threads by turns. Rounds are put into two classes, by the cache line.
// Usage: cmake --build build/host --target tealight_bench_threads, then
// build/host/tealight_bench_threads MODEL.tea [threads [rounds]].
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <algorithm>
#include <atomic>
#include <thread>
#include <vector>

#include "include/tealight.h"

namespace {

constexpr int kHops = 4000;
constexpr int kRuns = 4;                // of one thread in a round; N threads run kRuns * N times
constexpr double kSharedCacheNs = 200;  // a round trip inside one cache takes 60 to 120 ns, between two 300 and more

struct Round {
  double line_ns, arithmetic, one_ms, many_ms;
};

double NowMs() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return 1e3 * static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_nsec);
}

double RoundTripNs() {
  alignas(64) std::atomic<int> ball{0};
  std::thread other([&] {
    for (int i = 1; i < kHops; i += 2) {
      while (ball.load(std::memory_order_acquire) != i) {
      }
      ball.store(i + 1, std::memory_order_release);
    }
  });
  double begin = 0;
  for (int i = 1; i < kHops; i += 2) {
    if (i == kHops / 4 + 1) begin = NowMs();  // the thread has started
    ball.store(i, std::memory_order_release);
    while (ball.load(std::memory_order_acquire) != i + 1) {
    }
  }
  const double ms = NowMs() - begin;
  other.join();
  return 1e6 * ms / (kHops / 2 - kHops / 8);
}

void Arithmetic() {
  double a[8] = {1, 2, 3, 4, 5, 6, 7, 8};
  for (int i = 0; i < 1000000; ++i) {
    for (double& x : a) x = x * 0.999 + 1e-3;
    __asm__ volatile("" : : "g"(a) : "memory");
  }
}

// Work of two threads at once per time, as a multiple of one thread's.
double ArithmeticScaling() {
  double begin = NowMs();
  Arithmetic();
  const double one = NowMs() - begin;
  std::atomic<bool> started{false};
  std::atomic<bool> finished{false};
  std::thread other([&] {
    started.store(true);
    Arithmetic();
    finished.store(true);
  });
  while (!started.load()) {
  }
  begin = NowMs();
  Arithmetic();
  while (!finished.load()) {
  }
  const double two = NowMs() - begin;
  other.join();
  return 2 * one / two;
}

void Check(tl_status status, const tl_error& error) {
  if (status == TL_OK) return;
  fprintf(stderr, "threads: %s\n", error.message);
  exit(1);
}

tl_session* Create(const tl_model* model, uint32_t threads, std::vector<std::vector<uint64_t>>& inputs) {
  tl_error error;
  tl_session_options options;
  tl_session_options_init(&options, sizeof(options));
  options.threads = threads;
  tl_session* session = nullptr;
  Check(tl_session_create(model, &options, &session, &error), error);
  for (size_t i = 0; i < tl_model_input_count(model, 0); ++i) {
    tl_tensor tensor;
    tl_model_input_info(model, 0, i, &tensor);
    size_t items = 1;
    for (uint32_t d = 0; d < tensor.rank; ++d) items *= static_cast<size_t>(std::max<int64_t>(tensor.shape[d], 1));
    for (uint32_t d = 0; d < tensor.rank; ++d) tensor.shape[d] = std::max<int64_t>(tensor.shape[d], 1);
    inputs.emplace_back(items + 8);  // eight bytes an item hold every dtype
    tensor.data = inputs.back().data();
    tensor.size_bytes = tensor.dtype == TL_DTYPE_FLOAT32 || tensor.dtype == TL_DTYPE_INT32   ? items * 4
                        : tensor.dtype == TL_DTYPE_INT64 || tensor.dtype == TL_DTYPE_FLOAT64 ? items * 8
                                                                                             : items;
    Check(tl_session_set_input(session, i, &tensor, &error), error);
  }
  return session;
}

double LeastMs(tl_session* session, int runs) {
  double best = 1e9;
  for (int i = 0; i < runs; ++i) {
    tl_error error;
    const double begin = NowMs();
    Check(tl_session_run(session, 0, &error), error);
    best = std::min(best, NowMs() - begin);
  }
  return best;
}

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

void Print(const char* title, const std::vector<Round>& rounds) {
  if (rounds.empty()) return;
  std::vector<double> line, arithmetic, one, many, ratio;
  for (const Round& r : rounds) {
    line.push_back(r.line_ns);
    arithmetic.push_back(r.arithmetic);
    one.push_back(r.one_ms);
    many.push_back(r.many_ms);
    ratio.push_back(r.one_ms / r.many_ms);
  }
  printf("%-22s %6zu %10.0f %12.2f %9.3f %9.3f %7.2f\n", title, rounds.size(), Median(line), Median(arithmetic),
         Median(one), Median(many), Median(ratio));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    fprintf(stderr, "threads: no bundle given, expected MODEL.tea [threads [rounds]]\n");
    return 2;
  }
  const int threads = argc > 2 ? atoi(argv[2]) : 2;
  const int rounds = argc > 3 ? atoi(argv[3]) : 100;
  if (threads < 2 || rounds < 1) {
    fprintf(stderr, "threads: %d threads, %d rounds, expected 2 or more threads, 1 or more rounds\n", threads, rounds);
    return 2;
  }
  tl_error error;
  tl_model* model = nullptr;
  Check(tl_model_open(argv[1], &model, &error), error);
  std::vector<std::vector<uint64_t>> inputs;
  tl_session* one = Create(model, 1, inputs);
  tl_session* many = Create(model, static_cast<uint32_t>(threads), inputs);
  std::vector<Round> near, far;
  for (int i = 0; i < rounds; ++i) {
    Round r{RoundTripNs(), ArithmeticScaling(), LeastMs(one, kRuns), LeastMs(many, kRuns * threads)};
    (r.line_ns < kSharedCacheNs ? near : far).push_back(r);
  }
  printf("medians of             rounds    line ns   arithmetic  1 thread %d threads   ratio\n", threads);
  Print("cores share a cache", near);
  Print("cores share none", far);
  tl_session_destroy(one);
  tl_session_destroy(many);
  tl_model_destroy(model);
  return 0;
}
