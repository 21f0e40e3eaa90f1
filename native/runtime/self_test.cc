// SPDX-License-Identifier: Apache-2.0
// Session::SelfTest: the golden data of a bundle against this machine.
#include <math.h>
#include <string.h>

#include "bundle/validate.h"
#include "runtime/session.h"

namespace tealight {
namespace {

// Returns the first element that differs, `count` when none does. 32-bit ARM flushes denormals, so float32 is only
// close there.
size_t FirstDifference(const char* found, const char* expected, size_t count, DType dtype) {
  const size_t size = DTypeSize(dtype);
#if defined(__arm__)
  if (dtype == DType::kFloat32) {
    const float* a = reinterpret_cast<const float*>(found);
    const float* b = reinterpret_cast<const float*>(expected);
    float largest = 0;
    for (size_t i = 0; i < count; ++i) largest = fmaxf(largest, fabsf(b[i]));
    for (size_t i = 0; i < count; ++i) {
      if (a[i] != b[i] && !(fabsf(a[i] - b[i]) <= 1e-3f * largest)) return i;
    }
    return count;
  }
#endif
  size_t i = 0;
  while (i < count && memcmp(found + i * size, expected + i * size, size) == 0) ++i;
  return i;
}

}  // namespace

Status Session::SelfTest() {
  const auto* goldens = model_->bundle().golden();
  bool found = false;
  for (uint32_t i = 0; goldens != nullptr && i < goldens->size(); ++i) {
    const schema::Golden& golden = *goldens->Get(i);
    if (static_cast<uint32_t>(golden.program()) != program_) continue;
    found = true;
    const Status status = RunGolden(golden);
    Unbind();
    RETURN_IF_ERROR(status);
  }
  if (found) return Status::Ok();
  return Status::Error(TL_ERROR_NOT_FOUND,
                       "self-test: no golden data for this entry point, expected some; build the bundle with golden");
}

void Session::Unbind() {
  for (size_t i = 0; i < is_set_.size(); ++i) is_set_[i] = false;
  for (int i = 0; i < executor_.num_outputs(); ++i) executor_.BindOutput(i, nullptr, 0);
  has_result_ = false;
}

Status Session::RunGolden(const schema::Golden& golden) {
  Unbind();
  const bool has_dims = golden.input_dims() != nullptr && golden.input_dims()->size() != 0;
  uint32_t dim = 0;
  for (uint32_t i = 0; i < is_set_.size(); ++i) {
    Tensor tensor;
    const schema::Tensor& info = executor_.input_info(static_cast<int>(i));
    tensor.dtype = static_cast<DType>(info.dtype());
    tensor.shape = ShapeOf(info);
    tensor.data = model_->constant_data(golden.inputs()->Get(i));
    for (int j = 0; has_dims && j < tensor.shape.rank; ++j) tensor.shape[j] = golden.input_dims()->Get(dim++);
    tl_tensor input;
    ToC(tensor, &input);
    RETURN_IF_ERROR(SetInput(i, input));
  }
  RETURN_IF_ERROR(Run(0));
  for (uint32_t i = 0; i < SizeOf(golden.outputs()); ++i) {
    const int32_t constant = golden.outputs()->Get(i);
    RETURN_IF_ERROR(
        CompareGolden(static_cast<int>(i), model_->constant_data(constant), model_->constant_size(constant)));
  }
  return Status::Ok();
}

Status Session::CompareGolden(int i, const void* expected, uint64_t bytes) const {
  const Tensor& output = executor_.output(i);
  const size_t count = static_cast<size_t>(output.Elements());
  const size_t differs =
      output.Bytes() != bytes
          ? 0
          : FirstDifference(output.As<char>(), static_cast<const char*>(expected), count, output.dtype);
  if (output.Bytes() == bytes && differs == count) return Status::Ok();
  return Status::Error(
      TL_ERROR_RUNTIME,
      "self-test output %d '%.60s': element %zu of %zu differs, expected %llu bytes equal to the golden "
      "ones; the library or the file is damaged",
      i, NameOf(executor_.output_info(i).name()), differs, count, static_cast<unsigned long long>(bytes));
}

}  // namespace tealight
