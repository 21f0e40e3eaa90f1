// SPDX-License-Identifier: Apache-2.0
// The runtime as a program: on a phone through adb, or under qemu-user.
//
//   tealight_runner BUNDLE [--threads N] [--isa NAME] [--entry-point N] [--profile] [--keep-intermediates]
//
// answers commands on stdin (pipe.h). With
//
//   --bench FOLDER [--runs N] [--warmup N]
//
// it runs the inputs in the folder and leaves report and outputs there (bench.h).
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "pipe.h"
#include "stream.h"

namespace tealight_device {
namespace {

uint32_t ReadCount(const char* text) {
  char* end = nullptr;
  const unsigned long value = strtoul(text, &end, 10);
  if (*text < '0' || *text > '9' || *end != 0 || value > 1000000) {
    Fail("option with a bad number, expected one from 0 to 1000000");
  }
  return static_cast<uint32_t>(value);
}

void ParseOptions(int argc, char** argv, tl_session_options* options, BenchOptions* bench) {
  tl_session_options_init(options, sizeof(*options));
  options->threads = 1;
  for (int i = 2; i < argc; ++i) {
    const bool more = i + 1 < argc;
    if (strcmp(argv[i], "--profile") == 0) {
      options->profile = 1;
    } else if (strcmp(argv[i], "--keep-intermediates") == 0) {
      options->keep_intermediates = 1;
    } else if (strcmp(argv[i], "--threads") == 0 && more) {
      options->threads = ReadCount(argv[++i]);
    } else if (strcmp(argv[i], "--entry-point") == 0 && more) {
      options->entry_point = ReadCount(argv[++i]);
    } else if (strcmp(argv[i], "--isa") == 0 && more) {
      options->isa = argv[++i];
    } else if (strcmp(argv[i], "--bench") == 0 && more) {
      bench->folder = argv[++i];
    } else if (strcmp(argv[i], "--runs") == 0 && more) {
      bench->runs = ReadCount(argv[++i]);
    } else if (strcmp(argv[i], "--warmup") == 0 && more) {
      bench->warmup = ReadCount(argv[++i]);
    } else {
      Fail(
          "unknown option, expected --threads, --isa, --entry-point, --profile, --keep-intermediates, --bench, "
          "--runs or --warmup");
    }
  }
}

}  // namespace
}  // namespace tealight_device

int main(int argc, char** argv) {
  using namespace tealight_device;
  if (argc < 2) Fail("no bundle, expected tealight_runner BUNDLE [options]");
  tl_session_options options;
  BenchOptions bench;
  ParseOptions(argc, argv, &options, &bench);
  return bench.folder == nullptr ? ServePipe(argv[1], options) : Bench(argv[1], bench, options);
}
