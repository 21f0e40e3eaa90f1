// SPDX-License-Identifier: Apache-2.0
// The C API: library and model.
#include <string.h>

#include "api/handle.h"
#include "base/cpu_features.h"
#include "base/names.h"
#include "bundle/validate.h"
#include "include/tealight.h"
#include "runtime/registry.h"

using tealight::Make;

namespace {

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

// clang-format off
#define TL_STATUSES(ROW)                                                                        \
  ROW(INVALID_ARGUMENT) ROW(WRONG_DTYPE) ROW(WRONG_SHAPE) ROW(NOT_FOUND) ROW(MISSING_INPUT)     \
  ROW(IO) ROW(INVALID_BUNDLE) ROW(UNSUPPORTED_VERSION) ROW(UNSUPPORTED_OP)                      \
  ROW(OUT_OF_MEMORY) ROW(CANCELLED) ROW(DEADLINE) ROW(RUNTIME) ROW(BUSY)
// clang-format on

const char* tl_version(void) { return TL_VERSION; }
uint32_t tl_format_version(void) { return tealight::kFormatVersion; }
const char* tl_isa_name(size_t i) {
  tealight::Isa isa;
  return tealight::SupportedIsa(i, &isa) ? tealight::IsaName(isa) : nullptr;
}
const char* tl_op_name(size_t i) { return tealight::BuiltOpName(i); }
const char* tl_build_info(void) { return tealight::BuildInfo(); }
const char* tl_feature_name(size_t i) { return tealight::FeatureName(i); }
const char* tl_status_name(tl_status status) {
#define TL_CODE(name) TL_ERROR_##name,
#define TL_NAME(name) "\0" #name
  static constexpr uint16_t kCodes[] = {TL_OK, TL_STATUSES(TL_CODE)};
  for (size_t i = 0; i < sizeof(kCodes) / sizeof(kCodes[0]); ++i) {
    if (kCodes[i] == tealight::NumberOf(status)) return tealight::NthName("OK" TL_STATUSES(TL_NAME), i);
  }
#undef TL_CODE
#undef TL_NAME
  return nullptr;
}

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
void tl_model_destroy(tl_model* model) {
  if (model != nullptr) tealight::Release(model);
}

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
const char* tl_model_metadata_key(const tl_model* model, size_t i) { return model->model.metadata_key(i); }
tl_status tl_model_image_info(const tl_model* model, size_t i, tl_image_info* info) {
  const tealight::schema::ImageInput* image = model->model.image(i);
  if (image == nullptr) return TL_ERROR_NOT_FOUND;
  const char order = tealight::NameOf(image->channel_order())[0];  // one of the three, as Validate has checked
  info->input = tealight::NameOf(image->input());
  info->height = image->height();
  info->width = image->width();
  info->channels = image->channels();
  info->channels_first = tealight::NameOf(image->layout())[1] == 'C';
  info->channel_order = order == 'R' ? 0 : order == 'B' ? 1 : 2;
  info->mean = image->mean() == nullptr ? nullptr : image->mean()->data();  // absent where there are no channels
  info->scale = image->scale() == nullptr ? nullptr : image->scale()->data();
  return TL_OK;
}
size_t tl_model_label_count(const tl_model* model, const char* output) {
  const tealight::schema::Labels* labels = model->model.labels(output);
  return labels == nullptr || labels->labels() == nullptr ? 0 : labels->labels()->size();
}
const char* tl_model_label(const tl_model* model, const char* output, size_t i) {
  if (i >= tl_model_label_count(model, output)) return nullptr;
  return tealight::NameOf(model->model.labels(output)->labels()->Get(static_cast<uint32_t>(i)));
}
