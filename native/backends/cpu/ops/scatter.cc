// SPDX-License-Identifier: Apache-2.0
// The updates of the scatter ops. Integers wrap around; max and min keep NaN.
#include "backends/cpu/ops/scatter.h"

#include <string.h>

#include <type_traits>

#include "backends/cpu/operands.h"

namespace tealight {
namespace {

using Reduction = schema::ScatterReduction;

// Arithmetic of a type: unsigned for integers, as these wrap.
template <typename T, bool kIsInteger = std::is_integral<T>::value>
struct Wrapping {
  using Type = T;
};
template <typename T>
struct Wrapping<T, true> {
  using Type = typename std::conditional<(sizeof(T) < 4), uint32_t, typename std::make_unsigned<T>::type>::type;
};

template <typename T, Reduction kReduction>
T Combine(T a, T b) {
  using W = typename Wrapping<T>::Type;
  switch (kReduction) {
    case Reduction::add:
      return static_cast<T>(static_cast<W>(a) + static_cast<W>(b));
    case Reduction::mul:
      return static_cast<T>(static_cast<W>(a) * static_cast<W>(b));
    case Reduction::max:
      return b > a || b != b ? b : a;
    case Reduction::min:
      return b < a || b != b ? b : a;
    default:
      return b;
  }
}

template <typename T, Reduction kReduction>
void Update(void* y, const void* update, int64_t n) {
  T* to = static_cast<T*>(y);
  const T* from = static_cast<const T*>(update);
  for (int64_t i = 0; i < n; ++i) to[i] = Combine<T, kReduction>(to[i], from[i]);
}

template <int kBytes>
void Replace(void* y, const void* update, int64_t n) {
  memcpy(y, update, static_cast<size_t>(n) * kBytes);
}

template <typename T>
ScatterUpdate ByReduction(Reduction reduction) {
  switch (reduction) {
    case Reduction::add:
      return Update<T, Reduction::add>;
    case Reduction::mul:
      return Update<T, Reduction::mul>;
    case Reduction::max:
      return Update<T, Reduction::max>;
    case Reduction::min:
      return Update<T, Reduction::min>;
    default:
      return nullptr;
  }
}

}  // namespace

ScatterUpdate FindScatterUpdate(Reduction reduction, DType dtype) {
  if (reduction == Reduction::none) {
    switch (DTypeSize(dtype)) {
      case 1:
        return Replace<1>;
      case 2:
        return Replace<2>;
      case 4:
        return Replace<4>;
      case 8:
        return Replace<8>;
      default:
        return nullptr;
    }
  }
  switch (dtype) {
    case DType::kFloat32:
      return ByReduction<float>(reduction);
    case DType::kFloat64:
      return ByReduction<double>(reduction);
    case DType::kInt8:
      return ByReduction<int8_t>(reduction);
    case DType::kUint8:
      return ByReduction<uint8_t>(reduction);
    case DType::kInt16:
      return ByReduction<int16_t>(reduction);
    case DType::kUint16:
      return ByReduction<uint16_t>(reduction);
    case DType::kInt32:
      return ByReduction<int32_t>(reduction);
    case DType::kUint32:
      return ByReduction<uint32_t>(reduction);
    case DType::kInt64:
      return ByReduction<int64_t>(reduction);
    case DType::kUint64:
      return ByReduction<uint64_t>(reduction);
    default:
      return nullptr;
  }
}

Status PrepareScatter(const OpContext& context, Reduction reduction, ScatterUpdate* update) {
  const Tensor *x, *indices, *updates;
  RETURN_IF_ERROR(PlainOperand(context, 0, "x", &x));
  RETURN_IF_ERROR(IndexOperand(context, 1, "indices", &indices));
  RETURN_IF_ERROR(TypedOperand(context, 2, "updates", x->dtype, &updates));
  *update = FindScatterUpdate(reduction, x->dtype);
  if (*update == nullptr) {
    return context.Error(TL_ERROR_INVALID_BUNDLE, "reduction: %d of %s, expected one that is known for the dtype",
                         static_cast<int>(reduction), DTypeName(x->dtype));
  }
  return Status::Ok();
}

void CopyScattered(const OpContext& context, const Tensor& x, const Tensor& y) {
  constexpr size_t kChunk = 65536;
  const size_t bytes = x.Bytes();
  if (x.data == y.data) return;
  context.ParallelFor((bytes + kChunk - 1) / kChunk, 1, [&](size_t, size_t begin, size_t end) {
    const size_t first = begin * kChunk, last = end * kChunk < bytes ? end * kChunk : bytes;
    memcpy(y.As<char>() + first, x.As<char>() + first, last - first);
  });
}

}  // namespace tealight
