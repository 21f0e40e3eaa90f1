// SPDX-License-Identifier: Apache-2.0
// Runs a bundle many times and leaves what was measured in files: on a phone, for `tealight bench --adb`.
#ifndef TEALIGHT_DEVICE_BENCH_H_
#define TEALIGHT_DEVICE_BENCH_H_

#include <stdint.h>

#include "include/tealight.h"

namespace tealight_device {

struct BenchOptions {
  const char* folder = nullptr;  // holds inputs.bin: a tensor (stream.h) for each input
  uint32_t runs = 50;
  uint32_t warmup = 5;
};

/// Writes into the folder: report.json (times in nanoseconds, memory in bytes, profile, result of the self-test) and
/// output_<i>.bin, the raw bytes of each output. Returns the exit status; a failure is a line on stderr.
int Bench(const char* bundle, const BenchOptions& bench, const tl_session_options& options);

}  // namespace tealight_device

#endif  // TEALIGHT_DEVICE_BENCH_H_
