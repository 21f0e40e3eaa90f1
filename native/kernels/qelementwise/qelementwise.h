// SPDX-License-Identifier: Apache-2.0
// Element by element between float32 and 8-bit integers, and among 8-bit integers: the kernel family behind
// quantize, dequantize, dynamic_quantize, lut and q_binary. sdk/tealight/quant/numerics.py has the definitions; each
// kernel here is one sequence of IEEE and integer operations, the same on every path.
#ifndef TEALIGHT_KERNELS_QELEMENTWISE_QELEMENTWISE_H_
#define TEALIGHT_KERNELS_QELEMENTWISE_QELEMENTWISE_H_

#include <stddef.h>
#include <stdint.h>

#include "base/cpu_features.h"
#include "kernels/requantize.h"

namespace tealight {

// What 8-bit integers stand for: element i uses scale[i * step] and zero_point[i * step]; step is 0 or 1.
struct Steps {
  const float* scale;
  const int32_t* zero_point;
  size_t step;
};

// Element (r, i) of an operand is data[r * row + i * col]; col is 0 or 1.
struct Int8Operand {
  const int8_t* data;
  size_t row, col;
};

struct RescaledMul {
  int32_t a_zero_point, b_zero_point;
  float scale;
  Requantization output;
  float positive_scale;  // of prelu
};

struct QElementwiseKernels {
  /// y = rint(clamp(x / scale, lo - zero_point, hi - zero_point)) + zero_point; a NaN of x / scale counts as 0.
  void (*quantize_s8)(size_t n, const float* x, Steps steps, int lo, int hi, int8_t* y);
  void (*quantize_u8)(size_t n, const float* x, Steps steps, int lo, int hi, uint8_t* y);
  /// y = float(x - zero_point) * scale
  void (*dequantize_s8)(size_t n, const int8_t* x, Steps steps, float* y);
  void (*dequantize_u8)(size_t n, const uint8_t* x, Steps steps, float* y);
  /// y = table[x ^ flip]; table: 256 bytes; flip 0x80 makes int8 count from -128. y may be x.
  void (*lut)(const uint8_t* table, uint8_t flip, size_t n, const uint8_t* x, uint8_t* y);
  /// y [rows, n] = RescaledAdd(a, b); y may be an operand of its shape.
  void (*add)(size_t rows, size_t n, Int8Operand a, Int8Operand b, const RescaledAdd& add, int8_t* y);
  /// y [rows, n] = Requantize((a - a_zero_point) * (b - b_zero_point), scale); y may be an operand of its shape.
  void (*mul)(size_t rows, size_t n, Int8Operand a, Int8Operand b, const RescaledMul& mul, int8_t* y);
  /// y [rows, n] = mul where a < a_zero_point, else Requantize(a - a_zero_point, positive_scale); output.wide is false.
  void (*prelu)(size_t rows, size_t n, Int8Operand a, Int8Operand b, const RescaledMul& mul, int8_t* y);
  /// Lowers *least and raises *greatest to the elements of x; NaN is passed over.
  void (*range)(size_t n, const float* x, float* least, float* greatest);
};

/// The kernels of one path, which must be compiled in.
const QElementwiseKernels* FindQElementwise(Isa isa);

}  // namespace tealight

#endif  // TEALIGHT_KERNELS_QELEMENTWISE_QELEMENTWISE_H_
