// SPDX-License-Identifier: Apache-2.0
// The kernels of kernels/qpool/qpool.h, vectorised over the elements of a tap (its channels).
#include "base/simd/vec.h"
#include "kernels/qpool/qpool.h"
#include "kernels/requantize.h"

#define TL_UNROLL _Pragma("GCC unroll 16")

namespace tealight {
namespace TL_ISA {
namespace {

// Bytes of a vector of the path. The scalar path takes bytes one by one.
#if TL_SIMD == TL_SIMD_scalar
constexpr size_t kBytes = 1;
#else
constexpr size_t kBytes = 4 * kLanes;
#endif

void SumWindow(const int8_t* x, const QWindow& window, size_t n, int32_t* sums) {
  size_t i = 0;
  for (; i + 4 * kLanes <= n; i += 4 * kLanes) {
    I32 acc[4] = {SplatI32(0), SplatI32(0), SplatI32(0), SplatI32(0)};
    for (ptrdiff_t r = 0; r < window.rows; ++r) {
      const int8_t* p = x + i + r * window.row_stride;
      for (ptrdiff_t q = 0; q < window.columns; ++q, p += window.column_stride) {
        const I32Quad v = LoadInt8Quad(p);
        TL_UNROLL for (int k = 0; k < 4; ++k) acc[k] = Add(acc[k], v.v[k]);
      }
    }
    TL_UNROLL for (size_t k = 0; k < 4; ++k) StoreI32(sums + i + k * kLanes, acc[k]);
  }
  for (; i < n; i += kLanes) {
    const size_t width = n - i < kLanes ? n - i : kLanes;
    I32 acc = SplatI32(0);
    for (ptrdiff_t r = 0; r < window.rows; ++r) {
      const int8_t* p = x + i + r * window.row_stride;
      for (ptrdiff_t q = 0; q < window.columns; ++q, p += window.column_stride) {
        acc = Add(acc, width == kLanes ? LoadInt8(p) : LoadInt8Partial(p, width));
      }
    }
    int32_t lanes[kLanes];
    StoreI32(lanes, acc);
    for (size_t k = 0; k < width; ++k) sums[i + k] = lanes[k];
  }
}

int32_t SumRun(const int8_t* x, size_t n) {
  I32 acc[4] = {SplatI32(0), SplatI32(0), SplatI32(0), SplatI32(0)};
  size_t i = 0;
  for (; i + 4 * kLanes <= n; i += 4 * kLanes) {
    const I32Quad v = LoadInt8Quad(x + i);
    TL_UNROLL for (int k = 0; k < 4; ++k) acc[k] = Add(acc[k], v.v[k]);
  }
  int32_t lanes[kLanes];
  StoreI32(lanes, Add(Add(acc[0], acc[1]), Add(acc[2], acc[3])));
  uint32_t sum = 0;
  for (int32_t lane : lanes) sum += static_cast<uint32_t>(lane);
  for (; i < n; ++i) sum += static_cast<uint32_t>(static_cast<int32_t>(x[i]));
  return static_cast<int32_t>(sum);
}

template <bool kWide>
void RequantizeSums(const int32_t* sums, size_t n, I32 offset, F32 scale, const RequantizeVectors& q, int8_t* y) {
  size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    StoreInt8(y + i, Requantize<kWide>(Add(LoadI32(sums + i), offset), scale, q));
  }
  if (i == n) return;
  int32_t tail[kLanes] = {};
  for (size_t k = 0; i + k < n; ++k) tail[k] = sums[i + k];
  StoreInt8Partial(y + i, Requantize<kWide>(Add(LoadI32(tail), offset), scale, q), n - i);
}

void RequantizeRun(const int32_t* sums, size_t n, int32_t offset, float scale, const Requantization& requantization,
                   int8_t* y) {
  const RequantizeVectors q = SplatRequantization(requantization);
  (requantization.wide ? RequantizeSums<true> : RequantizeSums<false>)(sums, n, SplatI32(offset), Splat(scale), q, y);
}

// Vectors of kBytes elements of T that the compiler compares.
template <typename T, size_t bytes>
struct Vector {
  typedef T Type __attribute__((vector_size(bytes)));
};

// kCount vectors of the taps at x.
template <typename T, size_t bytes, int kCount>
TL_INLINE void MaxAt(const T* x, const QWindow& window, T lowest, T* y) {
  using V = typename Vector<T, bytes>::Type;
  V acc[kCount];
  TL_UNROLL for (int k = 0; k < kCount; ++k) acc[k] = V{} + lowest;
  for (ptrdiff_t r = 0; r < window.rows; ++r) {
    const T* p = x + r * window.row_stride;
    for (ptrdiff_t q = 0; q < window.columns; ++q, p += window.column_stride) {
      TL_UNROLL for (int k = 0; k < kCount; ++k) {
        V v;
        memcpy(&v, p + static_cast<size_t>(k) * bytes, bytes);
        acc[k] = acc[k] > v ? acc[k] : v;
      }
    }
  }
  TL_UNROLL for (int k = 0; k < kCount; ++k) memcpy(y + static_cast<size_t>(k) * bytes, &acc[k], bytes);
}

template <typename T>
void MaxWindow(const T* x, const QWindow& window, size_t n, T* y) {
  const T lowest = T(-1) < T(0) ? static_cast<T>(-128) : T(0);
  size_t i = 0;
#if TL_SIMD != TL_SIMD_scalar
  for (; i + 2 * kBytes <= n; i += 2 * kBytes) MaxAt<T, kBytes, 2>(x + i, window, lowest, y + i);
  for (; i + kBytes <= n; i += kBytes) MaxAt<T, kBytes, 1>(x + i, window, lowest, y + i);
  if (i < n && n >= kBytes) {  // the last vector, some of it again
    i = n - kBytes;
    return MaxAt<T, kBytes, 1>(x + i, window, lowest, y + i);
  }
  for (; i + 8 <= n; i += 8) MaxAt<T, 8, 1>(x + i, window, lowest, y + i);
#endif
  for (; i < n; ++i) {
    T best = lowest;
    for (ptrdiff_t r = 0; r < window.rows; ++r) {
      for (ptrdiff_t q = 0; q < window.columns; ++q) {
        const T v = x[static_cast<ptrdiff_t>(i) + r * window.row_stride + q * window.column_stride];
        best = v > best ? v : best;
      }
    }
    y[i] = best;
  }
}

constexpr QPoolKernels kQPoolKernels = {SumWindow, SumRun, RequantizeRun, MaxWindow<int8_t>, MaxWindow<uint8_t>};

}  // namespace
}  // namespace TL_ISA
}  // namespace tealight
