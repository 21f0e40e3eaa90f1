// SPDX-License-Identifier: Apache-2.0
// The bodies of QElementwiseKernels over the SIMD wrapper; see qelementwise.h.
#include "base/simd/vec.h"
#include "kernels/qelementwise/lut.h"
#include "kernels/qelementwise/pairs.h"
#include "kernels/qelementwise/qelementwise.h"
#include "kernels/qelementwise/quantize_vectors.h"

namespace tealight {
namespace TL_ISA {
namespace {

TL_INLINE I32 LoadByte(const int8_t* p) { return LoadInt8(p); }
TL_INLINE I32 LoadByte(const uint8_t* p) { return LoadUint8(p); }
TL_INLINE I32 LoadBytePartial(const int8_t* p, size_t n) { return LoadInt8Partial(p, n); }
TL_INLINE I32 LoadBytePartial(const uint8_t* p, size_t n) { return LoadUint8Partial(p, n); }
TL_INLINE I32Quad LoadByteQuad(const int8_t* p) { return LoadInt8Quad(p); }
TL_INLINE I32Quad LoadByteQuad(const uint8_t* p) { return LoadUint8Quad(p); }
TL_INLINE void StoreByte(int8_t* p, I32 a) { StoreInt8(p, a); }
TL_INLINE void StoreByte(uint8_t* p, I32 a) { StoreUint8(p, a); }
TL_INLINE void StoreBytePartial(int8_t* p, I32 a, size_t n) { StoreInt8Partial(p, a, n); }
TL_INLINE void StoreBytePartial(uint8_t* p, I32 a, size_t n) { StoreUint8Partial(p, a, n); }
TL_INLINE void StoreByteQuad(int8_t* p, const I32Quad& a) { StoreInt8Quad(p, a); }
TL_INLINE void StoreByteQuad(uint8_t* p, const I32Quad& a) { StoreUint8Quad(p, a); }

TL_INLINE I32 LoadI32Partial(const int32_t* p, size_t n) {
  return BitsOf(LoadPartial(reinterpret_cast<const float*>(p), n));
}

// x / scale in whole steps from the zero point; lo and hi are what remains of the range on both sides of it.
TL_INLINE I32 StepsOf(F32 x, F32 scale, F32 lo, F32 hi, I32 zero_point) {
  const F32 q = Div(x, scale);
  return Add(ToInt(ClampMax(ClampMin(Select(IsNan(q), Zero(), q), lo), hi)), zero_point);
}

template <typename T>
void QuantizeUniform(size_t n, const float* x, float scale, int32_t zero_point, int lo, int hi, T* y) {
  const F32 s = Splat(scale), low = Splat(static_cast<float>(lo - zero_point));
  const F32 high = Splat(static_cast<float>(hi - zero_point));
  const I32 z = SplatI32(zero_point);
  const auto divide = [=](size_t at) {
    I32Quad q;
    for (size_t j = 0; j < 4; ++j) q.v[j] = StepsOf(Load(x + at + j * kLanes), s, low, high, z);
    StoreByteQuad(y + at, q);
  };
  size_t i = QuantizeVectors(n, x, scale, zero_point, lo, hi, y, divide);
  for (; i + 4 * kLanes <= n; i += 4 * kLanes) divide(i);
  for (; i + kLanes <= n; i += kLanes) StoreByte(y + i, StepsOf(Load(x + i), s, low, high, z));
  if (i < n) StoreBytePartial(y + i, StepsOf(LoadPartial(x + i, n - i), s, low, high, z), n - i);
}

template <typename T>
void Quantize(size_t n, const float* x, Steps steps, int lo, int hi, T* y) {
  if (steps.step == 0) return QuantizeUniform(n, x, *steps.scale, *steps.zero_point, lo, hi, y);
  const I32 least = SplatI32(lo), greatest = SplatI32(hi);
  size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    const I32 z = LoadI32(steps.zero_point + i);
    const F32 low = ToFloat(Sub(least, z)), high = ToFloat(Sub(greatest, z));
    StoreByte(y + i, StepsOf(Load(x + i), Load(steps.scale + i), low, high, z));
  }
  if (i < n) {
    const I32 z = LoadI32Partial(steps.zero_point + i, n - i);
    const F32 low = ToFloat(Sub(least, z)), high = ToFloat(Sub(greatest, z));
    const F32 scale = LoadPartial(steps.scale + i, n - i, Splat(1.0f));
    StoreBytePartial(y + i, StepsOf(LoadPartial(x + i, n - i), scale, low, high, z), n - i);
  }
}

template <typename T>
void DequantizeUniform(size_t n, const T* x, float scale, int32_t zero_point, float* y) {
  const F32 s = Splat(scale);
  const I32 z = SplatI32(zero_point);
  size_t i = 0;
  for (; i + 4 * kLanes <= n; i += 4 * kLanes) {
    const I32Quad q = LoadByteQuad(x + i);
    for (size_t j = 0; j < 4; ++j) Store(y + i + j * kLanes, Mul(ToFloat(Sub(q.v[j], z)), s));
  }
  for (; i + kLanes <= n; i += kLanes) Store(y + i, Mul(ToFloat(Sub(LoadByte(x + i), z)), s));
  if (i < n) StorePartial(y + i, Mul(ToFloat(Sub(LoadBytePartial(x + i, n - i), z)), s), n - i);
}

template <typename T>
void Dequantize(size_t n, const T* x, Steps steps, float* y) {
  if (steps.step == 0) return DequantizeUniform(n, x, *steps.scale, *steps.zero_point, y);
  size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    const I32 q = Sub(LoadByte(x + i), LoadI32(steps.zero_point + i));
    Store(y + i, Mul(ToFloat(q), Load(steps.scale + i)));
  }
  if (i < n) {
    const I32 q = Sub(LoadBytePartial(x + i, n - i), LoadI32Partial(steps.zero_point + i, n - i));
    StorePartial(y + i, Mul(ToFloat(q), LoadPartial(steps.scale + i, n - i)), n - i);
  }
}

void Lut(const uint8_t* table, uint8_t flip, size_t n, const uint8_t* x, uint8_t* y) {
  size_t i = LutVectors(table, flip, n, x, y);
  for (; i < n; ++i) y[i] = table[x[i] ^ flip];
}

// y = f(a, b); an operand that is not `each` is one value for the whole row.
template <bool a_each, bool b_each, typename F>
TL_INLINE void MapRow(size_t n, const int8_t* a, const int8_t* b, int8_t* y, const F& f) {
  if (n == 0) return;
  const I32 a0 = SplatI32(*a), b0 = SplatI32(*b);
  size_t i = 0;
  for (; i + 4 * kLanes <= n; i += 4 * kLanes) {
    I32Quad p = {{a0, a0, a0, a0}}, q = {{b0, b0, b0, b0}};
    if (a_each) p = LoadInt8Quad(a + i);
    if (b_each) q = LoadInt8Quad(b + i);
    for (size_t j = 0; j < 4; ++j) p.v[j] = f(p.v[j], q.v[j]);
    StoreInt8Quad(y + i, p);
  }
  for (; i + kLanes <= n; i += kLanes) {
    StoreInt8(y + i, f(a_each ? LoadInt8(a + i) : a0, b_each ? LoadInt8(b + i) : b0));
  }
  if (i < n) {
    const I32 p = a_each ? LoadInt8Partial(a + i, n - i) : a0, q = b_each ? LoadInt8Partial(b + i, n - i) : b0;
    StoreInt8Partial(y + i, f(p, q), n - i);
  }
}
// Calls row.Run<a_each, b_each>(n, a, b, y) for each row.
template <typename Row>
void ForEachRow(size_t rows, size_t n, Int8Operand a, Int8Operand b, int8_t* y, const Row& row) {
  if (n == 0) return;
  for (size_t r = 0; r < rows; ++r, a.data += a.row, b.data += b.row, y += n) {
    if (a.col != 0 && b.col != 0) {
      row.template Run<true, true>(n, a.data, b.data, y);
    } else if (a.col != 0) {
      row.template Run<true, false>(n, a.data, b.data, y);
    } else if (b.col != 0) {
      row.template Run<false, true>(n, a.data, b.data, y);
    } else {
      row.template Run<false, false>(n, a.data, b.data, y);
    }
  }
}

struct AddRow {
  const RescaledAdd& add;
  RescaledAddVectors v;
  bool fits;

