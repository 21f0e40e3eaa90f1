# SPDX-License-Identifier: Apache-2.0
"""The arithmetic of quantized tensors: the one definition of scales, rounding and saturation.

real = (q - zero_point) * scale. Weights are symmetric (zero point 0, -127 .. 127), per output channel; activations are
asymmetric int8, per tensor. Sums are int32 and exact.

Requantization of a sum to int8 is round_half_even(sum * scale + zero_point), clamped, of the exact product. The builder
picks float32 scales with which no sum of the layer can make a tie and proves |sum| < 2^23 and
|sum * scale| < 2^22 - 256; a scale with an odd 24-bit significand always will do (sum * significand would have to be
an odd multiple of a power of two that only an even factor of the sum brings, at least 2^23). Without ties, float
arithmetic with one fused multiply-add onto 1.5 * 2^23 + zero_point, 64-bit integers, and a DSP's double-width product
agree to the bit. Where the proof fails the layer is `wide`:
sum is rounded to float32, then rint(clamp(fma(sum, scale, zero_point), lo, hi)).
"""

from __future__ import annotations

import math

import numpy as np

from tealight.ir.types import DType

#: Bounds of the proof.
MAX_SUM = 1 << 23
MAX_PRODUCT = (1 << 22) - 256

#: Scales up to this stand for nothing: quotients of smaller ones would leave float32.
NOTHING = 2.0**-60
#: The greatest scale that integer ops take: products of two of them over the least one fit float32.
MAX_SCALE = 2.0**30

#: Least and greatest integer of each quantized type.
LIMITS: dict[DType, tuple[int, int]] = {
    DType.INT8: (-128, 127), DType.UINT8: (0, 255), DType.INT16: (-32768, 32767), DType.UINT16: (0, 65535),
    DType.INT32: (-(2**31), 2**31 - 1), DType.INT4: (-8, 7), DType.UINT4: (0, 15),
}  # fmt: skip


def is_usable(scale: np.ndarray | float) -> bool:
    """Whether integer ops take scales: zero, negative, infinite and extreme ones are left to float arithmetic."""
    s = np.asarray(scale)
    return bool(np.all((s > NOTHING) & (s <= MAX_SCALE)))


def odd_scale(x: float) -> np.float32:
    """Returns the float32 nearest to x > 0 whose 24-bit significand is odd (relative distance at most 2^-23)."""
    mantissa, exponent = math.frexp(x)  # x = mantissa * 2^exponent, mantissa in [0.5, 1)
    m = math.floor(mantissa * (1 << 24)) | 1
    if exponent < -125:  # the odd significand must be a normal number
        m, exponent = (1 << 23) + 1, -125
    return np.float32(math.ldexp(m, exponent - 24))


def odd_scales(x: np.ndarray) -> np.ndarray:
    """Returns odd_scale() of each element, float32."""
    return np.array([odd_scale(float(v)) for v in np.ravel(x)], np.float32).reshape(np.shape(x))


def tie_free_scales(x: np.ndarray, max_sum: np.ndarray) -> np.ndarray:
    """Returns x rounded to float32 where no sum up to max_sum makes a tie with it, else odd_scale(x).

    x = m * 2^(t - s) with an odd m: sum * x is half an odd integer only if 2^(s - t - 1) divides sum, so a smaller
    max_sum rules ties out. Nearly every scale passes, and then equals what engines that multiply float32 use.
    """
    x, bound = np.broadcast_arrays(np.asarray(x, np.float32), np.asarray(max_sum, np.float64))
    mantissa, exponent = np.frexp(x.astype(np.float64))
    m = (mantissa * (1 << 24)).astype(np.int64)
    t = np.log2(np.maximum(m & -m, 1)).astype(np.int64)
    free = bound < np.exp2(24.0 - exponent - t - 1)
    return np.where(free, x, odd_scales(x)).astype(np.float32)


def is_wide(max_sum: np.ndarray, scale: np.ndarray) -> bool:
    """Whether the proof fails for any channel; max_sum: the greatest |sum| that inputs can give, per channel."""
    bound = np.asarray(max_sum, np.float64)
    return bool(np.any(bound >= MAX_SUM) or np.any(bound * np.asarray(scale, np.float64) >= MAX_PRODUCT))


