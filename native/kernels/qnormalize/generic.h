// SPDX-License-Identifier: Apache-2.0
// The bodies of QNormalizeKernels over the SIMD wrapper; see qnormalize.h.
#include <string.h>

#include "base/simd/vec.h"
#include "kernels/qelementwise/lut.h"
#include "kernels/qnormalize/qnormalize.h"
#if TL_SIMD == TL_SIMD_x86_avx512 && defined(__AVX512VBMI__)
#define TL_SOFTMAX_VBMI
#include "kernels/qnormalize/softmax_vbmi.h"
#endif

namespace tealight {
namespace TL_ISA {
namespace {

constexpr size_t kQuad = 4 * kLanes;
// So many squares of int8, and so many uint16, have a sum within int32.
constexpr size_t kChunk = 65536, kSoftmaxChunk = 32768;

// The sum of all lanes, wrapping around.
TL_INLINE int32_t SumOf(I32 v) {
  const auto add = [](F32 a, F32 b) { return FloatOf(Add(BitsOf(a), BitsOf(b))); };
  const float bits = FirstLane(FoldLanes<kLanes / 2>(FloatOf(v), add));
  int32_t sum;
  memcpy(&sum, &bits, sizeof(sum));
  return sum;
}

#ifndef TL_SOFTMAX_VBMI

// n >= 1.
TL_INLINE int32_t MaxOf(size_t n, const int8_t* x) {
  int32_t result = x[0];
  if (n < kLanes) {
    for (size_t i = 1; i < n; ++i) result = x[i] > result ? x[i] : result;
    return result;
  }
  I32 m[4];
  m[0] = m[1] = m[2] = m[3] = LoadInt8(x + n - kLanes);
  size_t i = 0;
  for (; i + kQuad <= n; i += kQuad) {
    const I32Quad v = LoadInt8Quad(x + i);
    for (size_t j = 0; j < 4; ++j) m[j] = Max(m[j], v.v[j]);
  }
  for (; i + kLanes <= n; i += kLanes) m[0] = Max(m[0], LoadInt8(x + i));
  // Of int8, exact in float32.
  const F32 most = ToFloat(Max(Max(m[0], m[1]), Max(m[2], m[3])));
  const auto greater = [](F32 a, F32 b) { return ClampMin(a, b); };
  return static_cast<int32_t>(FirstLane(FoldLanes<kLanes / 2>(most, greater)));
}

void Softmax(const SoftmaxTable& table, size_t n, const int8_t* x, void* scratch, int8_t* y) {
  const size_t padded = (n + 63) / 64 * 64;
  uint8_t* low = static_cast<uint8_t*>(scratch);
  uint8_t* high = low + padded;
  float* e = reinterpret_cast<float*>(high + padded);
  // Entry (x + 128) + (127 - max) is 255 - (max - x).
  const size_t shift = static_cast<size_t>(127 - MaxOf(n, x));
  const uint8_t* bytes = reinterpret_cast<const uint8_t*>(x);
  size_t i = LutVectors(table.low + shift, 0x80, n, bytes, low);
  LutVectors(table.high + shift, 0x80, n, bytes, high);
  for (; i < n; ++i) {
    low[i] = table.low[shift + (bytes[i] ^ 0x80u)];
    high[i] = table.high[shift + (bytes[i] ^ 0x80u)];
  }
  memset(low + n, 0, padded - n);
  memset(high + n, 0, padded - n);
  int64_t total = 0;
  for (size_t begin = 0; begin < padded; begin += kSoftmaxChunk) {
    const size_t end = begin + kSoftmaxChunk < padded ? begin + kSoftmaxChunk : padded;
    I32 sum[4] = {SplatI32(0), SplatI32(0), SplatI32(0), SplatI32(0)};
    for (i = begin; i < end; i += kQuad) {
      const I32Quad l = LoadUint8Quad(low + i), h = LoadUint8Quad(high + i);
      for (size_t j = 0; j < 4; ++j) {
        const I32 v = Add(l.v[j], ShiftLeft<8>(h.v[j]));
        sum[j] = Add(sum[j], v);
        Store(e + i + j * kLanes, ToFloat(v));
      }
    }
    total += SumOf(Add(Add(sum[0], sum[1]), Add(sum[2], sum[3])));
  }
  const F32 factor = Splat(total == 0 ? 0.0f : table.steps / static_cast<float>(total));
  const I32 zero_point = SplatI32(-128);
  for (i = 0; i + kQuad <= n; i += kQuad) {
    I32Quad q;
    for (size_t j = 0; j < 4; ++j) q.v[j] = Add(ToInt(Mul(Load(e + i + j * kLanes), factor)), zero_point);
    StoreInt8Quad(y + i, q);
  }
  for (; i < n; i += kLanes) {
    const I32 q = Add(ToInt(Mul(Load(e + i), factor)), zero_point);
    StoreInt8Partial(y + i, q, n - i < kLanes ? n - i : kLanes);
  }
}

#endif  // TL_SOFTMAX_VBMI

struct RowSums {
  int64_t sum, squares;
};

TL_INLINE RowSums SumRow(size_t n, const int8_t* x) {
  RowSums total = {0, 0};
  for (size_t begin = 0; begin < n; begin += kChunk) {
    const size_t end = begin + kChunk < n ? begin + kChunk : n;
    I32 sum[2] = {SplatI32(0), SplatI32(0)}, squares[2] = {SplatI32(0), SplatI32(0)};
    size_t i = begin;
    for (; i + kQuad <= end; i += kQuad) {
      const I32Quad v = LoadInt8Quad(x + i);
      for (size_t j = 0; j < 4; ++j) {
        sum[j % 2] = Add(sum[j % 2], v.v[j]);
        squares[j % 2] = Add(squares[j % 2], Mul(v.v[j], v.v[j]));
      }
    }
    for (; i < end; i += kLanes) {
      const I32 v = end - i >= kLanes ? LoadInt8(x + i) : LoadInt8Partial(x + i, end - i);
      sum[0] = Add(sum[0], v);
      squares[0] = Add(squares[0], Mul(v, v));
    }
    total.sum += SumOf(Add(sum[0], sum[1]));
    total.squares += SumOf(Add(squares[0], squares[1]));
  }
  return total;
}

// rint(clamp(y, lo, hi)); the operands of ClampMin are swapped so that NaN becomes lo.
TL_INLINE I32 RoundWithin(F32 y, F32 lo, F32 hi) { return ToInt(ClampMax(ClampMin(lo, y), hi)); }

// The factor and offset of t = fma(x, factor, offset).
struct RowFactor {
  float factor, offset;
};

void LayerNormRow(const QLayerNormArgs& args, RowFactor row, size_t n, const int8_t* x, const float* scale,
                  const float* bias, int8_t* y) {
  const F32 factor = Splat(row.factor), offset = Splat(row.offset);
  const F32 zero_point = Splat(static_cast<float>(args.zero_point));
  const F32 lo = Splat(static_cast<float>(args.lo)), hi = Splat(static_cast<float>(args.hi));
  const auto result = [=](I32 v, F32 s, F32 b) {
    return RoundWithin(Fma(Fma(ToFloat(v), factor, offset), s, Add(b, zero_point)), lo, hi);
  };
  const F32 one = Splat(1.0f), zero = Zero();
  size_t i = 0;
  for (; i + kQuad <= n; i += kQuad) {
    I32Quad v = LoadInt8Quad(x + i);
    for (size_t j = 0; j < 4; ++j) {
      const size_t at = i + j * kLanes;
      v.v[j] = result(v.v[j], scale != nullptr ? Load(scale + at) : one, bias != nullptr ? Load(bias + at) : zero);
    }
    StoreInt8Quad(y + i, v);
  }
  for (; i < n; i += kLanes) {
    const size_t count = n - i < kLanes ? n - i : kLanes;
    const F32 s = scale != nullptr ? LoadPartial(scale + i, count) : one;
    const F32 b = bias != nullptr ? LoadPartial(bias + i, count) : zero;
    StoreInt8Partial(y + i, result(LoadInt8Partial(x + i, count), s, b), count);
  }
}

// Rows at a time: the long chains of divisions of several rows overlap.
constexpr size_t kRowBlock = 8;

void LayerNorm(const QLayerNormArgs& args, size_t rows, size_t n, const int8_t* x, const float* scale,
               const float* bias, int8_t* y) {
  RowSums sums[kRowBlock];
  RowFactor factors[kRowBlock];
  for (size_t begin = 0; begin < rows; begin += kRowBlock) {
    const size_t count = rows - begin < kRowBlock ? rows - begin : kRowBlock;
    for (size_t r = 0; r < count; ++r) sums[r] = SumRow(n, x + (begin + r) * n);
    for (size_t r = 0; r < count; ++r) {
      const NormFactor norm = NormFactorOf(args, static_cast<int64_t>(n), sums[r].sum, sums[r].squares);
      factors[r].factor = static_cast<float>(norm.r);
      factors[r].offset = static_cast<float>(-(norm.mean + args.x_zero_point) * norm.r);
    }
    for (size_t r = 0; r < count; ++r) {
      LayerNormRow(args, factors[r], n, x + (begin + r) * n, scale, bias, y + (begin + r) * n);
    }
  }
}

void ColumnSums(size_t rows, size_t n, const int8_t* x, int32_t* sums, int32_t* squares) {
  size_t j = 0;
  for (; j + kQuad <= n; j += kQuad) {
    I32 sum[4] = {SplatI32(0), SplatI32(0), SplatI32(0), SplatI32(0)};
    I32 square[4] = {SplatI32(0), SplatI32(0), SplatI32(0), SplatI32(0)};
    for (size_t r = 0; r < rows; ++r) {
      const I32Quad v = LoadInt8Quad(x + r * n + j);
      for (size_t k = 0; k < 4; ++k) {
        sum[k] = Add(sum[k], v.v[k]);
        square[k] = Add(square[k], Mul(v.v[k], v.v[k]));
      }
    }
    for (size_t k = 0; k < 4; ++k) {
      StoreI32(sums + j + k * kLanes, sum[k]);
      StoreI32(squares + j + k * kLanes, square[k]);
    }
  }
  for (; j < n; j += kLanes) {
    const size_t count = n - j < kLanes ? n - j : kLanes;
    I32 sum = SplatI32(0), square = SplatI32(0);
    for (size_t r = 0; r < rows; ++r) {
      const I32 v = count == kLanes ? LoadInt8(x + r * n + j) : LoadInt8Partial(x + r * n + j, count);
      sum = Add(sum, v);
      square = Add(square, Mul(v, v));
    }
    int32_t lanes[kLanes];
    StoreI32(lanes, sum);
    memcpy(sums + j, lanes, count * sizeof(int32_t));
    StoreI32(lanes, square);
    memcpy(squares + j, lanes, count * sizeof(int32_t));
  }
}

void Affine(size_t rows, size_t n, const int8_t* x, const float* factor, const float* offset, int lo, int hi,
            int8_t* y) {
  const F32 low = Splat(static_cast<float>(lo)), high = Splat(static_cast<float>(hi));
  size_t j = 0;
  for (; j + kQuad <= n; j += kQuad) {
    F32 f[4], o[4];
    for (size_t k = 0; k < 4; ++k) f[k] = Load(factor + j + k * kLanes), o[k] = Load(offset + j + k * kLanes);
    for (size_t r = 0; r < rows; ++r) {
      I32Quad v = LoadInt8Quad(x + r * n + j);
      for (size_t k = 0; k < 4; ++k) v.v[k] = RoundWithin(Fma(ToFloat(v.v[k]), f[k], o[k]), low, high);
      StoreInt8Quad(y + r * n + j, v);
    }
  }
  for (; j < n; j += kLanes) {
    const size_t count = n - j < kLanes ? n - j : kLanes;
    const F32 f = LoadPartial(factor + j, count), o = LoadPartial(offset + j, count);
    for (size_t r = 0; r < rows; ++r) {
      const I32 v = LoadInt8Partial(x + r * n + j, count);
      StoreInt8Partial(y + r * n + j, RoundWithin(Fma(ToFloat(v), f, o), low, high), count);
    }
  }
}

constexpr QNormalizeKernels kQNormalize = {Softmax, LayerNorm, ColumnSums, Affine};

}  // namespace
}  // namespace TL_ISA
}  // namespace tealight
