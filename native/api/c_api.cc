// SPDX-License-Identifier: Apache-2.0
// The C API: thin wrappers over Model and Session.
#include <stdlib.h>
#include <string.h>

#include <new>

#include "base/cpu_features.h"
#include "bundle/validate.h"
#include "include/tealight.h"
#include "runtime/model.h"
#include "runtime/registry.h"
#include "runtime/session.h"

using tealight::Status;

struct tl_model {
  tealight::Model model;
};
struct tl_session {
  tealight::Session session;
};

namespace {

template <typename T>
T* New() {
  void* memory = nullptr;
  return posix_memalign(&memory, alignof(T) < 16 ? 16 : alignof(T), sizeof(T)) == 0 ? new (memory) T : nullptr;
}

template <typename T>
void Delete(T* object) {
  if (object == nullptr) return;
  object->~T();
  free(object);
}

// Makes a T, lets `fill` fill it, and hands it out only when that succeeded.
template <typename T, typename F>
tl_status Make(T** result, tl_error* error, const F& fill) {
  T* object = New<T>();
  if (object == nullptr) {
    return Status::Error(TL_ERROR_OUT_OF_MEMORY, "handle: no memory for %zu bytes, expected some", sizeof(T))
        .ToC(error);
  }
  Status status = fill(object);
  if (status.ok()) {
    *result = object;
  } else {
    Delete(object);
  }
  return status.ToC(error);
}

// The declaration of input or output i; null past the last.
const tealight::schema::Tensor* Find(const tl_model* model, size_t entry_point, size_t i, bool is_input) {
  if (entry_point >= model->model.entry_point_count()) return nullptr;
  const tealight::schema::Program& program = model->model.program(model->model.entry_program(entry_point));
  const auto* list = is_input ? program.inputs() : program.outputs();
  if (i >= tealight::SizeOf(list)) return nullptr;
  return program.tensors()->Get(static_cast<uint32_t>(list->Get(static_cast<uint32_t>(i))));
}

size_t Count(const tl_model* model, size_t entry_point, bool is_input) {
  if (entry_point >= model->model.entry_point_count()) return 0;
  const tealight::schema::Program& program = model->model.program(model->model.entry_program(entry_point));
  return tealight::SizeOf(is_input ? program.inputs() : program.outputs());
}

const char* Name(const tealight::schema::Tensor* tensor) {
  return tensor == nullptr ? nullptr : tealight::NameOf(tensor->name());
}

tl_status Describe(const tealight::schema::Tensor* tensor, tl_tensor* info) {
  if (tensor == nullptr) return TL_ERROR_NOT_FOUND;
  memset(info, 0, sizeof(*info));
  const tealight::Shape shape = tealight::ShapeOf(*tensor);
  info->dtype = static_cast<tl_dtype>(tensor->dtype());
  info->rank = static_cast<uint32_t>(shape.rank);
  for (int i = 0; i < shape.rank; ++i) info->shape[i] = shape[i] < 0 ? -1 : shape[i];
  const uint64_t bytes = tealight::BytesOf(*tensor);
  info->size_bytes = bytes == UINT64_MAX ? 0 : static_cast<size_t>(bytes);
  return TL_OK;
}

}  // namespace

// ---- library ----

const char* tl_version(void) { return TL_VERSION; }
uint32_t tl_format_version(void) { return tealight::kFormatVersion; }
const char* tl_isa_name(size_t i) {
  tealight::Isa isa;
  return tealight::SupportedIsa(i, &isa) ? tealight::IsaName(isa) : nullptr;
}
const char* tl_op_name(size_t i) { return tealight::BuiltOpName(i); }
const char* tl_build_info(void) { return tealight::BuildInfo(); }

// ---- model ----

tl_status tl_model_open(const char* path, tl_model** model, tl_error* error) {
  return Make(model, error, [&](tl_model* made) { return made->model.OpenPath(path); });
}
tl_status tl_model_open_fd(int fd, uint64_t offset, uint64_t size, tl_model** model, tl_error* error) {
  return Make(model, error, [&](tl_model* made) { return made->model.OpenFd(fd, offset, size); });
}
tl_status tl_model_open_memory(const void* data, size_t size, tl_model** model, tl_error* error) {
  return Make(model, error, [&](tl_model* made) { return made->model.OpenMemory(data, size); });
}
void tl_model_destroy(tl_model* model) { Delete(model); }

size_t tl_model_entry_point_count(const tl_model* model) { return model->model.entry_point_count(); }
const char* tl_model_entry_point_name(const tl_model* model, size_t entry_point) {
  return model->model.entry_point_name(entry_point);
}
size_t tl_model_input_count(const tl_model* model, size_t entry_point) { return Count(model, entry_point, true); }
size_t tl_model_output_count(const tl_model* model, size_t entry_point) { return Count(model, entry_point, false); }
const char* tl_model_input_name(const tl_model* model, size_t entry_point, size_t i) {
  return Name(Find(model, entry_point, i, true));
}
const char* tl_model_output_name(const tl_model* model, size_t entry_point, size_t i) {
  return Name(Find(model, entry_point, i, false));
}
tl_status tl_model_input_info(const tl_model* model, size_t entry_point, size_t i, tl_tensor* info) {
  return Describe(Find(model, entry_point, i, true), info);
}
tl_status tl_model_output_info(const tl_model* model, size_t entry_point, size_t i, tl_tensor* info) {
  return Describe(Find(model, entry_point, i, false), info);
}
const char* tl_model_metadata(const tl_model* model, const char* key) { return model->model.metadata(key); }

// ---- session ----

void tl_session_options_init(tl_session_options* options) { memset(options, 0, sizeof(*options)); }
tl_status tl_session_create(const tl_model* model, const tl_session_options* options, tl_session** session,
                            tl_error* error) {
  tl_session_options defaults;
  tl_session_options_init(&defaults);
  return Make(session, error, [&](tl_session* made) {
    return made->session.Create(model->model, options == nullptr ? defaults : *options);
  });
}
void tl_session_destroy(tl_session* session) { Delete(session); }
void tl_session_memory(const tl_session* session, tl_memory* memory) { session->session.Memory(memory); }
tl_status tl_session_set_input(tl_session* session, size_t i, const tl_tensor* tensor, tl_error* error) {
  return session->session.SetInput(i, *tensor).ToC(error);
}
tl_status tl_session_set_output(tl_session* session, size_t i, const tl_tensor* tensor, tl_error* error) {
  return session->session.SetOutput(i, tensor).ToC(error);
}
tl_status tl_session_run(tl_session* session, uint64_t deadline_ns, tl_error* error) {
  return session->session.Run(deadline_ns).ToC(error);
}
tl_status tl_session_get_output(const tl_session* session, size_t i, tl_tensor* tensor, tl_error* error) {
  return session->session.GetOutput(i, tensor).ToC(error);
}
void tl_session_cancel(tl_session* session) { session->session.Cancel(); }

// ---- looking inside ----

size_t tl_session_profile_count(const tl_session* session) { return session->session.profile_count(); }
tl_status tl_session_profile_row(const tl_session* session, size_t i, tl_profile_row* row) {
  if (i >= session->session.profile_count()) return TL_ERROR_NOT_FOUND;
  session->session.ProfileRow(i, row);
  return TL_OK;
}
tl_status tl_session_get_tensor(const tl_session* session, size_t tensor_index, tl_tensor* tensor, tl_error* error) {
  return session->session.GetTensor(tensor_index, tensor).ToC(error);
}
