// SPDX-License-Identifier: Apache-2.0
// Runs a bundle for a program on the other end of stdin and stdout. Strings and tensors are those of stream.h.
//
// A reply begins with u32 tl_status; when it is not 0 a string follows, and nothing else.
// At start one reply: u32 inputs, u32 outputs, then for each name and tensor without data (open dims are -1).
// Commands:
//   u32 0                            end
//   u32 1, u64 deadline_ns, tensors  run with all inputs in order  -> all outputs, tensors
//   u32 2, u32 index                 -> a tensor of the last run (keep_intermediates)
//   u32 3                            -> tl_memory: 4 x u64, u32 exact
//   u32 4                            -> u32 rows; each u32 instruction, name, op, u64 runs, total_ns, min_ns
//   u32 5, string                    open another bundle with the same options; replies as at start
#ifndef TEALIGHT_DEVICE_PIPE_H_
#define TEALIGHT_DEVICE_PIPE_H_

#include "include/tealight.h"

namespace tealight_device {

/// Opens the bundle and answers commands until the end; returns the exit status.
int ServePipe(const char* bundle, const tl_session_options& options);

}  // namespace tealight_device

#endif  // TEALIGHT_DEVICE_PIPE_H_
