// SPDX-License-Identifier: Apache-2.0
// The bodies of QElementwiseKernels over the SIMD wrapper; see qelementwise.h.
#include "base/simd/vec.h"
#include "kernels/qelementwise/lut.h"
#include "kernels/qelementwise/qelementwise.h"

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
  size_t i = 0;
  for (; i + 4 * kLanes <= n; i += 4 * kLanes) {
    I32Quad q;
    for (size_t j = 0; j < 4; ++j) q.v[j] = StepsOf(Load(x + i + j * kLanes), s, low, high, z);
    StoreByteQuad(y + i, q);
  }
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

constexpr QElementwiseKernels kQElementwise = {Quantize<int8_t>, Quantize<uint8_t>, Dequantize<int8_t>,
                                               Dequantize<uint8_t>, Lut};

}  // namespace
}  // namespace TL_ISA
}  // namespace tealight
