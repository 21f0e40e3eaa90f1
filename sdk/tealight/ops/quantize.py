# SPDX-License-Identifier: Apache-2.0
"""Quantize and Dequantize: between float32 and integers (ONNX QuantizeLinear-25, DequantizeLinear-25)."""

from __future__ import annotations

from typing import Any

import numpy as np

from tealight.ir.types import DType, TensorType
from tealight.ops._registry import Case, OpDef, register
from tealight.quant import numerics

#: What quantize makes and dequantize takes.
INTEGERS = tuple(numerics.LIMITS)
_HELD = {DType.INT4: DType.INT8, DType.UINT4: DType.UINT8}
_EXACT: dict[str, Any] = {"rtol": 0.0, "atol": 0.0, "why": "one float32 division or product"}


def spread(parameter: np.ndarray, shape: tuple[int, ...], axis: int, block_size: int) -> np.ndarray:
    """Returns a scale or zero point in a shape that broadcasts with `shape`.

    Args:
        parameter: One element, [d] along `axis`, or blocked: `shape` with dim `axis` divided by block_size.
        shape: Of the quantized tensor.
        axis: Of the channels or blocks.
        block_size: Elements of `axis` that share a parameter; 0 = per tensor or per channel.
    """
    if parameter.size == 1 and (parameter.ndim == 0 or not block_size):
        return parameter.reshape(())
    if not block_size:
        axis = axis % len(shape)
        return parameter.reshape([-1 if i == axis else 1 for i in range(len(shape))])
    at = np.arange(shape[axis]) // block_size
    return np.asarray(parameter.take(at, axis=axis))