  template <bool a_each, bool b_each>
  void Run(size_t n, const int8_t* a, const int8_t* b, int8_t* y) const {
    const size_t done = fits ? AddVectors<a_each, b_each>(n, a, b, add, y) : 0;
    const RescaledAddVectors vectors = v;
    MapRow<a_each, b_each>(n - done, a + (a_each ? done : 0), b + (b_each ? done : 0), y + done,
                           [=](I32 p, I32 q) { return AddRescaled(p, q, vectors); });
  }
};

template <bool wide>
struct MulRow {
  const RescaledMul& mul;
  RequantizeVectors v;
  bool fits;

  template <bool a_each, bool b_each>
  void Run(size_t n, const int8_t* a, const int8_t* b, int8_t* y) const {
    const size_t done = fits ? MulVectors<a_each, b_each>(n, a, b, mul, y) : 0;
    const RequantizeVectors vectors = v;
    const I32 a_zero = SplatI32(mul.a_zero_point), b_zero = SplatI32(mul.b_zero_point);
    const F32 scale = Splat(mul.scale);
    MapRow<a_each, b_each>(n - done, a + (a_each ? done : 0), b + (b_each ? done : 0), y + done, [=](I32 p, I32 q) {
      return Requantize<wide>(Mul(Sub(p, a_zero), Sub(q, b_zero)), scale, vectors);
    });
  }
};

// Each element has one of two products, the other is 0 and adds nothing: both go into one sum that is rounded once.
struct PreluRow {
  const RescaledMul& mul;
  RequantizeVectors v;

