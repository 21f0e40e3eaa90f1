/* SPDX-License-Identifier: Apache-2.0 */
/* Preloaded by tests of allocations: counts every call of the C allocator, on all threads and on each. */
#include <stdatomic.h>
#include <stddef.h>

extern void* __libc_malloc(size_t);
extern void* __libc_calloc(size_t, size_t);
extern void* __libc_realloc(void*, size_t);
extern void* __libc_memalign(size_t, size_t);

static atomic_ulong calls;
static __thread long calls_of_thread;

unsigned long allocation_calls(void) { return atomic_load(&calls); }
/* static native long callsOfThread() of the Java class dev.tealight.Allocations */
long Java_dev_tealight_Allocations_callsOfThread(void* env, void* type) {
  (void)env, (void)type;
  return calls_of_thread;
}

static void note(void) {
  atomic_fetch_add(&calls, 1);
  ++calls_of_thread;
}

void* malloc(size_t size) {
  note();
  return __libc_malloc(size);
}
void* calloc(size_t count, size_t size) {
  note();
  return __libc_calloc(count, size);
}
void* realloc(void* p, size_t size) {
  note();
  return __libc_realloc(p, size);
}
void* memalign(size_t alignment, size_t size) {
  note();
  return __libc_memalign(alignment, size);
}
int posix_memalign(void** p, size_t alignment, size_t size) {
  note();
  *p = __libc_memalign(alignment, size);
  return *p == NULL ? 12 : 0;
}
