// SPDX-License-Identifier: Apache-2.0
// CPU max_pool2d (sdk/tealight/ops/max_pool2d.py): float32, int8 and uint8 values by the vector kernels; float16, and
// indices, by the plain loops below.
#include "backends/cpu/pool_window.h"
#include "kernels/qpool/qpool.h"

namespace tealight {
namespace {

// How each type tells whether b replaces a: b > a, or b is NaN.
struct Float32 {
  using Type = float;
  static bool Replaces(float b, float a) { return b > a || b != b; }
  static float Lowest() { return -__builtin_inff(); }
};
struct Float16 {
  using Type = uint16_t;
  static bool IsNan(uint16_t h) { return (h & 0x7fff) > 0x7c00; }
  static int Order(uint16_t h) { return (h & 0x8000) != 0 ? -(h & 0x7fff) : h; }
  static bool Replaces(uint16_t b, uint16_t a) { return IsNan(b) || (!IsNan(a) && Order(b) > Order(a)); }
  static uint16_t Lowest() { return 0xfc00; }
};
struct Int8 {
  using Type = int8_t;
  static bool Replaces(int8_t b, int8_t a) { return b > a; }
  static int8_t Lowest() { return -128; }
};
struct Uint8 {
  using Type = uint8_t;
  static bool Replaces(uint8_t b, uint8_t a) { return b > a; }
  static uint8_t Lowest() { return 0; }
};

// One output pixel; index may be null, else gets positions in x counted from the image, plus `base`. Values alone
// fold column by column as the vector kernels do; with indices row by row, so that the first of equals is ONNX's.
template <typename T>
void Pixel(const PoolArgs& a, const typename T::Type* x, ptrdiff_t row, ptrdiff_t column, ptrdiff_t c_begin,
           ptrdiff_t c_end, typename T::Type* y, int64_t* index, int64_t base) {
  ptrdiff_t r0, r1, q0, q1;
  TapRange(row, a.kh, a.dh, 0, a.h, &r0, &r1);
  TapRange(column, a.kw, a.dw, 0, a.w, &q0, &q1);
  for (ptrdiff_t c = c_begin; c < c_end; ++c) {
    y[c] = T::Lowest();
    if (index != nullptr) index[c] = -1;
  }
  const ptrdiff_t rows = r1 - r0, columns = q1 - q0;
  for (ptrdiff_t t = 0; t < rows * columns; ++t) {
    const ptrdiff_t r = row + a.dh * (r0 + (index != nullptr ? t / columns : t % rows));
    const ptrdiff_t q = column + a.dw * (q0 + (index != nullptr ? t % columns : t / rows));
    const ptrdiff_t place = (r * a.w + q) * a.c;
    if (index != nullptr) {
      for (ptrdiff_t c = c_begin; c < c_end; ++c) {
        if (index[c] >= 0 && !T::Replaces(x[place + c], y[c])) continue;
        y[c] = x[place + c];
        index[c] = base + place + c;
      }
    } else {
      for (ptrdiff_t c = c_begin; c < c_end; ++c) y[c] = T::Replaces(x[place + c], y[c]) ? x[place + c] : y[c];
    }
  }
}

template <typename T>
void RunPlain(const OpContext& context, const PoolState& s) {
  using Type = typename T::Type;
  const PoolArgs& a = s.args;
  const Tensor* indices = context.output(1);
  ForEachPoolItem(context, s, [&](ptrdiff_t image, ptrdiff_t row, ptrdiff_t row_end, ptrdiff_t c, ptrdiff_t c_end) {
    const ptrdiff_t in = image * a.h * a.w * a.c, out = image * a.oh * a.ow * a.c;
    for (ptrdiff_t i = row; i < row_end; ++i) {
      for (ptrdiff_t j = 0; j < a.ow; ++j) {
        const ptrdiff_t pixel = out + (i * a.ow + j) * a.c;
        Pixel<T>(a, context.input(0)->As<Type>() + in, i * a.sh - a.top, j * a.sw - a.left, c, c_end,
                 context.output(0)->As<Type>() + pixel, indices == nullptr ? nullptr : indices->As<int64_t>() + pixel,
                 in);
      }
    }
  });
}

// Values of 8-bit integers; `max` is the kernel of their type.
template <typename T>
void RunBytes(const OpContext& context, const PoolState& s, void (*max)(const T*, const QWindow&, size_t, T*)) {
  const PoolArgs& a = s.args;
  ForEachPoolItem(context, s, [&](ptrdiff_t image, ptrdiff_t row, ptrdiff_t row_end, ptrdiff_t c, ptrdiff_t c_end) {
    const T* x = context.input(0)->As<T>() + image * a.h * a.w * a.c + c;
    T* y = context.output(0)->As<T>() + image * a.oh * a.ow * a.c + c;
    QWindow window;
    window.row_stride = a.dh * a.w * a.c;
    window.column_stride = a.dw * a.c;
    for (ptrdiff_t i = row; i < row_end; ++i) {
      ptrdiff_t r0, r1, q0, q1;
      TapRange(i * a.sh - a.top, a.kh, a.dh, 0, a.h, &r0, &r1);
      for (ptrdiff_t j = 0; j < a.ow; ++j) {
        TapRange(j * a.sw - a.left, a.kw, a.dw, 0, a.w, &q0, &q1);
        window.rows = r1 - r0;
        window.columns = q1 - q0;
        const bool empty = window.rows == 0 || window.columns == 0;
        const ptrdiff_t first = (i * a.sh - a.top + r0 * a.dh) * a.w + j * a.sw - a.left + q0 * a.dw;
        max(empty ? x : x + first * a.c, window, static_cast<size_t>(c_end - c), y + (i * a.ow + j) * a.c);
      }
    }
  });
}

Status Prepare(OpContext& context) {
  const auto& attributes = context.attributes<schema::MaxPool2d>();
  const Tensor* x = context.input(0);
  if (x == nullptr || x->shape.rank != 4)
    return context.Error(TL_ERROR_WRONG_SHAPE, "x: another rank, expected [n, h, w, c]");
  if (x->dtype != DType::kFloat32 && x->dtype != DType::kFloat16 && x->dtype != DType::kInt8 &&
      x->dtype != DType::kUint8) {
    return context.Error(TL_ERROR_WRONG_DTYPE, "x: %s, expected float32, float16, int8 or uint8", DTypeName(x->dtype));
  }
  if (context.output(0) == nullptr) return context.Error(TL_ERROR_INVALID_BUNDLE, "y: not wanted, expected a tensor");
  ConvWindow window;
  RETURN_IF_ERROR(ReadConvWindow(context, attributes, &window));
  PoolState* s = new (context.state<PoolState>()) PoolState();
  Shape y;
  RETURN_IF_ERROR(PreparePool(context, window, attributes.ceil_mode(), s, &y));
  if (context.output(1) != nullptr) RETURN_IF_ERROR(context.SetOutput(1, DType::kInt64, y));
  return context.SetOutput(0, x->dtype, y);
}

Status Run(OpContext& context) {
  const PoolState& s = *context.state<PoolState>();
  const QPoolKernels& bytes = *FindQPool(context.isa());
  const bool values = context.output(1) == nullptr;
  switch (context.input(0)->dtype) {
    case DType::kFloat16:
      RunPlain<Float16>(context, s);
      break;
    case DType::kInt8:
      values ? RunBytes(context, s, bytes.max_window_s8) : RunPlain<Int8>(context, s);
      break;
    case DType::kUint8:
      values ? RunBytes(context, s, bytes.max_window_u8) : RunPlain<Uint8>(context, s);
      break;
    default:
      if (!values) {
        RunPlain<Float32>(context, s);
      } else {
        RunPool(context, s, FindPool(context.isa())->max);
      }
  }
  return Status::Ok();
}

}  // namespace

OpKernel Cpu_max_pool2d() { return {Prepare, Run}; }

}  // namespace tealight
