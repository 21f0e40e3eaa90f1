// SPDX-License-Identifier: Apache-2.0
// Rules for what a bundle says about itself: metadata, pictures, labels, golden data.
#include <string.h>

#include "bundle/layout.h"
#include "bundle/validate.h"
#include "bundle/validate_parts.h"

namespace tealight {
namespace {

bool IsOneOf(const String* text, const char* a, const char* b, const char* c) {
  const char* name = NameOf(text);
  return strcmp(name, a) == 0 || strcmp(name, b) == 0 || strcmp(name, c) == 0;
}

Status CheckImages(const schema::Bundle& bundle) {
  for (uint32_t i = 0; i < Count(bundle.images()); ++i) {
    const schema::ImageInput& image = *bundle.images()->Get(i);
    const int32_t channels = image.channels();
    if (!IsText(image.input()) || image.height() < 0 || image.width() < 0 || channels < 0 ||
        Count(image.mean()) != static_cast<uint32_t>(channels) || Count(image.scale()) != Count(image.mean()) ||
        !IsOneOf(image.layout(), "NHWC", "NCHW", "NCHW") || !IsOneOf(image.channel_order(), "RGB", "BGR", "GRAY")) {
      return INVALID(
          "image %u: %dx%d with %d channels, %u means and %u scales, expected a name, sizes, one mean and "
          "scale for each channel, NHWC or NCHW, RGB, BGR or GRAY",
          i, image.height(), image.width(), channels, Count(image.mean()), Count(image.scale()));
    }
  }
  return Status::Ok();
}

Status CheckLabels(const schema::Bundle& bundle) {
  for (uint32_t i = 0; i < Count(bundle.labels()); ++i) {
    const schema::Labels& labels = *bundle.labels()->Get(i);
    bool good = IsText(labels.output()) && AllPresent(labels.labels());
    for (uint32_t j = 0; good && j < Count(labels.labels()); ++j) good = IsText(labels.labels()->Get(j));
    if (!good) return INVALID("labels %u: not text, expected UTF-8 without NUL", i);
  }
  return Status::Ok();
}

// Takes the tensor's dims from input_dims when there are any; returns the bytes, or UINT64_MAX when they are not known.
uint64_t GoldenBytes(const schema::Tensor& tensor, const Vector<int64_t>* dims, uint32_t* next) {
  if (Count(dims) == 0) return BytesOf(tensor);
  Shape shape = ShapeOf(tensor);
  uint64_t bytes = 0;
  for (int i = 0; i < shape.rank; ++i) {
    if (*next >= dims->size() || dims->Get(*next) < 0) return UINT64_MAX;
    shape[i] = dims->Get((*next)++);
  }
  return PlainBytes(static_cast<DType>(tensor.dtype()), shape, &bytes) ? bytes : UINT64_MAX;
}

// Whether `constants` fit the program's inputs or outputs one by one.
bool FitsProgram(const schema::Bundle& bundle, const schema::Golden& golden, bool is_input) {
  const schema::Program& program = *bundle.programs()->Get(static_cast<uint32_t>(golden.program()));
  const auto* constants = is_input ? golden.inputs() : golden.outputs();
  const auto* tensors = is_input ? program.inputs() : program.outputs();
  const auto* dims = is_input ? golden.input_dims() : nullptr;
  if (Count(constants) != Count(tensors)) return false;
  uint32_t next = 0;
  for (uint32_t i = 0; i < Count(constants); ++i) {
    const int32_t constant = constants->Get(i);
    if (constant < 0 || static_cast<uint32_t>(constant) >= Count(bundle.constants())) return false;
    const uint64_t size = bundle.constants()->Get(static_cast<uint32_t>(constant))->size();
    const schema::Tensor& tensor = *program.tensors()->Get(static_cast<uint32_t>(tensors->Get(i)));
    const uint64_t expected = GoldenBytes(tensor, dims, &next);
    const bool is_open = !is_input && expected == UINT64_MAX;  // its size is known after the run
    if (!is_open && expected != size) return false;
  }
  return next == Count(dims);
}

}  // namespace

Status CheckMetadata(const schema::Bundle& bundle) {
  for (uint32_t i = 0; i < Count(bundle.metadata()); ++i) {
    const schema::KeyValue* pair = bundle.metadata()->Get(i);
    if (!IsText(pair->key()) || !IsText(pair->value())) {
      return INVALID("metadata %u: not text, expected UTF-8 without NUL", i);
    }
  }
  RETURN_IF_ERROR(CheckImages(bundle));
  return CheckLabels(bundle);
}

Status CheckGolden(const schema::Bundle& bundle) {
  for (uint32_t i = 0; i < Count(bundle.golden()); ++i) {
    const schema::Golden& golden = *bundle.golden()->Get(i);
    if (golden.program() < 0 || static_cast<uint32_t>(golden.program()) >= Count(bundle.programs())) {
      return INVALID("golden %u: program %d, expected less than %u", i, golden.program(), Count(bundle.programs()));
    }
    if (!IsAligned(golden.input_dims())) return INVALID("golden %u: misaligned, expected a multiple of 8", i);
    for (const bool is_input : {true, false}) {
      if (!FitsProgram(bundle, golden, is_input)) {
        return INVALID("golden %u: its %s do not fit, expected a constant of the right size for each of program %d", i,
                       is_input ? "inputs" : "outputs", golden.program());
      }
    }
  }
  return Status::Ok();
}

}  // namespace tealight
