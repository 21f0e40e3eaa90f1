/* SPDX-License-Identifier: Apache-2.0 */
/* Loaded by the Java class dev.tealight.Cost: the same run through the C API, timed in C. */
#include <stdint.h>
#include <time.h>

#include "tealight.h"

static int64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* static native long runInC(long session): nanoseconds, or -1 when the run failed. */
int64_t Java_dev_tealight_Cost_runInC(void* env, void* type, int64_t session) {
  (void)env, (void)type;
  const int64_t start = now();
  const tl_status status = tl_session_run((tl_session*)(intptr_t)session, 0, NULL);
  return status == TL_OK ? now() - start : -1;
}
