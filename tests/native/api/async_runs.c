/* SPDX-License-Identifier: Apache-2.0 */
/* An app in C: runs a bundle asynchronously many times and prints the allocations after the first run, and those of
 * the control, which allocates once. Linked with tests/models/count_allocations.c. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "tealight.h"

enum { kInputs = 16, kRuns = 200 };

unsigned long allocation_calls(void);

typedef struct Waiter {
  pthread_mutex_t mutex;
  pthread_cond_t changed;
  tl_status status;
  int is_done;
} Waiter;

static void done(void* context, tl_status status, const tl_error* error) {
  Waiter* waiter = context;
  (void)error;
  pthread_mutex_lock(&waiter->mutex);
  waiter->status = status;
  waiter->is_done = 1;
  pthread_cond_signal(&waiter->changed);
  pthread_mutex_unlock(&waiter->mutex);
}

static void check(tl_status status, const tl_error* error) {
  if (status == TL_OK) return;
  fprintf(stderr, "%s: %s\n", tl_status_name(status), error->message);
  exit(1);
}

static void run(tl_session* session, Waiter* waiter) {
  tl_error error;
  waiter->is_done = 0;
  check(tl_session_run_async(session, 0, done, waiter, &error), &error);
  pthread_mutex_lock(&waiter->mutex);
  while (!waiter->is_done) pthread_cond_wait(&waiter->changed, &waiter->mutex);
  pthread_mutex_unlock(&waiter->mutex);
  if (waiter->status != TL_OK) exit(1);
}

int main(int argc, char** argv) {
  Waiter waiter = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, TL_OK, 0};
  tl_model* model;
  tl_session* session;
  tl_session_options options;
  tl_tensor inputs[kInputs];
  tl_error error;
  unsigned long before;
  size_t i;
  int n;
  if (argc != 2) return 2;
  check(tl_model_open(argv[1], &model, &error), &error);
  tl_session_options_init(&options, sizeof(options));
  options.threads = 2;
  check(tl_session_create(model, &options, &session, &error), &error);
  for (i = 0; i < tl_model_input_count(model, 0) && i < kInputs; ++i) {
    if (tl_model_input_info(model, 0, i, &inputs[i]) != TL_OK) return 1;
    inputs[i].data = calloc(1, inputs[i].size_bytes);
    check(tl_session_set_input(session, i, &inputs[i], &error), &error);
  }
  run(session, &waiter);
  before = allocation_calls();
  for (n = 0; n < kRuns; ++n) run(session, &waiter);
  printf("%lu ", allocation_calls() - before);
  before = allocation_calls();
  free(malloc(1));
  printf("%lu\n", allocation_calls() - before);
  tl_session_destroy(session);
  tl_model_destroy(model);
  return 0;
}