def requantize(
    sums: np.ndarray, scale: np.ndarray, zero_point: int, lo: int = -128, hi: int = 127, wide: bool = False
) -> np.ndarray:
    """Returns the int8 of integer sums; scale: float32, broadcast over the last axis."""
    s = np.asarray(sums)
    if wide:
        product = s.astype(np.float32).astype(np.longdouble) * np.asarray(scale, np.longdouble)  # exact in 64 bits
        y = np.rint(np.clip((product + zero_point).astype(np.float32), lo, hi))
    else:
        # |sum| < 2^23 and a 24-bit significand: the float64 product is exact.
        y = np.clip(np.rint(s.astype(np.float64) * np.asarray(scale, np.float64)) + zero_point, lo, hi)
    return np.asarray(y, np.int8)


def scale_of_mean(scale: float, count: np.ndarray | int) -> np.ndarray:
    """Returns the scale of a sum divided by count: the float32 quotient; 0 for count 0.

    Means of 2^n elements tie often (one in 64 does for 8 x 8 windows), and engines round ties to even (but LiteRT, see
    its frontend): means are always `wide`, whose sequence defines ties.
    """
    n = np.asarray(count, np.float32)
    with np.errstate(divide="ignore", invalid="ignore"):
        quotient = np.float32(scale) / n
    return np.where(n > 0, quotient, np.float32(0)).astype(np.float32)


def rescaled_add(
    a: np.ndarray, b: np.ndarray, a_scale: float, b_scale: float, offset: float, lo: int = -128, hi: int = 127
) -> np.ndarray:
    """Returns clamp(round_half_even(fma(b, b_scale, fma(a, a_scale, offset)))) of int8 tensors, float32 steps."""
    inner = fma(a.astype(np.float32), np.float32(a_scale), np.float32(offset))
    y = fma(b.astype(np.float32), np.float32(b_scale), inner)
    return np.asarray(np.rint(np.clip(y, lo, hi)), np.int8)


def add_constants(
    a_scale: float, a_zero_point: int, b_scale: float, b_zero_point: int, y_scale: float, y_zero_point: int
) -> tuple[float, float, float]:
    """Returns a_scale, b_scale and offset of RescaledAdd, each rounded to float32 once."""
    a, b = np.float32(a_scale / y_scale), np.float32(b_scale / y_scale)
    offset = np.float32(y_zero_point - a_zero_point * float(a) - b_zero_point * float(b))
    return float(a), float(b), float(offset)


def fma(a: np.ndarray, b: np.ndarray | np.float32, c: np.ndarray | np.float32) -> np.ndarray:
    """Returns a * b + c rounded once to float32 (float64 holds the product exactly; the sum is rounded to odd)."""
    product = np.asarray(a, np.float64) * np.asarray(b, np.float64)
    c64 = np.asarray(c, np.float64)
    total = product + c64
    # The float64 sum is itself rounded; its error (Knuth's two-sum) turned into a sticky last bit makes the second
    # rounding right.
    with np.errstate(invalid="ignore", over="ignore"):
        part = total - product
        error = (product - (total - part)) + (c64 - part)
    total = np.atleast_1d(np.array(total))
    bits = total.view(np.int64)
    error = np.broadcast_to(np.atleast_1d(error), total.shape)
    sticky = (error != 0) & np.isfinite(error) & (bits & 1 == 0)
    step = np.where((error > 0) == (total > 0), 1, -1)
    bits += np.where(sticky, step, 0)
    shape = np.broadcast_shapes(np.shape(product), np.shape(c64))
    return np.asarray(total.astype(np.float32).reshape(shape))


def quantize(x: np.ndarray, scale: np.ndarray, zero_point: np.ndarray | int, dtype: DType) -> np.ndarray:
    """Returns saturate(round_half_even(x / scale) + zero_point); float32 division; NaN becomes the zero point."""
    lo, hi = LIMITS[dtype]
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        steps = np.rint(np.asarray(x, np.float32) / np.asarray(scale, np.float32)).astype(np.float64)
    y = np.clip(np.where(np.isnan(steps), 0, steps) + np.asarray(zero_point, np.float64), lo, hi)
    return np.asarray(y.astype(dtype.numpy))


def dequantize(q: np.ndarray, scale: np.ndarray, zero_point: np.ndarray | int) -> np.ndarray:
    """Returns (q - zero_point) * scale: one exact integer difference, one float32 product."""
    steps = np.asarray(q).astype(np.int64) - np.asarray(zero_point).astype(np.int64)
    return np.asarray(steps.astype(np.float32) * np.asarray(scale, np.float32))


