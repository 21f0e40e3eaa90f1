// SPDX-License-Identifier: Apache-2.0
// The two handles of the C API, and making and freeing them.
#ifndef TEALIGHT_API_HANDLE_H_
#define TEALIGHT_API_HANDLE_H_

#include <stdlib.h>
#include <string.h>

#include <atomic>
#include <new>

#include "base/async_thread.h"
#include "include/tealight.h"
#include "runtime/model.h"
#include "runtime/session.h"

// Lives until the caller and every session have given it back.
struct tl_model {
  tealight::Model model;
  std::atomic<uint32_t> owners{1};
};

struct tl_session {
  tl_model* model = nullptr;
  tealight::Session session;
  mutable std::atomic<bool> is_busy{false};
  // The asynchronous run in progress; is_busy guards them.
  tl_run_fn done = nullptr;
  void* context = nullptr;
  tealight::AsyncThread thread;
};

namespace tealight {

template <typename T>
void Delete(T* object) {
  if (object == nullptr) return;
  object->~T();
  free(object);
}

inline void Release(tl_model* model) {
  if (model->owners.fetch_sub(1) == 1) Delete(model);
}

// Makes a T, lets `fill` fill it, and hands it out only when that succeeded.
template <typename T, typename F>
tl_status Make(T** result, tl_error* error, const F& fill) {
  void* memory = nullptr;
  if (posix_memalign(&memory, alignof(T) < 16 ? 16 : alignof(T), sizeof(T)) != 0) {
    return Status::Error(TL_ERROR_OUT_OF_MEMORY, "handle: no memory for %zu bytes, expected some", sizeof(T))
        .ToC(error);
  }
  T* object = new (memory) T;
  Status status = fill(object);
  if (status.ok()) {
    *result = object;
  } else {
    Delete(object);
  }
  return status.ToC(error);
}

}  // namespace tealight

#endif  // TEALIGHT_API_HANDLE_H_
