/* SPDX-License-Identifier: Apache-2.0 */
/* Preloaded by test_allocations.py: counts every call of the C allocator, on all threads. */
#include <stdatomic.h>
#include <stddef.h>

extern void* __libc_malloc(size_t);
extern void* __libc_calloc(size_t, size_t);
extern void* __libc_realloc(void*, size_t);
extern void* __libc_memalign(size_t, size_t);

static atomic_ulong calls;

unsigned long allocation_calls(void) { return atomic_load(&calls); }

void* malloc(size_t size) {
  atomic_fetch_add(&calls, 1);
  return __libc_malloc(size);
}
void* calloc(size_t count, size_t size) {
  atomic_fetch_add(&calls, 1);
  return __libc_calloc(count, size);
}
void* realloc(void* p, size_t size) {
  atomic_fetch_add(&calls, 1);
  return __libc_realloc(p, size);
}
void* memalign(size_t alignment, size_t size) {
  atomic_fetch_add(&calls, 1);
  return __libc_memalign(alignment, size);
}
int posix_memalign(void** p, size_t alignment, size_t size) {
  atomic_fetch_add(&calls, 1);
  *p = __libc_memalign(alignment, size);
  return *p == NULL ? 12 : 0;
}