def dynamic_params(x: np.ndarray) -> tuple[np.float32, int]:
    """Returns scale and zero point of DynamicQuantizeLinear (uint8): [min(x, 0), max(x, 0)], NaN passed over.

    All steps are float32; a scale of 0 (x is 0, or its range a subnormal / 255) becomes 1.
    """
    known = x[~np.isnan(x)]
    low = min(known.min(initial=np.float32(0)), np.float32(0))
    high = max(known.max(initial=np.float32(0)), np.float32(0))
    with np.errstate(over="ignore", invalid="ignore"):
        scale = np.float32(np.float32(high - low) / np.float32(255))
        scale = np.float32(1) if scale == 0 else scale
        steps = np.rint(np.float32(-low) / scale)
    return scale, int(np.clip(0 if np.isnan(steps) else steps, 0, 255))


def softmax(x: np.ndarray, table: np.ndarray, steps_of_one: float = 256.0) -> np.ndarray:
    """Returns the int8 softmax over the last axis, scale 1 / steps_of_one, zero point -128.

    table: float32 [256], exp(-x_scale * i). e = round_half_even(65535 * table) are integers, so their sums are exact:
    y = min(round_half_even(e[max - x] * (steps_of_one / sum)), 255) - 128 in float32; 0 / 0 counts as 0.
    """
    with np.errstate(invalid="ignore", over="ignore"):
        steps = np.rint(np.asarray(table, np.float32) * np.float32(65535))
    e = np.clip(np.where(np.isnan(steps), 0, steps), 0, 65535).astype(np.int64)
    parts = e[x.max(axis=-1, keepdims=True, initial=-128).astype(np.int64) - x]
    total = parts.sum(axis=-1, keepdims=True)
    factor = np.where(total == 0, np.float32(0), np.float32(steps_of_one) / np.maximum(total, 1).astype(np.float32))
    y = np.rint(parts.astype(np.float32) * factor.astype(np.float32)) - 128
    return np.asarray(np.minimum(y, 127), np.int8)


def norm_factor(
    x: np.ndarray, axes: tuple[int, ...], x_scale: float, x_zero_point: int, epsilon: float, rms: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Returns 1 / deviation in units of x's steps and the mean + zero point, float64, of int8 x over `axes`.

    Sums of x and x^2 are integers. variance = (n * squares - sum^2) / n^2; rms: the mean counts as 0.
    """
    wide = x.astype(np.int64)
    n = int(np.prod([x.shape[a] for a in axes], dtype=np.int64))
    total, squares = wide.sum(axis=axes, keepdims=True), (wide * wide).sum(axis=axes, keepdims=True)
    step, count = np.float64(np.float32(x_scale)), np.float64(n)
    with np.errstate(all="ignore"):
        if rms:
            centred = squares - 2 * x_zero_point * total + n * x_zero_point * x_zero_point
            mean, variance = np.zeros(total.shape), centred.astype(np.float64) / count
        else:
            mean = (total - n * x_zero_point).astype(np.float64) / count
            variance = (n * squares - total * total).astype(np.float64) / (count * count)
        r = step / np.sqrt(variance * (step * step) + np.float64(np.float32(epsilon)))
    return np.asarray(r), np.asarray(mean + x_zero_point)


def clamp_round(y: np.ndarray, lo: int, hi: int) -> np.ndarray:
    """Returns the int8 rint(clamp(y, lo, hi)) of float32; NaN becomes lo."""
    return np.asarray(np.rint(np.clip(np.where(np.isnan(y), lo, y), lo, hi)), np.int8)


def asymmetric_params(low: float, high: float, dtype: DType = DType.INT8) -> tuple[np.float32, int]:
    """Returns scale and zero point that cover [low, high] and 0 exactly; ranges of nothing get scale 1."""
    least, greatest = LIMITS[dtype]
    low, high = min(float(low), 0.0), max(float(high), 0.0)
    scale = np.float32((high - low) / (greatest - least))
    if not scale > NOTHING:
        return np.float32(1), int(np.clip(0, least, greatest))
    zero_point = int(np.clip(np.rint(least - low / float(scale)), least, greatest))
    return scale, zero_point


def symmetric_scale(bound: np.ndarray, dtype: DType = DType.INT8) -> np.ndarray:
    """Returns the scale that maps |x| <= bound to +-127 (int8) or +-7 (int4); 1 where bound is nothing."""
    greatest = LIMITS[dtype][1]
    scale = (np.asarray(bound, np.float64) / greatest).astype(np.float32)
    return np.where(scale > NOTHING, scale, np.float32(1)).astype(np.float32)
