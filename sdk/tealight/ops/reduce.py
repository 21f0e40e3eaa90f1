# SPDX-License-Identifier: Apache-2.0
"""Reduce: one value from all elements along some axes (ONNX ReduceSum, ReduceMean, …)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tealight.ir.types import Dim, DType, TensorType
from tealight.ops._registry import Case, OpDef, register
from tealight.ops._window import fresh_dim

KINDS = (
    "sum", "mean", "max", "min", "prod", "l1", "l2", "sum_square", "log_sum", "log_sum_exp", "any", "all"
)  # fmt: skip
#: What the kinds take; other integers and floats are cast first.
_DTYPES = (
    DType.FLOAT32, DType.BOOL, DType.INT8, DType.UINT8, DType.INT32, DType.UINT32, DType.INT64, DType.UINT64
)  # fmt: skip
_INTEGER_KINDS = ("sum", "mean", "max", "min", "prod", "l1", "sum_square")


def normal_axes(axes: np.ndarray | None, rank: int) -> tuple[int, ...] | None:
    """Returns the axes sorted and in [0, rank), all of them for None; None when one is out of range or repeats."""
    if axes is None:
        return tuple(range(rank))
    if any(not -rank <= int(a) < rank for a in axes):
        return None
    result = tuple(sorted(int(a) % rank for a in axes))
    return result if len(set(result)) == len(result) else None


def reduced_shape(
    error: Callable[..., Exception], x: TensorType, axes: TensorType | None, keepdims: bool
) -> tuple[Dim, ...]:
    """Returns the shape of x without the axes, or with 1 in their place."""
    if axes is None:
        chosen = normal_axes(None, x.rank)
    elif axes.const is None:
        if not keepdims:
            raise error("axes", found="computed at run time", expected="constant axes, or keepdims")
        return tuple(fresh_dim() for _ in range(x.rank))
    else:
        chosen = normal_axes(axes.const.reshape(-1), x.rank)
    if chosen is None:
        raise error("axes", found=axes and axes.const, expected=f"distinct axes in [{-x.rank}, {x.rank})")
    return tuple(1 if i in chosen else d for i, d in enumerate(x.shape) if keepdims or i not in chosen)


@register
class Reduce(OpDef):
    """y reduces x along `axes` (int64 [r]; absent = all axes).

    float32: every kind but any and all. Integers: sum, mean (truncated), max, min, prod, l1, sum_square. bool: any,
    all, max, min. Along the last axis a float32 sum uses 16 virtual lanes (element i in lane i mod 16) and a fixed
    tree; along others it is ascending.
    """

    name = "reduce"
    inputs = ("x", "axes?")
    required = ("kind",)
    defaults = {"keepdims": True}
    host_inputs = ("axes",)

    def infer(self, *inputs: TensorType | None, **attrs: Any) -> TensorType:
        """Returns x's dtype with the axes gone, or 1 with keepdims."""
        x, axes = (*inputs, None)[:2]
        assert x is not None
        kind = attrs["kind"]
        if kind not in KINDS:
            raise self.error("kind", found=repr(kind), expected=f"one of {', '.join(KINDS)}")
        allowed = ("any", "all", "max", "min") if x.dtype is DType.BOOL else _INTEGER_KINDS
        fits = kind not in ("any", "all") if x.dtype.is_float else kind in allowed
        if not fits or x.dtype not in _DTYPES:
            raise self.error("x", found=f"{x.dtype.label} with {kind}", expected="a dtype that this kind takes")
        return TensorType(x.dtype, reduced_shape(self.error, x, axes, bool(attrs["keepdims"])))

    def reference(self, *inputs: np.ndarray | None, **attrs: Any) -> np.ndarray:
        """Reduces in float64 (floats) or the integers themselves."""
        x, axes = (*inputs, None)[:2]
        assert x is not None
        chosen = normal_axes(None if axes is None else axes.reshape(-1), x.ndim)
        assert chosen is not None
        wide = x.astype(np.float64) if x.dtype.kind == "f" or x.dtype.name == "bfloat16" else x
        with np.errstate(all="ignore"):
            return np.asarray(_reduced(attrs["kind"], wide, chosen, bool(attrs["keepdims"]))).astype(x.dtype)

    def cases(self) -> list[Case]:
        """Last axes with tails, spatial axes, all axes, middle axes, empty ones, specials, integers and bool."""
        rng = np.random.default_rng(3)
        special = rng.standard_normal((4, 37)).astype(np.float32)
        special[0, 3], special[1, 5], special[2, 7], special[3, 20:22] = np.nan, np.inf, -np.inf, [np.inf, -np.inf]
        ints = rng.integers(-9, 9, (3, 5, 7))

        def case(x: Any, kind: str, axes: list[int] | None, keep: bool = True, **more: Any) -> Case:
            operands = [x] if axes is None else [x, np.array(axes, np.int64)]
            return Case(operands, {"kind": kind, "keepdims": keep}, constants=() if axes is None else (1,), **more)

        cases = [case((3, 5, 37), kind, [-1], rtol=3e-5, atol=1e-5) for kind in KINDS[:8]]
        cases += [case((2, 7, 7, 35), kind, [1, 2], rtol=3e-5, atol=1e-5) for kind in ("mean", "sum", "max", "l2")]
        positive = np.abs(rng.standard_normal((4, 33)).astype(np.float32)) + 0.1
        cases += [case(positive, "log_sum", [1]), case(positive * 50, "log_sum_exp", [1]), case(positive, "prod", [0])]
        cases += [case(special, kind, [1]) for kind in ("max", "min", "sum", "log_sum_exp")]
        cases += [case(special, "max", [0], False), case((2, 3, 4, 5), "sum", [0, 2], False, rtol=3e-5, atol=1e-5)]
        cases += [case((5, 6), "mean", None), case((5, 6), "max", None, False), case((), "sum", None, False)]
        cases += [case(np.zeros((2, 0), np.float32), "sum", [1]), case((1, 1000), "sum", [1], rtol=1e-4, atol=1e-4)]
        cases += [case((1, 49, 1280), "mean", [1], False, rtol=3e-5, atol=1e-5), case((3, 4, 1), "max", [-1])]
        for dtype in (np.int64, np.uint64, np.int32, np.uint32, np.int8, np.uint8):
            values = np.abs(ints).astype(dtype) if np.dtype(dtype).kind == "u" else ints.astype(dtype)
            cases += [case(values, kind, [1]) for kind in ("max", "min")]
        cases += [case(ints, kind, [2]) for kind in ("sum", "prod", "l1", "sum_square")]
        cases += [
            case((ints * 13).astype(np.int8), "mean", [1]),
            case(np.abs(ints * 28).astype(np.uint8), "mean", None),
        ]
        cases += [case(ints.astype(np.int32), "sum", None), case(ints > 0, "any", [1]), case(ints > -9, "all", [2])]
        cases += [case(np.zeros((2, 0), d), k, [1]) for d in (np.int32, np.uint8, np.float32) for k in ("max", "min")]
        return cases