  template <bool a_each, bool b_each>
  void Run(size_t n, const int8_t* a, const int8_t* b, int8_t* y) const {
    const RequantizeVectors vectors = v;
    const I32 a_zero = SplatI32(mul.a_zero_point), b_zero = SplatI32(mul.b_zero_point), zero = SplatI32(0);
    const F32 scale = Splat(mul.scale), positive_scale = Splat(mul.positive_scale);
    MapRow<a_each, b_each>(n, a, b, y, [=](I32 p, I32 q) {
      const I32 d = Sub(p, a_zero);
      const F32 positive = Fma(ToFloat(Max(d, zero)), positive_scale, vectors.offset);
      const F32 sum = Fma(ToFloat(Mul(Min(d, zero), Sub(q, b_zero))), scale, positive);
      return Min(Max(Sub(BitsOf(sum), vectors.offset_bits), vectors.lo), vectors.hi);
    });
  }
};

void AddRows(size_t rows, size_t n, Int8Operand a, Int8Operand b, const RescaledAdd& add, int8_t* y) {
  ForEachRow(rows, n, a, b, y, AddRow{add, SplatRescaledAdd(add), FitsInt16(add)});
}

void MulRows(size_t rows, size_t n, Int8Operand a, Int8Operand b, const RescaledMul& mul, int8_t* y) {
  const RequantizeVectors v = SplatRequantization(mul.output);
  if (mul.output.wide) {
    ForEachRow(rows, n, a, b, y, MulRow<true>{mul, v, false});
  } else {
    ForEachRow(rows, n, a, b, y, MulRow<false>{mul, v, FitsInt16(mul)});
  }
}

void PreluRows(size_t rows, size_t n, Int8Operand a, Int8Operand b, const RescaledMul& mul, int8_t* y) {
  ForEachRow(rows, n, a, b, y, PreluRow{mul, SplatRequantization(mul.output)});
}

void Range(size_t n, const float* x, float* least, float* greatest) {
  // ClampMin(a, b) is the greater of the two and a where b is NaN.
  F32 low[4], high[4];
  for (size_t j = 0; j < 4; ++j) low[j] = Splat(*least), high[j] = Splat(*greatest);
  size_t i = 0;
  for (; i + 4 * kLanes <= n; i += 4 * kLanes) {
    for (size_t j = 0; j < 4; ++j) {
      const F32 v = Load(x + i + j * kLanes);
      low[j] = ClampMax(low[j], v);
      high[j] = ClampMin(high[j], v);
    }
  }
  for (size_t j = 1; j < 4; ++j) low[0] = ClampMax(low[0], low[j]), high[0] = ClampMin(high[0], high[j]);
  float lows[kLanes], highs[kLanes];
  Store(lows, low[0]);
  Store(highs, high[0]);
  for (size_t j = 0; j < kLanes; ++j) {
    *least = lows[j] < *least ? lows[j] : *least;
    *greatest = highs[j] > *greatest ? highs[j] : *greatest;
  }
  for (; i < n; ++i) {
    *least = x[i] < *least ? x[i] : *least;
    *greatest = x[i] > *greatest ? x[i] : *greatest;
  }
}

constexpr QElementwiseKernels kQElementwise = {Quantize<int8_t>,
                                               Quantize<uint8_t>,
                                               Dequantize<int8_t>,
                                               Dequantize<uint8_t>,
                                               Lut,
                                               AddRows,
                                               MulRows,
                                               PreluRows,
                                               Range};

}  // namespace
}  // namespace TL_ISA
}  // namespace tealight
