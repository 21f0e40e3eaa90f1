// SPDX-License-Identifier: Apache-2.0
// The window of a 2-d convolution over [n, h, w, c]: attributes read and checked, and where each tap of an output
// pixel lies in memory.
#ifndef TEALIGHT_BACKENDS_CPU_CONV_WINDOW_H_
#define TEALIGHT_BACKENDS_CPU_CONV_WINDOW_H_

#include <string.h>

#include "backends/cpu/stored_weights.h"

namespace tealight {

struct ConvWindow {
  int64_t kh = 1, kw = 1, sh = 1, sw = 1, dh = 1, dw = 1;
  int64_t top = 0, left = 0, bottom = 0, right = 0;
};

using AttributeInts = flatbuffers::Vector<int32_t>;

/// Copies `count` integers of an attribute in [low, 2^31); an absent attribute leaves the defaults.
inline Status ReadWindowList(const OpContext& context, const char* name, const AttributeInts* list, int count,
                             int64_t low, int64_t* const* values) {
  if (list == nullptr || list->size() == 0) return Status::Ok();
  if (list->size() != static_cast<unsigned>(count)) {
    return context.Error(TL_ERROR_INVALID_BUNDLE, "%s: %u values, expected %d", name, list->size(), count);
  }
  for (int i = 0; i < count; ++i) {
    const int64_t value = list->Get(static_cast<unsigned>(i));
    if (value < low) {
      return context.Error(TL_ERROR_INVALID_BUNDLE, "%s: %lld, expected at least %lld", name,
                           static_cast<long long>(value), static_cast<long long>(low));
    }
    *values[i] = value;
  }
  return Status::Ok();
}

/// Reads kernel_shape, strides, pads and dilations of a convolution's attribute table.
template <typename T>
Status ReadConvWindow(const OpContext& context, const T& attributes, ConvWindow* window) {
  int64_t* const kernel[] = {&window->kh, &window->kw};
  int64_t* const strides[] = {&window->sh, &window->sw};
  int64_t* const dilations[] = {&window->dh, &window->dw};
  int64_t* const pads[] = {&window->top, &window->left, &window->bottom, &window->right};
  RETURN_IF_ERROR(ReadWindowList(context, "kernel_shape", attributes.kernel_shape(), 2, 1, kernel));
  RETURN_IF_ERROR(ReadWindowList(context, "strides", attributes.strides(), 2, 1, strides));
  RETURN_IF_ERROR(ReadWindowList(context, "dilations", attributes.dilations(), 2, 1, dilations));
  return ReadWindowList(context, "pads", attributes.pads(), 4, 0, pads);
}

/// Windows along one axis.
inline int64_t ConvOutputSize(int64_t size, int64_t kernel, int64_t stride, int64_t dilation, int64_t before,
                              int64_t after) {
  const int64_t span = size + before + after - ((kernel - 1) * dilation + 1);
  return span < 0 ? 0 : span / stride + 1;
}

// Of a size, a stride or the extent of a window: sums of three fit 32 bits.
constexpr int64_t kWindowLimit = int64_t{1} << 29;

/// Checks the window, and the image of x [n, h, w, c], for kernels that work out positions themselves.
inline Status CheckWindowLimits(const OpContext& context, const ConvWindow& window, const Shape& x) {
  const int64_t values[] = {window.kh,  window.kw,   window.sh,     window.sw,    window.dh, window.dw,
                            window.top, window.left, window.bottom, window.right, x[1],      x[2]};
  bool fits = true;
  for (int64_t value : values) fits = fits && value <= kWindowLimit;
  if (fits && window.kh * window.kw <= kWindowLimit && (window.kh - 1) * window.dh <= kWindowLimit &&
      (window.kw - 1) * window.dw <= kWindowLimit) {
    return Status::Ok();
  }
  return context.Error(TL_ERROR_INVALID_BUNDLE, "window or image of more than 2^29, expected less");
}

/// Copies the window and the sizes of x and y [n, h, w, c] to the arguments of such a kernel.
template <typename Args>
void SetWindowArgs(const ConvWindow& window, const Shape& x, const Shape& y, Args* args) {
  using Int = decltype(args->kh);
  args->h = static_cast<ptrdiff_t>(x[1]);
  args->w = static_cast<ptrdiff_t>(x[2]);
  args->c = static_cast<ptrdiff_t>(x[3]);
  args->oh = static_cast<ptrdiff_t>(y[1]);
  args->ow = static_cast<ptrdiff_t>(y[2]);
  args->kh = static_cast<Int>(window.kh);
  args->kw = static_cast<Int>(window.kw);
  args->sh = static_cast<Int>(window.sh);
  args->sw = static_cast<Int>(window.sw);
  args->dh = static_cast<Int>(window.dh);
  args->dw = static_cast<Int>(window.dw);
  args->top = static_cast<Int>(window.top);
  args->left = static_cast<Int>(window.left);
}

/// Bounds the tables of pointers to taps, and the time that windows over no channels take; no real kernel comes near.
inline Status CheckTaps(const OpContext& context, const ConvWindow& window) {
  if (window.kh <= 4096 && window.kw <= 4096 && window.kh * window.kw <= 65536) return Status::Ok();
  return context.Error(TL_ERROR_UNSUPPORTED_OP, "kernel_shape [%lld, %lld], expected at most 65536 taps",
                       static_cast<long long>(window.kh), static_cast<long long>(window.kw));
}

/// Checks the shapes of x [n, h, w, c] and weight [oc, kh, kw, c / group] in the given layout; their types are checked.
inline Status CheckConvShapes(const OpContext& context, const ConvWindow& window, int64_t group, Layout layout) {
  const Tensor* x = context.input(0);
  const Tensor* weight = context.input(1);
  if (x->shape.rank != 4 || weight->shape.rank != 4 || weight->layout != layout || !weight->is_constant) {
    return context.Error(TL_ERROR_WRONG_SHAPE, "ranks %d and %d, expected x [n, h, w, c] and a packed constant weight",
                         x->shape.rank, weight->shape.rank);
  }
  RETURN_IF_ERROR(CheckTaps(context, window));
  const int64_t oc = weight->shape[0];
  if (group < 1 || oc % group != 0 || x->shape[3] % group != 0 || weight->shape[1] != window.kh ||
      weight->shape[2] != window.kw || weight->shape[3] != x->shape[3] / group || weight->layout_groups != group) {
    return context.Error(TL_ERROR_WRONG_SHAPE,
                         "weight [%lld, %lld, %lld, %lld] does not fit x, expected [oc, kh, kw, c / group]",
                         static_cast<long long>(oc), static_cast<long long>(weight->shape[1]),
                         static_cast<long long>(weight->shape[2]), static_cast<long long>(weight->shape[3]));
  }
  return Status::Ok();
}

/// Checks the operands that all convolutions share: float32 x [n, h, w, c], weight [oc, kh, kw, c / group] of the
/// given layout and of any dtype of stored weights, bias [oc] or absent.
inline Status CheckConvOperands(const OpContext& context, const ConvWindow& window, int64_t group, Layout layout) {
  const Tensor* x = context.input(0);
  const Tensor* weight = context.input(1);
  if (x == nullptr || weight == nullptr || x->dtype != DType::kFloat32 || !IsWeightDType(weight->dtype)) {
    return context.Error(TL_ERROR_WRONG_DTYPE, "operands of other types, expected float32 x and a weight");
  }
  RETURN_IF_ERROR(CheckConvShapes(context, window, group, layout));
  const Tensor* bias = context.input(2);
  const int64_t oc = weight->shape[0];
  if (bias != nullptr && (bias->dtype != DType::kFloat32 || bias->layout != Layout::kPlain || bias->shape.rank != 1 ||
                          bias->shape[0] != oc)) {
    return context.Error(TL_ERROR_WRONG_SHAPE, "bias does not fit, expected float32 [%lld]",
                         static_cast<long long>(oc));
  }
  return Status::Ok();
}

/// The product of sizes, as the number of rows of a gemm; fails when it leaves the memory's range.
inline Status CountRows(const OpContext& context, int64_t a, int64_t b, int64_t c, size_t* rows) {
  int64_t product = 0;
  if (__builtin_mul_overflow(a, b, &product) || __builtin_mul_overflow(product, c, &product) || product < 0 ||
      product > (int64_t{1} << 40)) {
    return context.Error(TL_ERROR_WRONG_SHAPE, "%lld x %lld x %lld rows, expected fewer", static_cast<long long>(a),
                         static_cast<long long>(b), static_cast<long long>(c));
  }
  *rows = static_cast<size_t>(product);
  return Status::Ok();
}

/// The residual operand: absent, or float32 of the result's shape.
inline Status CheckResidual(const OpContext& context, const Tensor* residual, const Shape& shape) {
  if (residual == nullptr || (residual->dtype == DType::kFloat32 && residual->shape == shape)) return Status::Ok();
  return context.Error(TL_ERROR_WRONG_SHAPE,
                       "residual of another shape or type, expected float32 of the result's shape");
}

}  // namespace tealight

#endif  // TEALIGHT_BACKENDS_CPU_CONV_WINDOW_H_