def _reduced(kind: str, x: np.ndarray, axes: tuple[int, ...], keep: bool) -> Any:
    if kind in ("sum", "mean", "max", "min", "prod", "any", "all"):
        function: dict[str, Any] = {
            "sum": np.sum, "max": np.max, "min": np.min, "prod": np.prod, "any": np.any, "all": np.all
        }  # fmt: skip
        if kind == "mean":
            wide = x.dtype if x.dtype.kind == "f" else np.dtype(np.uint64 if x.dtype.kind == "u" else np.int64)
            total = np.sum(x, axis=axes, keepdims=keep, dtype=wide)
            count = int(np.prod([x.shape[a] for a in axes], dtype=np.int64))
            return total / count if x.dtype.kind == "f" else np.trunc(total / max(count, 1)).astype(x.dtype)
        extra: dict[str, Any] = {"dtype": x.dtype} if kind in ("sum", "prod") else {}
        if kind in ("max", "min") and x.dtype.kind != "b":  # of nothing: the value that any other replaces
            limits = np.iinfo(x.dtype) if x.dtype.kind in "iu" else None
            low, high = (-np.inf, np.inf) if limits is None else (limits.min, limits.max)
            extra["initial"] = low if kind == "max" else high
        return function[kind](x, axis=axes, keepdims=keep, **extra)
    if kind == "l1":
        return np.sum(np.abs(x), axis=axes, keepdims=keep, dtype=x.dtype)
    if kind in ("l2", "sum_square"):
        total = np.sum(x * x, axis=axes, keepdims=keep, dtype=x.dtype)
        return np.sqrt(total) if kind == "l2" else total
    if kind == "log_sum":
        return np.log(np.sum(x, axis=axes, keepdims=keep))
    peak = np.max(x, axis=axes, keepdims=True, initial=-np.inf)
    peak = np.where(np.isfinite(peak), peak, 0)
    total = np.log(np.sum(np.exp(x - peak), axis=axes, keepdims=True)) + peak
    return total if keep else np.squeeze(total, axis=axes)
