// SPDX-License-Identifier: Apache-2.0
// The kernels of kernels/qresize/qresize.h. Two taps (linear) and four (cubic) have loops of their own.
#include "base/simd/vec.h"
#include "kernels/qresize/qresize.h"

namespace tealight {
namespace TL_ISA {
namespace {

TL_INLINE I32 LoadSome(const int8_t* p, size_t n) { return n == kLanes ? LoadInt8(p) : LoadInt8Partial(p, n); }
TL_INLINE I32 LoadSome(const int32_t* p, size_t n) {
  return n == kLanes ? LoadI32(p) : BitsOf(LoadPartial(reinterpret_cast<const float*>(p), n));
}
TL_INLINE void StoreSome(int32_t* p, I32 a, size_t n) {
  if (n == kLanes) return StoreI32(p, a);
  StorePartial(reinterpret_cast<float*>(p), FloatOf(a), n);
}

struct Rounding {
  I32 half;
  int shift;
};

// a >> shift, arithmetic, of a shift known at run time: the loops below know the common ones.
template <int kShift>
TL_INLINE I32 Shifted(I32 a, int shift) {
  if constexpr (kShift > 0) {
    return ShiftRightArith<kShift>(a);
  } else {
    int32_t lanes[kLanes];
    StoreI32(lanes, a);
    for (int32_t& v : lanes) v >>= shift;
    return LoadI32(lanes);
  }
}

// Calls f(i, n) for vectors of [0, n), the last with fewer elements.
template <typename F>
TL_INLINE void ForEachVector(size_t n, const F& f) {
  size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) f(i, kLanes);
  if (i < n) f(i, n - i);
}

template <size_t kTaps, typename T>
TL_INLINE I32 RowSum(const T* const* rows, const int32_t* weight, size_t taps, size_t at, size_t n) {
  I32 acc = SplatI32(0);
  const size_t count = kTaps > 0 ? kTaps : taps;
  for (size_t t = 0; t < count; ++t) acc = Add(acc, Mul(SplatI32(weight[t]), LoadSome(rows[t] + at, n)));
  return acc;
}

template <typename T>
void Rows(const T* const* rows, const int32_t* weight, size_t taps, size_t n, int32_t* sums) {
  if (taps == 2) {
    return ForEachVector(n, [&](size_t i, size_t k) { StoreSome(sums + i, RowSum<2>(rows, weight, taps, i, k), k); });
  }
  if (taps == 4) {
    return ForEachVector(n, [&](size_t i, size_t k) { StoreSome(sums + i, RowSum<4>(rows, weight, taps, i, k), k); });
  }
  ForEachVector(n, [&](size_t i, size_t k) { StoreSome(sums + i, RowSum<0>(rows, weight, taps, i, k), k); });
}

template <int kShift>
TL_INLINE void StoreRounded(int8_t* y, I32 sum, const Rounding& rounding, size_t n) {
  const I32 rounded = Shifted<kShift>(Add(sum, rounding.half), rounding.shift);
  if (n == kLanes) {
    StoreInt8(y, rounded);
  } else {
    StoreInt8Partial(y, rounded, n);
  }
}

template <size_t kTaps, int kShift>
TL_INLINE void RoundRowsOf(const int32_t* const* rows, const int32_t* weight, size_t taps, size_t n,
                           const Rounding& rounding, int8_t* y) {
  ForEachVector(n, [&](size_t i, size_t k) {
    StoreRounded<kShift>(y + i, RowSum<kTaps>(rows, weight, taps, i, k), rounding, k);
  });
}

void RoundRows(const int32_t* const* rows, const int32_t* weight, size_t taps, size_t n, int shift, int8_t* y) {
  const Rounding rounding = {SplatI32(int32_t{1} << (shift - 1)), shift};
  if (taps == 2 && shift == 22) return RoundRowsOf<2, 22>(rows, weight, taps, n, rounding, y);
  if (taps == 4 && shift == 22) return RoundRowsOf<4, 22>(rows, weight, taps, n, rounding, y);
  RoundRowsOf<0, 0>(rows, weight, taps, n, rounding, y);
}

void Round(const int32_t* sums, size_t n, int shift, int8_t* y) {
  const Rounding rounding = {SplatI32(int32_t{1} << (shift - 1)), shift};
  ForEachVector(n, [&](size_t i, size_t k) {
    const I32 sum = LoadSome(sums + i, k);
    shift == 22   ? StoreRounded<22>(y + i, sum, rounding, k)
    : shift == 14 ? StoreRounded<14>(y + i, sum, rounding, k)
                  : StoreRounded<0>(y + i, sum, rounding, k);
  });
}

template <size_t kTaps, typename T>
TL_INLINE void ColumnsOf(const T* x, const int32_t* index, const int32_t* weight, size_t taps, size_t n, size_t inner,
                         int32_t* sums) {
  const size_t count = kTaps > 0 ? kTaps : taps;
  for (size_t j = 0; j < n; ++j, index += count, weight += count, sums += inner) {
    size_t i = 0;
    for (; i + kLanes <= inner; i += kLanes) {
      I32 acc = SplatI32(0);
      for (size_t t = 0; t < count; ++t) {
        acc = Add(acc, Mul(SplatI32(weight[t]), LoadSome(x + static_cast<size_t>(index[t]) * inner + i, kLanes)));
      }
      StoreI32(sums + i, acc);
    }
    for (; i < inner; ++i) {
      uint32_t acc = 0;
      for (size_t t = 0; t < count; ++t) {
        acc += static_cast<uint32_t>(weight[t]) *
               static_cast<uint32_t>(static_cast<int32_t>(x[static_cast<size_t>(index[t]) * inner + i]));
      }
      sums[i] = static_cast<int32_t>(acc);
    }
  }
}

template <typename T>
void Columns(const T* x, const int32_t* index, const int32_t* weight, size_t taps, size_t n, size_t inner,
             int32_t* sums) {
  if (taps == 2) return ColumnsOf<2>(x, index, weight, taps, n, inner, sums);
  if (taps == 4) return ColumnsOf<4>(x, index, weight, taps, n, inner, sums);
  ColumnsOf<0>(x, index, weight, taps, n, inner, sums);
}

constexpr QResizeKernels kQResizeKernels = {Columns<int8_t>, Columns<int32_t>, Rows<int8_t>,
                                            Rows<int32_t>,   RoundRows,        Round};

}  // namespace
}  // namespace TL_ISA
}  // namespace tealight
