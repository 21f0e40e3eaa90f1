// SPDX-License-Identifier: Apache-2.0
#include "base/cores.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#if defined(__linux__)
#include <sched.h>
#endif

namespace tealight {
namespace {

// Reads the number in <folder>/cpu<core>/<file>; -1 when there is none.
long ReadValue(const char* folder, size_t core, const char* file) {
  char path[256];
  snprintf(path, sizeof(path), "%s/cpu%zu/%s", folder, core, file);
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return -1;
  char text[32] = {};
  const ssize_t size = read(fd, text, sizeof(text) - 1);
  close(fd);
  return size > 0 ? strtol(text, nullptr, 10) : -1;
}

}  // namespace

Cores FindCores(const char* folder) {
  Cores cores = {};
  const long online = sysconf(_SC_NPROCESSORS_ONLN);
  cores.online = online > 0 ? static_cast<uint32_t>(online) : 1;
  const long configured = sysconf(_SC_NPROCESSORS_CONF);
  const size_t count = configured < 0 ? 0 : static_cast<size_t>(configured);
  long values[kMaxCores];
  long slowest = -1;
  for (size_t i = 0; i < count && i < kMaxCores; ++i) {
    values[i] = ReadValue(folder, i, "cpu_capacity");
    if (values[i] < 0) values[i] = ReadValue(folder, i, "cpufreq/cpuinfo_max_freq");
    if (values[i] >= 0 && (slowest < 0 || values[i] < slowest)) slowest = values[i];
  }
  // Within an eighth of the slowest core is little: on desktops, cores differ that much in their highest frequency.
  for (size_t i = 0; i < count && i < kMaxCores; ++i) {
    if (values[i] >= 0) (values[i] > slowest + slowest / 8 ? cores.big : cores.little).Add(i);
  }
  if (cores.big.empty()) cores.little = CoreSet();
  return cores;
}

void KeepThreadTo(const CoreSet& cores, CoreSet* before) {
#if defined(__linux__)
  if (cores.empty()) return;
  if (before != nullptr && sched_getaffinity(0, sizeof(before->bits), reinterpret_cast<cpu_set_t*>(before->bits)) < 0) {
    return;
  }
  sched_setaffinity(0, sizeof(cores.bits), reinterpret_cast<const cpu_set_t*>(cores.bits));
#else
  (void)cores;
  (void)before;
#endif
}

}  // namespace tealight