class _Stepped(OpDef):
    def check_steps(
        self, x: TensorType, scale: TensorType, zero_point: TensorType | None, steps: DType, axis: int, block_size: int
    ) -> None:
        """Raises when scale (float32) and zero point (`steps`; 4 bits may be held in 8) do not fit x."""
        if scale.dtype is not DType.FLOAT32:
            raise self.error("scale", found=scale.dtype.label, expected="float32")
        if block_size < 0:
            raise self.error("block_size", found=block_size, expected="0 or more")
        if zero_point is not None and zero_point.dtype not in (steps, _HELD.get(steps, steps)):
            raise self.error("zero_point", found=zero_point.dtype.label, expected=steps.label)
        if zero_point is not None and zero_point.shape != scale.shape:
            raise self.error("zero_point", found=zero_point, expected=f"the shape of scale {scale}")
        if scale.rank == 0 or (not block_size and scale.shape == (1,)):
            return
        self.normal_axis(axis, x.rank)
        size = x.shape[axis]
        if not block_size:
            wanted: tuple[int | str, ...] = (size,)
        elif isinstance(size, int):
            wanted = tuple(-(-size // block_size) if i == axis % x.rank else d for i, d in enumerate(x.shape))
        else:
            raise self.error("x", found=x, expected=f"a fixed dim {axis} to cut into blocks")
        same = len(wanted) == scale.rank and all(
            a == b or not (isinstance(a, int) and isinstance(b, int)) for a, b in zip(wanted, scale.shape, strict=True)
        )
        if not same:
            raise self.error("scale", found=scale, expected=TensorType(DType.FLOAT32, wanted))


@register
class Quantize(_Stepped):
    """y = saturate(round_half_even(x / scale) + zero_point) of dtype `to` (a number of tl_dtype).

    x float32; the quotient is rounded to float32; NaN becomes the zero point. int4 and uint4 are held in int8 and
    uint8. scale and zero_point: one element, [d] along `axis`, or one for each block_size elements of it.
    """

    name = "quantize"
    inputs = ("x", "scale", "zero_point?")
    defaults = {"axis": 1, "block_size": 0, "to": DType.INT8.value}

    def infer(self, *inputs: TensorType | None, **attrs: Any) -> TensorType:
        """Returns the shape of x in the dtype that holds `to`."""
        x, scale, zero_point = (*inputs, None)[:3]
        assert x is not None and scale is not None
        if x.dtype is not DType.FLOAT32:
            raise self.error("x", found=x.dtype.label, expected="float32")
        if attrs["to"] not in (d.value for d in INTEGERS):
            raise self.error("to", found=attrs["to"], expected=f"one of {[d.value for d in INTEGERS]}")
        to = DType(attrs["to"])
        self.check_steps(x, scale, zero_point, to, attrs["axis"], attrs["block_size"])
        return TensorType(_HELD.get(to, to), x.shape)

    def reference(self, *inputs: np.ndarray | None, **attrs: Any) -> np.ndarray:
        """numerics.quantize."""
        x, scale, zero_point = (*inputs, None)[:3]
        assert x is not None and scale is not None
        to = DType(attrs["to"])
        zero_point = np.zeros(scale.shape, np.int32) if zero_point is None else zero_point.astype(np.int32)
        scale, zero_point = (spread(p, x.shape, attrs["axis"], attrs["block_size"]) for p in (scale, zero_point))
        return numerics.quantize(x, scale, zero_point, to).astype(_HELD.get(to, to).numpy)

    def cases(self) -> list[Case]:
        """Every dtype, every form of scale, ties, tails, special values."""
        rng = np.random.default_rng(40)
        cases = []
        special = np.array([0.0, -0.0, np.nan, np.inf, -np.inf, 1e-45, 3e38, -3e38, 0.05, 1e9, -1e9], np.float32)
        ties = (np.arange(-300, 301, dtype=np.float32) + np.float32(0.5)) * np.float32(0.125)
        near = np.nextafter(ties, np.float32(np.inf), dtype=np.float32)
        values = np.concatenate([special, ties, near, -near, rng.standard_normal(777).astype(np.float32) * 9])
        for to in INTEGERS:
            low, high = numerics.LIMITS[to]
            held = _HELD.get(to, to).numpy
            for scale, zero_point in ((0.125, 0), (0.1, low), (0.03, high), (0.25, min(high, 7)), (1e-30, 1)):
                point = np.array(zero_point, held)
                cases.append(Case([values, np.array(scale, np.float32), point], {"to": to.value}, (1, 2), **_EXACT))
            cases.append(Case([values, np.array([0.02], np.float32)], {"to": to.value}, (1,), **_EXACT))
        for shape, axis, block in _FORMS:
            scales = np.exp(rng.standard_normal(_scale_shape(shape, axis, block)) - 3).astype(np.float32)
            for to in (DType.INT8, DType.UINT8, DType.INT4, DType.INT16):
                low, high = numerics.LIMITS[to]
                point = rng.integers(low, high + 1, scales.shape).astype(_HELD.get(to, to).numpy)
                attrs = {"axis": axis, "block_size": block, "to": to.value}
                cases.append(Case([shape, scales, point], attrs, (1, 2) if to is DType.INT8 else (), **_EXACT))
        big = Case([(70001,), np.array(0.02, np.float32), np.array(3, np.int8)], {}, (1, 2), **_EXACT)
        return [*cases, big, Case([(0, 3), np.array(0.1, np.float32)], {}, **_EXACT)]


#: Shape of x, axis and block_size of the cases that are not per tensor.
_FORMS: list[tuple[tuple[int, ...], int, int]] = [
    ((5, 37), -1, 0), ((37, 5), 0, 0), ((2, 3, 4, 35), 3, 0), ((2, 3, 41), 1, 0), ((3, 1, 17), 1, 0), ((4, 96), 1, 32),
    ((4, 70), -1, 16), ((70, 9), 0, 16), ((2, 7, 33), 1, 3), ((3, 20), 1, 1), ((3, 20), 1, 64), ((2, 0, 3), 2, 0),
]  # fmt: skip


def _scale_shape(shape: tuple[int, ...], axis: int, block: int) -> tuple[int, ...]:
    if not block:
        return (shape[axis],)
    return tuple(-(-d // block) if i == axis % len(shape) else d for i, d in enumerate(shape))


@register
class Dequantize(_Stepped):
    """y = (x - zero_point) * scale: one exact integer difference, rounded to float32, one float32 product.

    x int8, uint8, int16, uint16, int32, or a constant of int4 or uint4. scale and zero_point as those of quantize.
    """

    name = "dequantize"
    inputs = ("x", "scale", "zero_point?")
    defaults = {"axis": 1, "block_size": 0}

    def infer(self, *inputs: TensorType | None, **attrs: Any) -> TensorType:
        """Returns the shape of x in float32."""
        x, scale, zero_point = (*inputs, None)[:3]
        assert x is not None and scale is not None
        if x.dtype not in INTEGERS:
            raise self.error("x", found=x.dtype.label, expected=", ".join(d.label for d in INTEGERS))
        self.check_steps(x, scale, zero_point, x.dtype, attrs["axis"], attrs["block_size"])
        return TensorType(DType.FLOAT32, x.shape)

    def reference(self, *inputs: np.ndarray | None, **attrs: Any) -> np.ndarray:
        """numerics.dequantize."""
        x, scale, zero_point = (*inputs, None)[:3]
        assert x is not None and scale is not None
        zero_point = np.zeros(scale.shape, np.int32) if zero_point is None else zero_point.astype(np.int32)
        scale, zero_point = (spread(p, x.shape, attrs["axis"], attrs["block_size"]) for p in (scale, zero_point))
        return numerics.dequantize(x.astype(np.int32), scale, zero_point)

    def cases(self) -> list[Case]:
        """Every dtype, every form of scale, tails, the ends of each range."""
        rng = np.random.default_rng(41)
        cases = []
        for dtype in INTEGERS:
            low, high = numerics.LIMITS[dtype]
            held = rng.integers(low, high + 1, 523)
            held[:4] = [low, high, 0, 1]
            x = held.astype(dtype.numpy)
            nibbles = (0,) if dtype in _HELD else ()
            scale, point = np.array(0.0371, np.float32), np.array(min(3, high), dtype.numpy)
            cases.append(Case([x, scale, point], {}, (*nibbles, 1, 2), **_EXACT))
            cases.append(Case([x, scale.reshape(1)], {}, (*nibbles, 1), **_EXACT))
            for shape, axis, block in _FORMS:
                scale = np.exp(rng.standard_normal(_scale_shape(shape, axis, block))).astype(np.float32)
                point = rng.integers(low, high + 1, scale.shape).astype(dtype.numpy)
                x = rng.integers(low, high + 1, shape).astype(dtype.numpy)
                attrs = {"axis": axis, "block_size": block}
                cases.append(Case([x, scale, point], attrs, (0, 1, 2) if nibbles else (1,), **_EXACT))
        x = rng.integers(-128, 128, (3, 30001)).astype(np.int8)
        return [*cases, Case([x, np.array(0.02, np.float32), np.array(-128, np.int8)], {}, **_EXACT)]
