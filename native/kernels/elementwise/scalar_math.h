// SPDX-License-Identifier: Apache-2.0
// The rarely used functions, one element at a time. They are compiled once, for the baseline of the target, and use
// only double precision add, sub, mul, div and sqrt, so every path of every host shares their bits (libm's differ
// from host to host). Error: at most 0.51 ulp of float32, sin/cos/tan for every finite argument.
#ifndef TEALIGHT_KERNELS_ELEMENTWISE_SCALAR_MATH_H_
#define TEALIGHT_KERNELS_ELEMENTWISE_SCALAR_MATH_H_

#include "kernels/elementwise/elementwise.h"

namespace tealight {

/// f(x) for log1p, sin .. cosh, asinh, acosh, atanh; NaN for any other kind.
float ScalarUnary(UnaryOp kind, float x);
/// The same over float64, relative error about 1e-14, for the kinds of HasScalarUnary64.
double ScalarUnary64(UnaryOp kind, double alpha, double beta, double x);
bool HasScalarUnary64(UnaryOp kind);
/// pow, mod (sign of b) or fmod (sign of a) with the special cases of IEEE 754; NaN for any other kind.
float ScalarBinary(BinaryOp kind, float a, float b);
double ScalarBinary64(BinaryOp kind, double a, double b);

}  // namespace tealight

#endif  // TEALIGHT_KERNELS_ELEMENTWISE_SCALAR_MATH_H_
